"""Failures by meaning, and the one table from a meaning to an HTTP status and back.

The command line imports this first: nothing here may need ``typing`` at run time (8 ms).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class KnarrError(Exception):
    """Something went wrong that a person should read about; the text is the whole sentence."""

    answered: int | None = None  # the HTTP status, when it was an engine on the wire that said so


class NotModified(KnarrError):
    """What was asked for is already so: a running container started again."""


class InvalidArgument(KnarrError):
    """The request itself is wrong; the same request will never succeed."""


class Unauthorized(KnarrError):
    """Credentials are missing or were refused."""


class Forbidden(KnarrError):
    """The request is understood, and not allowed."""


class NotFound(KnarrError):
    """No such object."""


class Conflict(KnarrError):
    """The object's present state stands against it: a name in use, a running container removed."""


class Unsupported(KnarrError):
    """knarr does not do this (yet), or this machine cannot."""


class Unavailable(KnarrError):
    """Not now: a registry, a mirror or a helper process does not answer."""


HTTP_STATUS: Final[dict[type[KnarrError], int]] = {
    NotModified: 304, InvalidArgument: 400, Unauthorized: 401, Forbidden: 403,
    NotFound: 404, Conflict: 409, KnarrError: 500, Unsupported: 501, Unavailable: 503,
}  # fmt: skip
_MEANING: Final = {status: kind for kind, status in HTTP_STATUS.items()}


def status_of(error: KnarrError) -> int:
    """The status of the nearest ancestor in the table; a new subclass needs no row."""
    return next(HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS)


def error_of(status: int, message: str) -> KnarrError:
    """The inverse, for the client: a command catches the class the engine raised."""
    error = _MEANING.get(status, KnarrError)(message)
    error.answered = status
    return error
