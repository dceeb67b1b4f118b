"""The environment that a container's process starts with."""

from collections.abc import Iterable, Sequence
from typing import Final

from knarr.errors import InvalidArgument

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def check_environment(env: Iterable[str]) -> None:
    """Raises InvalidArgument for an entry without a name."""
    for entry in env:
        if not entry.partition("=")[0]:
            raise InvalidArgument(f"invalid environment variable: {entry}")


def overridden(defaults: Iterable[str], overrides: Iterable[str]) -> tuple[str, ...]:
    """``defaults``, each replaced in its place where it is given again; the rest follows.

    An override without ``=`` takes the variable away.
    """
    values = {entry.partition("=")[0]: entry for entry in defaults}
    for entry in overrides:
        name, equals, _ = entry.partition("=")
        if equals:
            values[name] = entry
        elif name in values:
            del values[name]
    return tuple(values.values())


def environment(
    env: Sequence[str], *, hostname: str, home: str, tty: bool, links: Sequence[str] = ()
) -> tuple[str, ...]:
    """PATH, HOSTNAME, with a terminal TERM, then what links and the configuration say, then HOME.

    home: of the user in the container; used only where ``env`` does not say another.
    """
    defaults = [f"PATH={PATH}", f"HOSTNAME={hostname}"]
    if tty:
        defaults.append("TERM=xterm")
    given = overridden((*defaults, *links), env)
    if any(entry.startswith("HOME=") for entry in given):
        return given
    return (*given, f"HOME={home}")
