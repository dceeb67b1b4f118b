"""Names of projects, and of what belongs to them."""

import re
from typing import Final

from knarr.compose.project import Service
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


def container_name(project: str, service: Service, number: int, separator: str = "-") -> str:
    """The service's own name for its container, else ``project-service-1``."""
    given = service.get("container_name")
    return str(given) if given else separator.join((project, service.name, str(number)))


def one_off_name(project: str, service: Service, slug: str, separator: str = "-") -> str:
    """The name of a container of ``run``; the slug is 64 hex digits."""
    given = service.get("container_name")
    return str(given) if given else separator.join((project, service.name, "run", slug[:12]))
