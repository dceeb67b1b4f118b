import pytest

from knarr.container.environment import PATH, check_environment, environment, overridden
from knarr.errors import InvalidArgument


def test_defaults_come_first_and_home_last() -> None:
    assert environment(("A=1",), hostname="h", home="/root", tty=True) == (
        f"PATH={PATH}",
        "HOSTNAME=h",
        "TERM=xterm",
        "A=1",
        "HOME=/root",
    )


def test_what_is_given_again_keeps_its_place() -> None:
    env = ("A=1", "PATH=/bin", "HOME=/data", "TERM=dumb")
    assert environment(env, hostname="h", home="/root", tty=True) == (
        "PATH=/bin",
        "HOSTNAME=h",
        "TERM=dumb",
        "A=1",
        "HOME=/data",
    )


def test_a_name_alone_takes_the_variable_away() -> None:
    assert overridden(("A=1", "B=2"), ("A", "C", "B=3")) == ("B=3",)


def test_links_can_be_overridden() -> None:
    env = environment(("DB_NAME=mine",), hostname="h", home="/", tty=False, links=("DB_NAME=/db",))
    assert "DB_NAME=mine" in env
    assert "DB_NAME=/db" not in env


@pytest.mark.parametrize("entry", ["", "=value"])
def test_a_variable_needs_a_name(entry: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid environment variable: "):
        check_environment([entry])
