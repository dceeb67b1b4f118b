"""``RUN --mount=``: from its text to a value, each key checked against the mount's type.

Source: Dockerfile reference, "RUN --mount".
"""

import csv
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Self

from knarr.build.ops import (
    BindMount,
    CacheMount,
    Mount,
    SecretMount,
    Sharing,
    SshMount,
    TmpfsMount,
)
from knarr.dockerfile.source import suggestion
from knarr.errors import InvalidArgument
from knarr.units import size_bytes

_TYPES: Final = ("bind", "cache", "tmpfs", "secret", "ssh")
_OWNED: Final = frozenset({"cache", "secret", "ssh"})
_SYNONYMS: Final = {
    "src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite",
}  # fmt: skip
_FLAGS: Final = frozenset({"readonly", "readwrite", "required"})  # may stand without a value
_KEYS: Final = frozenset(
    {"type", "from", "source", "target", "readonly", "readwrite", "id", "sharing", "required",
     "size", "mode", "uid", "gid", "env"}
)  # fmt: skip
_TRUE: Final = frozenset({"1", "t", "true"})
_FALSE: Final = frozenset({"0", "f", "false"})
_BITS_32: Final = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class MountOptions:
    """A mount as it is written, before it is known which vertex ``origin`` means.

    Numbers are None and texts empty where nothing is said.
    """

    type: str = "bind"
    origin: str = ""  # from=
    source: str = ""
    target: str = ""
    read_only: bool | None = None
    id: str = ""
    sharing: Sharing | None = None
    required: bool = False
    size_bytes: int = 0
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    env: str = ""

    @classmethod
    def parse(cls, text: str, expand: Callable[[str], str]) -> Self:
        """The mount that ``text`` says. Raises InvalidArgument in BuildKit's words."""
        options = cls()
        for field in _fields(text):
            key, equals, value = field.partition("=")
            options = options._with(field, key.lower(), value if equals else None, expand)
        options._validate()
        return options

    def _with(
        self, field: str, written: str, value: str | None, expand: Callable[[str], str]
    ) -> Self:
        key = _SYNONYMS.get(written, written)
        if key not in _KEYS:
            hint = suggestion(written, (*_KEYS, *_SYNONYMS))
            raise InvalidArgument(f"unexpected key '{written}' in '{field}'{hint}")
        if value is None and key not in _FLAGS:
            raise InvalidArgument(f"invalid field '{field}' must be a key=value pair")
        if key == "from" and value and re.search(r"\$.", value):
            raise InvalidArgument(
                "'from' doesn't support variable expansion, define alias stage instead"
            )
        return self._set(key, written, expand(value) if value is not None else "true")

    def _set(self, key: str, written: str, value: str) -> Self:
        match key:
            case "type":
                return replace(self, type=_one_of("mount type", value, _TYPES))
            case "from":
                return replace(self, origin=value)
            case "source" | "target" | "id" | "env":
                return self._text(key, value)
            case "readonly":
                return replace(self, read_only=_boolean(written, value))
            case "readwrite":
                return replace(self, read_only=not _boolean(written, value))
            case "required":
                self._only_for(key, "secret", "ssh")
                return replace(self, required=_boolean(written, value))
            case "size":
                self._only_for(key, "tmpfs")
                return replace(self, size_bytes=_size(value))
            case "sharing":
                return replace(self, sharing=Sharing(_one_of("sharing value", value, Sharing)))
            case "mode":
                return replace(self, mode=_number(key, value, base=8))
            case "uid":
                return replace(self, uid=_number(key, value))
            case _:
                return replace(self, gid=_number(key, value))

    def _text(self, key: str, value: str) -> Self:
        match key:
            case "source":
                return replace(self, source=value)
            case "target":
                return replace(self, target=value)
            case "id":
                return replace(self, id=value)
        self._only_for(key, "secret")
        return replace(self, env=value)

    def _only_for(self, key: str, *types: str) -> None:
        if self.type not in types:
            raise InvalidArgument(f"unexpected key '{key}' for mount type '{self.type}'")

    def _validate(self) -> None:
        for name, value in (("mode", self.mode), ("uid", self.uid), ("gid", self.gid)):
            if value is not None and self.type not in _OWNED:
                raise InvalidArgument(f'{name} not allowed for "{self.type}" type mounts')
        if self.sharing and self.type != "cache":
            raise InvalidArgument(f"invalid cache sharing set for {self.type} mount")
        if self.type in {"bind", "cache", "tmpfs"} and not self.target:
            raise InvalidArgument("mount target is required")
        if self.type == "secret":
            self._validate_secret()

    def _validate_secret(self) -> None:
        if self.origin:
            raise InvalidArgument("secret mount should not have a from")
        if not (self.source or self.target or self.id):
            raise InvalidArgument("invalid secret mount. one of source, target required")
        if self.source and self.id:
            raise InvalidArgument("both source and id can't be set")

    def mount(self, cwd: str, *, input_index: int, number: int, namespace: str) -> Mount:
        """The mount of the operation.

        cwd: what a relative target counts from.
        input_index: which input of the operation the origin became, 0 for none.
        number: how many SSH mounts came before this one.
        namespace: put in front of a cache's id.
        """
        target = posixpath.normpath(posixpath.join("/", cwd, self.target)) if self.target else ""
        if self.type in {"bind", "cache", "tmpfs"} and target == "/":
            raise InvalidArgument(f'invalid mount target "{self.target}"')
        source = posixpath.normpath(posixpath.join("/", self.source))
        match self.type:
            case "bind":
                return BindMount(
                    target=target,
                    input=input_index,
                    source=source,
                    read_only=self.read_only is not False,
                )
            case "cache":
                return CacheMount(
                    target=target,
                    id=f"{namespace}/{self.id or target}" if namespace else self.id or target,
                    sharing=self.sharing or Sharing.SHARED,
                    input=input_index,
                    source=source,
                    read_only=bool(self.read_only),
                    mode=0o755 if self.mode is None else self.mode,
                    uid=self.uid or 0,
                    gid=self.gid or 0,
                )
            case "tmpfs":
                return TmpfsMount(target=target, size_bytes=self.size_bytes)
            case "secret":
                return self._secret(target)
        return SshMount(
            target=target or f"/run/buildkit/ssh_agent.{number}",
            id=self.id or "default",
            required=self.required,
            mode=0o600 if self.mode is None else self.mode,
            uid=self.uid or 0,
            gid=self.gid or 0,
        )

    def _secret(self, target: str) -> SecretMount:
        identifier = self.id or self.source or posixpath.basename(self.target)
        if not target and not self.env:
            target = f"/run/secrets/{posixpath.basename(identifier)}"
        return SecretMount(
            id=identifier,
            target=target,
            env=self.env,
            required=self.required,
            mode=0o400 if self.mode is None else self.mode,
            uid=self.uid or 0,
            gid=self.gid or 0,
        )


def _fields(text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise InvalidArgument(f"failed to parse csv mounts: {error}") from error


def _one_of(what: str, value: str, known: Iterable[str]) -> str:
    names = [str(each) for each in known]
    if value.lower() not in names:
        raise InvalidArgument(f'unsupported {what} "{value}"{suggestion(value, names)}')
    return value.lower()


def _boolean(key: str, value: str) -> bool:
    if value.lower() not in _TRUE | _FALSE:
        raise InvalidArgument(f"invalid value for {key}: {value}")
    return value.lower() in _TRUE


def _size(value: str) -> int:
    try:
        return size_bytes(value)
    except InvalidArgument as error:
        raise InvalidArgument(f"invalid value for size: {value}") from error


def _number(key: str, value: str, base: int = 10) -> int:
    try:
        number = int(value, base)
    except ValueError as error:
        raise InvalidArgument(f"invalid value {value} for {key}") from error
    if not 0 <= number < _BITS_32:
        raise InvalidArgument(f"invalid value {value} for {key}")
    return number
