"""Which files are loaded, under which name, with which variables."""

import pytest

from knarr.compose.discovery import ProjectOptions, find
from knarr.compose.files import Texts
from knarr.errors import NotFound


def files(*names: str, **texts: str) -> Texts:
    return Texts({**dict.fromkeys(names, ""), **{f"/{k}/.env": v for k, v in texts.items()}})


def test_the_first_known_name_wins_and_a_directory_above_will_do() -> None:
    warnings: list[str] = []
    disk = files("/p/compose.yml", "/p/docker-compose.yml", "/p/compose.override.yaml")
    found = find(ProjectOptions(), {}, "/p/deep/down", disk, warnings.append)
    assert found.request.files == ("/p/compose.yml", "/p/compose.override.yaml")
    assert found.request.directory == "/p"
    assert found.request.default_name == "p"
    assert warnings == [
        "Found multiple config files with supported names: /p/compose.yml, /p/docker-compose.yml",
        "Using /p/compose.yml",
    ]


def test_no_file_is_no_error_yet() -> None:
    assert find(ProjectOptions(), {}, "/p", files()).request.files == ()


def test_flags_come_before_variables() -> None:
    disk = files("/p/a.yaml", "/p/b.yaml", "/p/one.env")
    environment = {
        "COMPOSE_FILE": "b.yaml",
        "COMPOSE_PROJECT_NAME": "v",
        "COMPOSE_PROFILES": "x, y",
    }
    by_variable = find(ProjectOptions(), environment, "/p", disk).request
    assert (by_variable.files, by_variable.name) == (("/p/b.yaml",), "v")
    assert by_variable.profiles == ("x", "y")
    options = ProjectOptions(files=("a.yaml", "-"), name="f", profiles=("z",))
    by_flag = find(options, environment, "/p", disk).request
    assert (by_flag.files, by_flag.name) == (("/p/a.yaml", "-"), "f")
    assert by_flag.profiles == ("z",)


def test_the_environment_comes_before_env_files() -> None:
    disk = files("/p/compose.yaml", p="A=file\nB=$A\nCOMPOSE_PROJECT_NAME=named")
    request = find(ProjectOptions(), {"A": "shell"}, "/p", disk).request
    assert request.environment["A"] == "shell"
    assert request.environment["B"] == "shell"
    assert request.name == "named"


def test_the_default_env_file_can_be_switched_off() -> None:
    disk = files("/p/compose.yaml", p="A=file")
    assert (
        "A"
        not in find(
            ProjectOptions(), {"COMPOSE_DISABLE_ENV_FILE": "1"}, "/p", disk
        ).request.environment
    )


def test_env_files_of_the_variable_are_as_good_as_the_flag() -> None:
    disk = Texts({"/p/compose.yaml": "", "/p/x.env": "A=x", "/p/.env": "B=default"})
    found = find(ProjectOptions(), {"COMPOSE_ENV_FILES": "x.env"}, "/p", disk)
    assert found.request.environment["A"] == "x"
    assert "B" not in found.request.environment
    assert found.env_files == ("x.env",)


def test_a_missing_env_file_is_told() -> None:
    with pytest.raises(NotFound, match=r"env file: /p/nope\.env"):
        find(ProjectOptions(env_files=("nope.env",)), {}, "/p", files("/p/compose.yaml"))


def test_compatibility_joins_names_with_underscores() -> None:
    disk = files("/p/compose.yaml")
    assert find(ProjectOptions(), {}, "/p", disk).separator == "-"
    assert find(ProjectOptions(compatibility=True), {}, "/p", disk).separator == "_"
    assert find(ProjectOptions(), {"COMPOSE_COMPATIBILITY": "true"}, "/p", disk).separator == "_"
