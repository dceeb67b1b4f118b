"""Image references: ``[HOST[:PORT]/]PATH[:TAG][@DIGEST]``, in their familiar and their full form.

Source: distribution/reference grammar; docker.io and library/ as Docker fills them in.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from knarr.errors import InvalidArgument
from knarr.ids import Digest, is_digest, other_algorithm

DEFAULT_DOMAIN: Final = "docker.io"
DEFAULT_TAG: Final = "latest"
_LEGACY_DOMAIN: Final = "index.docker.io"
_NAME_MAX: Final = 255

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL: Final = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name, whole: domain and path always, tag or digest or neither or both."""

    domain: str
    path: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The full form of what a person typed. Raises InvalidArgument in Docker's words."""
        if re.fullmatch(r"[a-f0-9]{64}", text):
            raise InvalidArgument(
                f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            )
        rest, at, digest = text.partition("@")
        if at and (algorithm := other_algorithm(digest)):
            raise InvalidArgument(
                f"invalid reference format: a {algorithm} digest, and only sha256 is supported"
            )
        if at and not is_digest(digest):
            raise InvalidArgument("invalid reference format")
        name, tag = _split_tag(rest)
        domain, path = _split_domain(name)
        if path != path.lower():
            raise InvalidArgument(
                f"invalid reference format: repository name ({path}) must be lowercase"
            )
        valid = (
            _DOMAIN.fullmatch(domain)
            and _PATH.fullmatch(path)
            and (tag is None or _TAG.fullmatch(tag))
        )
        if not valid:
            raise InvalidArgument("invalid reference format")
        if len(path) > _NAME_MAX:
            raise InvalidArgument("repository name must not be more than 255 characters")
        return cls(domain=domain, path=path, tag=tag or "", digest=Digest(digest) if at else None)

    def tagged(self) -> "Reference":
        """With ``latest`` where neither tag nor digest is given."""
        if self.tag or self.digest:
            return self
        return Reference(domain=self.domain, path=self.path, tag=DEFAULT_TAG)

    @property
    def name(self) -> str:
        """The full name without tag and digest: ``docker.io/library/debian``."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """The name as people write it: ``debian``, ``ghcr.io/owner/app``."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        return self.path.removeprefix("library/") if self.path.count("/") == 1 else self.path

    @property
    def familiar(self) -> str:
        return self.familiar_name + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.name + self._suffix


def _split_tag(text: str) -> tuple[str, str | None]:
    head, colon, tail = text.rpartition(":")
    return (head, tail) if colon and "/" not in tail else (text, None)


def _split_domain(name: str) -> tuple[str, str]:
    head, slash, tail = name.partition("/")
    looks_like_host = "." in head or ":" in head or head == "localhost" or head != head.lower()
    domain, path = (head, tail) if slash and looks_like_host else (DEFAULT_DOMAIN, name)
    if domain == _LEGACY_DOMAIN:
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = f"library/{path}"
    return domain, path
