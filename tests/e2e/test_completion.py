"""The tab key in real shells: flags, commands, and the names that the engine has."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon
from support.terminal import on_terminal

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

# How each shell is started bare, and told of the completion.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(knarr completion bash)"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -Uz compinit; compinit -u -D; source <(knarr completion zsh)",
    ),
    "fish": (["fish", "--no-config", "-i"], "knarr completion fish | source"),
}

# Completes for real; every other command is written down instead of run.
_PROGRAM = """\
#!/bin/sh
case "$1" in
__complete | completion) exec {python} -m knarr "$@" ;;
*) echo "$@" >>{calls} ;;
esac
"""

Typed = Callable[[str], str]


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS])
def typed(request: pytest.FixtureRequest, daemon: Daemon, tmp_path: Path) -> Iterator[Typed]:
    """What ``knarr`` is called with when a line is typed, then the tab key, then return."""
    program, calls = tmp_path / "bin" / "knarr", tmp_path / "calls"
    program.parent.mkdir()
    program.write_text(_PROGRAM.format(python=sys.executable, calls=calls))
    program.chmod(0o755)
    calls.touch()
    search = f"{program.parent}:{os.environ['PATH']}"
    environ = {**daemon.environment, "PATH": search, "HOME": str(tmp_path), "TERM": "xterm"}
    argv, preparation = SHELLS[request.param]
    with on_terminal(argv, environ, columns=200) as shell:
        shell.type(f"{preparation}; knarr ready\n".encode())
        _wait_for(calls, "ready\n")

        def typed(line: str) -> str:
            shell.type(f"{line}\t\n".encode())
            return _wait_for(calls, "\n").strip()

        yield typed


def _wait_for(calls: Path, end: str) -> str:
    deadline = time.monotonic() + 20
    while not (told := calls.read_text()).endswith(end):
        assert time.monotonic() < deadline, told
        time.sleep(0.02)
    calls.write_text("")
    return told


@pytest.fixture
def name(daemon: Daemon) -> Iterator[str]:
    name = "completed-by-its-name"
    made = daemon.docker("run", "-d", "--name", name, "busybox", "sleep", "1000")
    assert made.returncode == 0, made.stderr
    yield name
    daemon.docker("rm", "-f", name)


def test_words_are_completed(typed: Typed) -> None:
    assert typed("knarr ps --no-t") == "ps --no-trunc"
    assert typed("knarr volu") == "volume"
    assert typed("knarr image in") == "image inspect"
    assert typed("knarr compose up --force-r") == "compose up --force-recreate"


def test_names_are_the_engines(typed: Typed, name: str) -> None:
    assert typed("knarr logs completed-b") == f"logs {name}"
    assert typed("knarr rm -f completed-b") == f"rm -f {name}"
    assert typed("knarr run --network hos") == "run --network host"
