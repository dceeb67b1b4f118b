"""A registry's refusals, as meanings with a sentence for a person.

Pure. The wording is Docker's where clients match on it.
Source: OCI distribution-spec, "Error Codes".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from knarr.errors import (
    Conflict,
    Forbidden,
    InvalidArgument,
    KnarrError,
    NotFound,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from knarr.registry.challenge import Challenge
from knarr.registry.origin import shown
from knarr.registry.retry import is_transient

_SHOWN_LIMIT: Final = 2000  # characters of a registry's text that go into a message
_WARNING: Final = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')
_MEANINGS: Final[dict[int, type[KnarrError]]] = {
    400: InvalidArgument, 401: Unauthorized, 403: Forbidden, 404: NotFound, 405: Unsupported,
    408: Unavailable, 409: Conflict, 429: Unavailable, 502: Unavailable, 503: Unavailable,
    504: Unavailable,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a registry answered instead: its status, its error codes, its words."""

    status: int
    codes: tuple[str, ...]
    text: str

    def has(self, *codes: str) -> bool:
        return any(code in self.codes for code in codes)


class Refused(KnarrError):
    """A registry said no. Who knows what was being attempted turns it into a meaning."""

    def __init__(self, method: str, url: str, refusal: Refusal, *, wait_s: float | None) -> None:
        """wait_s: how long the registry wants to be left in peace, where it says so."""
        reason = refusal.text or f"unexpected status {refusal.status}"
        super().__init__(f'{method.capitalize()} "{shown(url)}": {reason}')
        self.refusal = refusal
        self.wait_s = wait_s

    def meaning(self) -> KnarrError:
        """The error for a refusal that nobody treats in a special way."""
        if self.refusal.status == 429:
            return Unavailable(self.refusal.text or "toomanyrequests: too many requests")
        return _MEANINGS.get(self.refusal.status, KnarrError)(str(self))


def insufficient(refusal: Refusal, challenges: Iterable[Challenge]) -> Refusal:
    """A 401 to somebody who had a token, for want of rights: told apart as ``denied``.

    Registries say so in the challenge alone. Source: RFC 6750, 3.1.
    """
    if not any(each.parameters.get("error") == "insufficient_scope" for each in challenges):
        return refusal
    return Refusal(
        status=refusal.status,
        codes=("DENIED",),
        text="denied: requested access to the resource is denied",
    )


def may_pass(error: KnarrError) -> bool:
    """Whether the same request may well succeed a little later."""
    if isinstance(error, Refused):
        return is_transient(error.refusal.status)
    return isinstance(error, Unavailable)


def refusal_of(status: int, body: bytes) -> Refusal:
    """The registry's answer, read: ``{"errors": [...]}``, or whatever text it sent."""
    codes, texts = [], []
    for error in _errors(body):
        code, message = str(error.get("code", "")), str(error.get("message", ""))
        codes.append(code.upper())
        words = code.replace("_", " ").lower()
        texts.append(f"{words}: {message}" if words and message else words or message)
    text = "; ".join(texts) or _plain(body)
    return Refusal(status=status, codes=tuple(codes), text=_printable(text))


def _errors(body: bytes) -> list[dict[str, Any]]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return []
    return [each for each in errors if isinstance(each, dict)]


def _plain(body: bytes) -> str:
    text = body[:_SHOWN_LIMIT].decode("utf-8", "replace").strip()
    return "" if text.startswith(("<", "{")) else text


def _printable(text: str) -> str:
    """A registry's words end up on a terminal: no control characters, no endless text."""
    return "".join(each if each.isprintable() else " " for each in text[:_SHOWN_LIMIT])


def warning_of(line: str) -> str:
    """The text of a ``Warning`` header that is meant for people; empty for any other.

    Source: OCI distribution-spec, "Warnings".
    """
    match = _WARNING.fullmatch(line.strip())
    return _printable(re.sub(r"\\(.)", r"\1", match[1])) if match else ""


def pull_refused(familiar: str, familiar_name: str, refusal: Refusal) -> KnarrError | None:
    """Docker's sentences for a name that cannot be pulled; None for any other refusal."""
    if refusal.has("MANIFEST_UNKNOWN"):
        return NotFound(f"manifest for {familiar} not found: {refusal.text}")
    if refusal.has("NAME_UNKNOWN"):
        return NotFound(f"repository {familiar_name} not found: {refusal.text}")
    if refusal.has("DENIED"):
        return NotFound(
            f"pull access denied for {familiar_name}, repository does not exist or may require"
            f" 'docker login': {refusal.text}"
        )
    if refusal.status == 404:
        return NotFound(f"manifest for {familiar} not found: {refusal.text or 'manifest unknown'}")
    return None
