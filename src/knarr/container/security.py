"""``--security-opt``: what each says, together.

Source: Engine API, HostConfig.SecurityOpt; docker run reference, "Security configuration".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from knarr.errors import InvalidArgument

UNCONFINED: Final = "unconfined"
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityOptions:
    """``seccomp`` is a profile's JSON, ``unconfined``, ``builtin``, or empty for the default."""

    no_new_privileges: bool = False
    seccomp: str = ""
    apparmor: str = ""
    writable_cgroups: bool | None = None
    labels: tuple[str, ...] = ()


def security_options(options: Iterable[str]) -> SecurityOptions:
    """Raises InvalidArgument in Docker's words. SELinux labels are kept, and have no effect."""
    parsed = SecurityOptions()
    for option in options:
        parsed = _with(parsed, option)
    return parsed


def _with(parsed: SecurityOptions, option: str) -> SecurityOptions:
    if option == "disable":
        return replace(parsed, labels=(*parsed.labels, "disable"))
    separator = "=" if "=" in option else ":"  # a colon is how it was written before 1.11
    name, separated, value = option.partition(separator)
    if not separated and name not in ("no-new-privileges", "writable-cgroups"):
        raise InvalidArgument(f'invalid --security-opt 1: "{option}"')
    match name:
        case "label":
            return replace(parsed, labels=(*parsed.labels, value))
        case "apparmor":
            return replace(parsed, apparmor=value)
        case "seccomp":
            return replace(parsed, seccomp=value)
        case "no-new-privileges":
            return replace(parsed, no_new_privileges=_switch(value, separated, option))
        case "writable-cgroups":
            return replace(parsed, writable_cgroups=_switch(value, separated, option))
        case _:
            raise InvalidArgument(f'invalid --security-opt 2: "{option}"')


def _switch(value: str, separated: str, option: str) -> bool:
    if not separated or value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise InvalidArgument(f'invalid --security-opt 2: "{option}"')
