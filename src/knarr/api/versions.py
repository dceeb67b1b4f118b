"""The versions of the Engine API that knarr speaks.

It understands one more than it announces: docs/decisions/api-1.52.md says why.
"""

from typing import Final

from knarr.errors import InvalidArgument

ApiVersion = tuple[int, int]
MINIMUM: Final[ApiVersion] = (1, 24)
ANNOUNCED: Final[ApiVersion] = (1, 51)
MAXIMUM: Final[ApiVersion] = (1, 52)


def text(version: ApiVersion) -> str:
    return f"{version[0]}.{version[1]}"


def checked_version(asked: str) -> ApiVersion:
    """The version in a path's prefix. Raises InvalidArgument, in Docker's words, out of range."""
    major, _, minor = asked.partition(".")
    version = (int(major), int(minor))
    if version < MINIMUM:
        raise InvalidArgument(
            f"client version {asked} is too old. Minimum supported API version is "
            f"{text(MINIMUM)}, please upgrade your client to a newer version"
        )
    if version > MAXIMUM:
        raise InvalidArgument(
            f"client version {asked} is too new. Maximum supported API version is {text(MAXIMUM)}"
        )
    return version
