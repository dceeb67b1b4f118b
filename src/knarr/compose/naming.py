"""Names of projects, and of what belongs to them."""

import re
from typing import Final

from knarr.errors import InvalidArgument

_NOT_ALLOWED: Final = re.compile(r"[^a-z0-9_-]")


def normal_name(text: str) -> str:
    """A project's name made of any text: lower case, and nothing else than letters, digits, - _."""
    return _NOT_ALLOWED.sub("", text.lower()).lstrip("_-")


def refuse_bad_name(name: str) -> None:
    """Raises InvalidArgument, in Compose's words, for a name that would have to be changed."""
    if normal_name(name) != name:
        raise InvalidArgument(
            f'invalid project name "{name}": must consist only of lowercase alphanumeric '
            "characters, hyphens, and underscores as well as start with a letter or number"
        )
