"""Passwords and tokens: who a caller is.

Passwords are in an htpasswd file, hashed by bcrypt (``htpasswd -B``) or another of crypt(5)'s
strong methods; they are checked by the system's libcrypt. Tokens are the registry's own: a claim
and its HMAC, good for some minutes, opaque to clients.
"""

import base64
import binascii
import ctypes
import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from knarr.errors import InvalidArgument, Unsupported
from knarr.registry.challenge import Scope, parse_scopes

_STRONG: Final = ("$2y$", "$2a$", "$2b$", "$5$", "$6$", "$7$", "$y$", "$gy$")
_LIBRARIES: Final = ("libcrypt.so.1", "libcrypt.so.2", "libcrypt.so")
_DATA_BYTES: Final = 1 << 17  # more than struct crypt_data of any libcrypt
_REMEMBERED: Final = 256  # logins whose slow check need not be made again
_NOBODY_HASH: Final = "$2b$10$abcdefghijklmnopqrstuu"  # a setting without a password


class HtpasswdFile:
    """Users and their hashed passwords; read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidArgument when the file cannot be read or keeps weak hashes."""
        self._path = path
        self._salt = os.urandom(16)
        self._right: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] = (0, 0)
        self._hashes: Mapping[str, str] = {}
        self._reload()

    def knows(self, username: str, password: str) -> bool:
        """Slow on purpose (some 50 ms) for a login not seen before: call it from a thread."""
        self._reload()
        hashed = self._hashes.get(username)
        seen = hashlib.sha256(self._salt + password.encode() + (hashed or "").encode()).digest()
        with self._lock:
            if hmac.compare_digest(self._right.get(username, b""), seen):
                return True
        # Who does not exist takes as long as who does: time tells nothing.
        made = _crypted(password, hashed or _NOBODY_HASH)
        right = hashed is not None and made == hashed
        if right:
            with self._lock:
                if len(self._right) >= _REMEMBERED:
                    self._right.clear()
                self._right[username] = seen
        return right

    def fingerprint(self, username: str) -> str:
        """Changes with the user's password; of nobody it is nothing."""
        self._reload()
        hashed = self._hashes.get(username)
        return hashlib.sha256(hashed.encode()).hexdigest()[:16] if hashed else ""

    def _reload(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            text = self._path.read_text()
        except OSError as error:
            raise InvalidArgument(f"cannot read {self._path}: {error.strerror}") from error
        self._hashes, self._stamp = parse_htpasswd(text), stamp


def parse_htpasswd(text: str) -> dict[str, str]:
    """Hashes by user. Raises InvalidArgument with the number of a line that is none."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        user, colon, hashed = line.partition(":")
        if not (user and colon):
            raise InvalidArgument(f"htpasswd line {number}: not user:hash")
        if not hashed.startswith(_STRONG):
            raise InvalidArgument(
                f"htpasswd line {number}: the password of {user} is not hashed by bcrypt; make the"
                " line anew with: htpasswd -nB " + user
            )
        found[user] = hashed
    return found


@cache
def _crypt_r() -> Callable[[bytes, bytes, ctypes.Array[ctypes.c_char]], bytes | None]:
    for name in _LIBRARIES:
        try:
            function = ctypes.CDLL(name, use_errno=True).crypt_r
        except (OSError, AttributeError):
            continue
        function.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p]
        function.restype = ctypes.c_char_p
        result: Callable[..., bytes | None] = function
        return result
    raise Unsupported("this machine has no libcrypt, which checks passwords: install libxcrypt")


def _crypted(password: str, setting: str) -> str | None:
    """crypt_r(3): the hash of a password made as ``setting`` was; None when it cannot be."""
    if "\0" in password:
        return None
    buffer = ctypes.create_string_buffer(_DATA_BYTES)
    hashed = _crypt_r()(password.encode(), setting.encode(), buffer)
    if hashed is None or hashed.startswith(b"*"):
        return None
    return hashed.decode("ascii")


def basic_login(header: str) -> tuple[str, str] | None:
    """User name and password of an ``Authorization: Basic`` header; None for any other."""
    scheme, _, packed = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(packed.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    username, colon, password = text.partition(":")
    return (username, password) if colon else None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says. ``until`` is in seconds since the epoch.

    kind: ``access`` to do something, ``identity`` to be traded for access.
    fingerprint: of the password at the time: an identity ends with it.
    """

    kind: str
    user: str
    scope: str = ""
    until: float
    fingerprint: str = ""

    @property
    def scopes(self) -> frozenset[Scope]:
        return parse_scopes(self.scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMaker:
    """Makes tokens and reads them again; nobody else can do either.

    secret: 32 random bytes, kept as long as identity tokens are to hold.
    """

    secret: bytes
    clock: Callable[[], float] = time.time

    def access(self, user: str, scopes: Iterable[Scope], life_s: float) -> str:
        words = " ".join(str(each) for each in scopes)
        return self._signed(
            Claim(kind="access", user=user, scope=words, until=self.clock() + life_s)
        )

    def identity(self, user: str, fingerprint: str, life_s: float) -> str:
        until = self.clock() + life_s
        return self._signed(Claim(kind="identity", user=user, until=until, fingerprint=fingerprint))

    def read(self, token: str, kind: str) -> Claim | None:
        """The claim, when it is of this kind, ours, and still good."""
        packed, _, signature = token.partition(".")
        if not hmac.compare_digest(self._signature(packed), signature.encode()):
            return None
        padded = packed + "=" * (-len(packed) % 4)
        claim = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Claim)
        return claim if claim.kind == kind and claim.until > self.clock() else None

    def _signed(self, claim: Claim) -> str:
        packed = base64.urlsafe_b64encode(msgspec.json.encode(claim)).decode().rstrip("=")
        return f"{packed}.{self._signature(packed).decode()}"

    def _signature(self, packed: str) -> bytes:
        digest = hmac.digest(self.secret, packed.encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=")
