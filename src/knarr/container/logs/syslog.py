"""Lines as syslog messages: whom they go to, and how they are written. Nothing is sent here.

Source: RFC 3164, RFC 5424, RFC 5425; Docker's page "Syslog logging driver".
"""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from knarr.errors import InvalidArgument
from knarr.runtime.log import STDERR

FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
)  # by number  # fmt: skip
LOCAL_SOCKETS: Final = ("/dev/log", "/var/run/syslog", "/var/run/log")
TLS: Final = "tcp+tls"
_SCHEMES: Final = ("unix", "unixgram", "tcp", "udp", TLS)
_FORMATS: Final = ("", "rfc3164", "rfc5424", "rfc5424micro")
_PORT: Final = 514
_ERROR, _INFO = 3, 6
_DAEMON: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """scheme: unix, unixgram, tcp, udp or tcp+tls; empty for whatever is at LOCAL_SOCKETS."""

    scheme: str = ""
    path: str = ""
    host: str = ""
    port: int = _PORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files in PEM; empty ones are not used."""

    authorities: str = ""
    certificate: str = ""
    key: str = ""
    verifies: bool = True


def check_syslog(options: Mapping[str, str]) -> None:
    """Raises InvalidArgument in Docker's words."""
    given = address(options)
    if given.path and not os.path.exists(given.path):
        raise InvalidArgument(f"stat {given.path}: no such file or directory")
    facility(options)
    if options.get("syslog-format", "") not in _FORMATS:
        raise InvalidArgument("Invalid syslog format")
    if options.get("syslog-tls-skip-verify", "true") not in ("true", "false"):
        raise InvalidArgument("syslog-tls-skip-verify is true or false")


def address(options: Mapping[str, str]) -> Address:
    text = options.get("syslog-address", "")
    if not text:
        return Address()
    url = urlsplit(text)
    if url.scheme not in _SCHEMES or "://" not in text:
        raise InvalidArgument(f"syslog-address should be in form proto://address, got {text}")
    if url.scheme.startswith("unix"):
        return Address(scheme=url.scheme, path=url.path)
    return Address(scheme=url.scheme, host=url.hostname or "localhost", port=_port(url, text))


def _port(url: SplitResult, text: str) -> int:
    try:
        return url.port or _PORT
    except ValueError as error:
        raise InvalidArgument(
            f'parse "{text}": invalid port ":{url.netloc.rpartition(":")[2]}" after host'
        ) from error


def tls(options: Mapping[str, str]) -> Tls:
    return Tls(
        authorities=options.get("syslog-tls-ca-cert", ""),
        certificate=options.get("syslog-tls-cert", ""),
        key=options.get("syslog-tls-key", ""),
        verifies=options.get("syslog-tls-skip-verify", "false") != "true",
    )


def facility(options: Mapping[str, str]) -> int:
    """Its number, ``daemon`` unless another was asked for by name or number."""
    text = options.get("syslog-facility", "")
    if not text:
        return _DAEMON
    if text in FACILITIES:
        return FACILITIES.index(text)
    if text.isascii() and text.isdecimal() and int(text) < len(FACILITIES):
        return int(text)
    raise InvalidArgument("invalid syslog facility")


class SyslogForm:
    """Writes the messages of one container.

    counted: each message begins with its length (RFC 5425), which TLS with RFC 5424 asks for;
        others end with a newline.
    """

    def __init__(self, options: Mapping[str, str], *, tag: str, hostname: str) -> None:
        self._format = options.get("syslog-format", "")
        self._facility = facility(options)
        self._tag, self._hostname = tag, hostname
        self._process = os.getpid()
        self._counted = (
            address(options).scheme == TLS and self._format.startswith("rfc5424")
        )  # fmt: skip

    def message(self, stream: int, time_ns: int, line: bytes) -> bytes:
        """``line`` is without its newline."""
        priority = self._facility * 8 + (_ERROR if stream == STDERR else _INFO)
        text = f"<{priority}>{self._head(time_ns)}".encode() + line + b"\n"
        return b"%d %b" % (len(text), text) if self._counted else text

    def _head(self, time_ns: int) -> str:
        local = time.localtime(time_ns // 1_000_000_000)
        if self._format.startswith("rfc5424"):
            fraction = f".{time_ns // 1000 % 1_000_000:06}" if self._format.endswith("o") else ""
            moment = time.strftime("%Y-%m-%dT%H:%M:%S", local) + fraction + _offset(local)
            return f"1 {moment} {self._hostname} {self._tag} {self._process} {self._tag} - "
        moment = f"{time.strftime('%b', local)} {local.tm_mday:2} {time.strftime('%T', local)}"
        host = f"{self._hostname} " if self._format else ""
        return f"{moment} {host}{self._tag}[{self._process}]: "


def _offset(local: time.struct_time) -> str:
    """``Z``, ``+02:00``"""
    return "Z" if not local.tm_gmtoff else re.sub(r"(\d\d)$", r":\1", time.strftime("%z", local))
