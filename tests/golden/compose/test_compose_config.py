"""Compose files and what they resolve to: ``config`` in YAML and in JSON, and what is refused.

A case is a folder: its files, ``command`` with flags if there are any, ``expected.yaml`` and
``expected.json``, ``expected.hash``, all three as Compose 2.40.3 prints them; in ``negative/`` the
complaint. The folder counts as ``/project``.
"""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from knarr.compose.config import config_text
from knarr.compose.discovery import ProjectOptions, find
from knarr.compose.files import Texts
from knarr.compose.loader import load
from knarr.compose.rendering import service_hash
from knarr.compose.shape import Form
from knarr.errors import KnarrError

HERE = Path(__file__).parent
ENVIRONMENT = {"X": "1", "EMPTY": "", "TAG": "v2", "HOME": "/home/user"}
EXPECTED = {"command", "expected", "expected.yaml", "expected.json", "expected.hash"}
CASES = sorted(path.parent for path in HERE.glob("*/expected.yaml"))
NEGATIVE = sorted(path.parent for path in HERE.glob("negative/*/expected"))


def files_of(case: Path) -> Texts:
    texts = {
        f"/project/{path.relative_to(case)}": path.read_text(encoding="utf-8-sig")
        for path in case.rglob("*")
        if path.is_file() and path.name not in EXPECTED
    }
    return Texts(texts)


def command_of(case: Path) -> tuple[ProjectOptions, list[str]]:
    """The flags of a case, and the services it names."""
    path = case / "command"
    words = shlex.split(path.read_text()) if path.exists() else []
    if words[:1] == ["SERVICES"]:
        return ProjectOptions(), words[1:]
    flags: dict[str, list[str]] = {}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        flags.setdefault(flag, []).append(value)
    options = ProjectOptions(
        files=tuple(flags.get("-f", [])),
        name="".join(flags.get("-p", [])),
        profiles=tuple(flags.get("--profile", [])),
        env_files=tuple(flags.get("--env-file", [])),
        directory="".join(flags.get("--project-directory", [])),
    )
    return options, []


def resolved(case: Path, form: Form) -> str:
    options, services = command_of(case)
    return config_text(
        options,
        services,
        form,
        environment=ENVIRONMENT,
        here="/project",
        files=files_of(case),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("form", list(Form), ids=lambda form: form.value)
def test_a_project_resolves_to(case: Path, form: Form) -> None:
    assert resolved(case, form) == (case / f"expected.{form.value}").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_hash_of_a_service_is_composes_own(case: Path) -> None:
    """So that a project that one of the two has started is not created anew by the other."""
    options, _ = command_of(case)
    files = files_of(case)
    request = find(options, ENVIRONMENT, "/project", files).request
    project = load(replace(request, resolve_environment=False), files)
    hashes = [f"{name} {service_hash(each)}\n" for name, each in sorted(project.services.items())]
    assert "".join(hashes) == (case / "expected.hash").read_text()


@pytest.mark.parametrize("case", NEGATIVE, ids=lambda case: case.name)
def test_a_project_is_refused(case: Path) -> None:
    with pytest.raises(KnarrError) as caught:
        resolved(case, Form.YAML)
    assert str(caught.value) == (case / "expected").read_text().removesuffix("\n")


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 90
    assert len(NEGATIVE) >= 90
