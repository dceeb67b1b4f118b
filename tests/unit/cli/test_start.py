"""The start of the command line is a budget: what it imports is written down here.

A module that comes in costs every command its time. To use another one, import it where it is
needed (inside the function), or write here why every command needs it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import knarr
from support.fake_engine import Answer, FakeEngine, fake_engine

# What Python has before it runs a line of ours (with site: a virtual environment may add to it).
_SHOW = "import sys; print('\\n'.join(sorted(sys.modules)), file=sys.stderr)"
_RUN = """
import sys
sys.path.insert(0, {source!r})
from knarr.cli.app import main
code = main({words!r})
print('\\n'.join(sorted(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
# From the standard library, besides what Python's own start has loaded.
ALLOWED = {"__future__", "_json", "_socket", "select", "_signal"}


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        engine.answers["GET", "/containers/json"] = Answer(body=[])
        engine.answers["POST", "/containers/x/stop"] = Answer(204)
        engine.answers["DELETE", "/containers/x"] = Answer(204)
        created = Answer(201, {"Id": "a" * 64, "Warnings": []})
        engine.answers["POST", "/containers/create"] = created
        engine.answers["POST", f"/containers/{'a' * 64}/start"] = Answer(204)
        yield engine


def modules(program: str, engine: FakeEngine) -> set[str]:
    environ = {"PATH": os.environ["PATH"], "DOCKER_HOST": engine.host, "HOME": "/nonexistent"}
    result = subprocess.run(
        [sys.executable, "-IS", "-c", program],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return set(result.stderr.split())


@pytest.mark.parametrize(
    "words",
    [["ps"], ["stop", "x"], ["rm", "-f", "x"], ["run", "-d", "--rm", "busybox:1.36", "true"]],
    ids=" ".join,
)
def test_a_command_starts_without_what_it_does_not_need(
    engine: FakeEngine, words: list[str]
) -> None:
    source = str(Path(knarr.__file__).parent.parent)
    loaded = modules(_RUN.format(source=source, words=words), engine)
    bare = modules("import os, io\n" + _SHOW, engine)
    foreign = {
        name
        for name in loaded - bare - ALLOWED
        if name.partition(".")[0] not in ("knarr", "encodings")
    }
    # os.path.expanduser and the decoding of JSON load these in some builds of Python.
    assert foreign <= {"pwd"}, "imported at the start of a command"


def test_compose_up_with_nothing_to_do_imports_nothing_that_does_something() -> None:
    needless = {
        "knarr.compose.apply", "knarr.compose.rollout", "knarr.cli.compose.foreground",
        "knarr.cli.building.context", "concurrent.futures", "tarfile",
    }  # fmt: skip
    code = "import sys, knarr.cli.commands.compose.up as _; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert needless & set(done.stdout.split()) == set()


def test_a_build_of_a_folder_that_the_engine_reads_itself_imports_no_archives() -> None:
    code = (
        "import sys; from knarr.cli.building.context import Extras, Source\n"
        "b''.join(Source(folder='/').beside(Extras())); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"tarfile", "shutil", "lzma"} & set(done.stdout.split()) == set()


def test_what_carries_a_plan_out_imports_no_archives() -> None:
    code = "import sys, knarr.compose.apply as _; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"tarfile", "shutil", "lzma", "knarr.cli.credentials"} & set(
        done.stdout.split()
    ) == set()


# These read names as the engine does, logins, moments and tars: what they do takes longer anyway.
_NEEDS_MORE = {
    "build", "commit", "cp", "events", "export", "login", "logout", "pull", "push", "save",
    "search", "tag",
}  # fmt: skip


def _commands() -> list[str]:
    folder = Path(knarr.__file__).parent / "cli" / "commands"
    kinds = ("container", "image", "network", "volume", "system")
    return sorted(
        f"knarr.cli.commands.{kind}.{file.stem}"
        for kind in kinds
        for file in (folder / kind).glob("[a-z]*.py")
        if file.stem not in _NEEDS_MORE
    )


def test_everyday_commands_import_nothing_that_takes_longer_than_they_do() -> None:
    """``typing`` and ``re`` take 5 to 9 ms each: lean.py has what annotations need of it."""
    code = "import sys\nfor name in {names!r}:\n    __import__(name)\nprint(*sys.modules)"
    source = str(Path(knarr.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-IS", "-c",
         f"import sys; sys.path.insert(0, {source!r})\n" + code.format(names=_commands())],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    slow = {"typing", "re", "dataclasses", "json", "enum", "inspect", "subprocess", "threading"}
    assert slow & set(done.stdout.split()) == set()


def test_a_template_costs_no_more_than_the_expressions_it_is_read_with() -> None:
    code = "import sys, knarr.cli.formatted, knarr.cli.templated; print(*sys.modules)"
    source = str(Path(knarr.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-IS", "-c", f"import sys; sys.path.insert(0, {source!r}); {code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.split())
    assert "knarr.template" in loaded
    assert {"typing", "json", "contextlib", "dataclasses"} & loaded == set()
