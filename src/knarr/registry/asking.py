"""One question to a registry and its mirrors: who answers, and what it means when nobody can.

A mirror that does not have the thing, or does not answer, is no failure: the registry itself is
asked next. Where that cannot be reached, a mirror's "there is no such thing" is the best knowledge
there is.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from knarr.errors import KnarrError, NotFound, Unavailable
from knarr.reference import Reference
from knarr.registry.client import RegistryClient
from knarr.registry.failures import Refused, pull_refused

T = TypeVar("T")


def first_answer(
    clients: Sequence[RegistryClient], reference: Reference, question: Callable[[RegistryClient], T]
) -> tuple[T, int]:
    """The first answer, and the place of the client that gave it; the registry is the last client.

    Raises NotFound, Unauthorized, Forbidden, Unavailable in the words that Docker's clients know.
    """
    unknown: NotFound | None = None
    for place, client in enumerate(clients):
        try:
            return translated(reference, lambda: question(client)), place  # noqa: B023
        except NotFound as error:
            if place == len(clients) - 1:
                raise
            unknown = unknown or error
        except Unavailable as error:
            if place < len(clients) - 1:
                continue
            if unknown is None:
                raise
            raise NotFound(f"{unknown} (of a mirror; {error})") from error
        except KnarrError:
            if place == len(clients) - 1:
                raise
    raise Unavailable(f"nobody can be asked about {reference.familiar}")


def translated(reference: Reference, question: Callable[[], T]) -> T:
    """A registry's refusal in the words that clients of Docker know."""
    try:
        return question()
    except Refused as error:
        known = pull_refused(reference.familiar, reference.familiar_name, error.refusal)
        raise known or error.meaning() from error
