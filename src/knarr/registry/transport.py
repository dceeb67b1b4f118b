"""HTTP to registries: connections, TLS by certs.d folders, proxies; blocking, for worker threads.

No redirect is followed and nothing is tried again here: both need judgement, which is the
client's. urllib3 and ssl are loaded by the first request, not by the import of this module: a
daemon that never pulls does not carry them.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from knarr import __version__
from knarr.errors import Forbidden, InvalidArgument, KnarrError, Unavailable
from knarr.registry.origin import Origin, is_private_to_machine, origin_of, shown

if TYPE_CHECKING:
    import ssl

    import urllib3

Source = bytes | Iterator[bytes]
"""A body: whole, or piece by piece (sent in chunks)."""

USER_AGENT: Final = f"knarr/{__version__}"
CERTIFICATE_FOLDERS: Final = (Path("/etc/docker/certs.d"), Path("/etc/knarr/certs.d"))
_CONNECT_S: Final = 10.0
_READ_S: Final = 60.0  # without a single byte
_DOCUMENT_S: Final = 120.0  # for the whole of a manifest, a token, an error
_CONNECTIONS: Final = 8  # kept open to one host


class NotTls(Unavailable):
    """The other end is there and does not speak TLS; it may speak plain HTTP."""


class Unreachable(Unavailable):
    """Nobody is there: no such host, or a connection refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How much is believed of a host.

    verify: its certificate must be vouched for.
    fenced: it was named by somebody outside, so it must not turn out to be this machine itself.
    """

    verify: bool = True
    fenced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. ``body`` may be sent once only when it is an iterator."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Source | None = None


class Reply:
    """An answer whose body is still to be read. Read whole or closed, it frees its connection."""

    def __init__(self, raw: "urllib3.BaseHTTPResponse", call: Call) -> None:
        self._raw, self._call = raw, call
        self.status: int = raw.status

    def header(self, name: str) -> str | None:
        return self._raw.headers.get(name)

    def header_lines(self, name: str) -> list[str]:
        """All lines of a header that may be there several times."""
        return list(self._raw.headers.getlist(name)) if name in self._raw.headers else []

    @property
    def length(self) -> int | None:
        """Bytes of the body as announced; None when it is sent in chunks."""
        value = self.header("Content-Length") or ""
        return int(value) if value.isascii() and value.isdecimal() else None

    def read_some(self, limit_bytes: int) -> bytes:
        """What has arrived, up to the limit; empty at the end. Raises Unavailable when it broke."""
        with _translated(self._call):
            return self._raw.read1(limit_bytes)

    def read_all(self, limit_bytes: int, deadline_s: float = _DOCUMENT_S) -> bytes:
        """The whole body. Raises InvalidArgument beyond the limit, Unavailable when it broke.

        deadline_s: for all of it; a server that trickles byte by byte meets no other bound.
        """
        pieces, size = [], 0
        end = time.monotonic() + deadline_s
        while piece := self.read_some(min(limit_bytes + 1, 1 << 20)):
            pieces.append(piece)
            size += len(piece)
            if size > limit_bytes:
                self.close()
                raise InvalidArgument(
                    f"{shown(self._call.url)}: the answer is larger than {limit_bytes} bytes"
                )
            if time.monotonic() > end:
                self.close()
                raise Unavailable(_sentence(self._call, "the answer takes too long"))
        self._raw.release_conn()
        return b"".join(pieces)

    def discard(self, limit_bytes: int = 64 << 10) -> None:
        """Swallow a small rest to keep the connection; close it when there is more."""
        with contextlib.suppress(KnarrError):
            self.read_all(limit_bytes)

    def interrupt(self) -> None:
        """Wake a thread that waits in ``read_some``; it raises, or gets the end of the body."""
        with contextlib.suppress(ValueError, RuntimeError):
            self._raw.shutdown()

    def close(self) -> None:
        """Harmless at the end of a body: then the connection is kept for the next request."""
        self._raw.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """By scheme, and the hosts that are reached without. Source: HTTP_PROXY and its kin."""

    by_scheme: Mapping[str, str] = field(default_factory=dict)
    bypass: str = ""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Proxies":
        def either(name: str) -> str:
            return environ.get(name.lower()) or environ.get(name.upper()) or ""

        everything = either("all_proxy")
        named = {scheme: either(f"{scheme}_proxy") or everything for scheme in ("http", "https")}
        return cls(
            by_scheme={scheme: url for scheme, url in named.items() if url},
            bypass=either("no_proxy"),
        )

    def proxy_for(self, origin: Origin) -> str | None:
        if origin.is_loopback:
            return None
        from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

        host = f"{origin.host}:{origin.port}"
        if self.bypass and proxy_bypass_environment(host, {"no": self.bypass}):
            return None
        return self.by_scheme.get(origin.scheme)


class Transport:
    """Connections to any number of hosts, shared by threads."""

    def __init__(
        self,
        *,
        certificates: Sequence[Path] = CERTIFICATE_FOLDERS,
        proxies: Proxies | None = None,
        user_agent: str = USER_AGENT,
        read_timeout_s: float = _READ_S,
    ) -> None:
        """certificates: folders that may have one per ``HOST[:PORT]``, as Docker's certs.d."""
        self._certificates = tuple(certificates)
        self._proxies = proxies or Proxies.from_environment()
        self._user_agent = user_agent
        self._read_timeout_s = read_timeout_s
        self._pools: dict[tuple[Origin, Trust], urllib3.HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def send(self, call: Call, trust: Trust) -> Reply:
        """The answer's head, whatever its status.

        Raises NotTls where https was asked for and is not spoken, Unavailable when nobody answers,
        Forbidden when the address turns out to be one that may not be reached this way.
        """
        origin = origin_of(call.url)
        pool = self._pool(origin, trust)
        headers = {"User-Agent": self._user_agent, "Accept-Encoding": "identity", **call.headers}
        with _translated(call):
            raw = pool.urlopen(
                call.method,
                self._target(call.url, origin),
                body=call.body,
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
            )
        return Reply(raw, call)

    def close(self) -> None:
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()

    def _target(self, url: str, origin: Origin) -> str:
        """The request's target: a path, but all of the URL to a proxy that sees plain HTTP."""
        bare = url.partition("#")[0]
        if origin.scheme == "http" and self._proxies.proxy_for(origin):
            return bare
        return "/" + bare.partition("://")[2].partition("/")[2]

    def _pool(self, origin: Origin, trust: Trust) -> "urllib3.HTTPConnectionPool":
        key = (origin, trust)
        with self._lock:
            if key not in self._pools:
                self._pools[key] = self._new_pool(origin, trust)
            return self._pools[key]

    def _new_pool(self, origin: Origin, trust: Trust) -> "urllib3.HTTPConnectionPool":
        import urllib3

        options: dict[str, Any] = {
            "timeout": urllib3.Timeout(connect=_CONNECT_S, read=self._read_timeout_s),
            "maxsize": _CONNECTIONS,
        }
        if origin.scheme == "https":
            options["ssl_context"] = self._tls(origin, trust)
            if not trust.verify:
                options["assert_hostname"] = False
                # Who configured it knows; each request need not say so again.
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        proxy = self._proxies.proxy_for(origin)
        manager: urllib3.PoolManager
        if proxy:
            manager = urllib3.ProxyManager(proxy, **options)
        else:
            manager = urllib3.PoolManager(**options)
        pool = manager.connection_from_host(origin.host, origin.port, origin.scheme)
        if trust.fenced and not proxy:
            pool.ConnectionCls = _fenced(pool.ConnectionCls)
        return pool

    def _tls(self, origin: Origin, trust: Trust) -> "ssl.SSLContext":
        import ssl

        if trust.verify:
            context = ssl.create_default_context()
        else:  # the system's authorities take 20 ms to load, and would not be asked
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        for folder in self._folders(origin):
            _load_folder(context, folder)
        return context

    def _folders(self, origin: Origin) -> Iterator[Path]:
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        names = [f"{host}:{origin.port}"] + ([host] if origin.port == 443 else [])
        for root in self._certificates:
            for name in names:
                if (root / name).is_dir():
                    yield root / name


def _load_folder(context: "ssl.SSLContext", folder: Path) -> None:
    """``*.crt`` are authorities, ``*.cert`` with ``*.key`` prove who we are.

    Raises InvalidArgument naming the file that cannot be used.
    """
    for path in sorted(folder.iterdir()):
        try:
            if path.suffix == ".crt":
                context.load_verify_locations(path)
            elif path.suffix == ".cert":
                context.load_cert_chain(path, path.with_suffix(".key"))
        except OSError as error:  # SSLError is one
            raise InvalidArgument(f"{path} cannot be used: {error}") from error


def _fenced(kind: Callable[..., Any]) -> Any:
    """A connection that hangs up, before it sent anything, when it reached this machine itself.

    Names are judged by what they resolve to, at the moment that counts.
    """

    class Fenced(kind):  # type: ignore[misc,valid-type]
        def connect(self) -> None:
            super().connect()
            peer = self.sock.getpeername()[0]
            if is_private_to_machine(peer):
                self.close()
                raise Forbidden(f"a registry may not send its caller to {self.host} ({peer})")

    return Fenced


@contextlib.contextmanager
def _translated(call: Call) -> Iterator[None]:
    """What urllib3, ssl and the kernel raise, as meanings, without secrets in the text."""
    import urllib3.exceptions as u3

    try:
        yield
    except u3.SSLError as error:
        raise _tls_failure(call, error) from error
    except u3.NewConnectionError as error:
        raise _unreachable(call, error) from error
    except (u3.HTTPError, OSError, ValueError) as error:
        raise Unavailable(_sentence(call, _reason(error))) from error


def _tls_failure(call: Call, error: Exception) -> KnarrError:
    reason = _reason(error)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        detail = reason.partition("certificate verify failed:")[2].partition(" (_ssl")[0].strip()
        return Unavailable(_sentence(call, f"tls: failed to verify certificate: {detail}"))
    return NotTls(_sentence(call, f"tls: {reason}"))


def _unreachable(call: Call, error: Exception) -> KnarrError:
    text = _reason(error)
    host = origin_of(call.url).host
    if "Name or service not known" in text or "failure in name resolution" in text:
        return Unreachable(_sentence(call, f"dial tcp: lookup {host}: no such host"))
    return Unreachable(_sentence(call, f"dial tcp: connect: {text.rpartition('] ')[2].lower()}"))


def _reason(error: Exception) -> str:
    """The innermost cause: urllib3 wraps several times."""
    inner: BaseException = error
    while (cause := inner.__cause__ or inner.__context__) is not None and cause is not inner:
        inner = cause
    if isinstance(inner, TimeoutError) or "timed out" in str(error).lower():
        return "timed out"
    return str(inner) or type(inner).__name__


def _sentence(call: Call, reason: str) -> str:
    return f'{call.method.capitalize()} "{shown(call.url)}": {reason}'
