"""What ``knarr registry serve`` is told: by flags, else by default. Pure."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from knarr.errors import InvalidArgument
from knarr.reference import Reference
from knarr.registry.table import host_name, is_loopback
from knarr.units import duration_ns

USAGE: Final = """Usage:  knarr registry serve [OPTIONS]

Serve images to any client of the OCI distribution specification

Without options: on 127.0.0.1:5000, for everybody on this machine, kept under /var/lib/knarr (by
root) or ~/.local/share/knarr. The engine can serve from its own store: knarr daemon --registry.

Options:
      --listen ADDR            Where to listen, HOST:PORT (default "127.0.0.1:5000")
      --root DIR               Where images are kept (default "/var/lib/knarr/registry",
                               or $KNARR_REGISTRY_ROOT)
      --htpasswd FILE          Users and passwords (bcrypt; make a line with: htpasswd -nB USER)
      --access FILE            Rights by repository: lines of USER PATTERN RIGHTS
                               (default: whoever is logged in may do everything)
      --tokens                 Guard by tokens, handed out at /token for a password
      --tls-cert FILE          Certificate chain, PEM
      --tls-key FILE           Its key
      --plain-http             Serve other machines without TLS all the same
      --read-only              Take nothing
      --proxy REGISTRY         Be a cache of another registry: docker.io, or HOST[:PORT]; given
                               again, of more: their names begin with REGISTRY/ here
      --proxy-logins FILE      Logins there, in the form of Docker's config.json
      --proxy-fresh TIME       How long a tag is not asked for there again (default "1m")
      --insecure-registry HOST Registry or network (CIDR) to which plain HTTP will do
      --url URL                This registry's address as its clients see it
      --collect-every TIME     How often what nothing leads to is deleted (default "1h"; 0: never)
      --untagged-after TIME    Delete manifests without a tag when they are so old (default: keep)
      --log-level LEVEL        debug, info, warning or error (default "info")
"""

_DEFAULT_ROOT: Final = "/var/lib/knarr/registry"
_YOUNG_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one registry serves."""

    host: str = "127.0.0.1"
    port: int = 5000
    root: Path = Path(_DEFAULT_ROOT)
    htpasswd: Path | None = None
    access: Path | None = None
    tokens: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    read_only: bool = False
    proxies: tuple[str, ...] = ()
    proxy_logins: Path | None = None
    proxy_fresh_s: float = 60.0
    insecure_registries: tuple[str, ...] = ()
    url: str = ""
    collect_every_s: float = 3600.0
    untagged_after_s: float | None = None
    young_s: float = _YOUNG_S
    silence_s: float = 120.0
    log_level: str = "info"

    @property
    def scheme(self) -> str:
        return "https" if self.tls_cert else "http"


_SWITCHES: Final = frozenset({"--tokens", "--plain-http", "--read-only"})
_VALUED: Final = frozenset({
    "--listen", "--root", "--htpasswd", "--access", "--tls-cert", "--tls-key", "--proxy",
    "--proxy-logins", "--insecure-registry", "--url", "--collect-every", "--untagged-after",
    "--log-level", "--proxy-fresh",
})  # fmt: skip


def settings_of(
    argv: Sequence[str], environ: Mapping[str, str] = os.environ, *, is_root: bool = True
) -> Settings:
    """Raises InvalidArgument for what cannot be, with a sentence that says what could."""
    switches, given = _read(argv)

    def path(flag: str) -> Path | None:
        return Path(given[flag][-1]).absolute() if flag in given else None

    def seconds(flag: str, default: float | None) -> float | None:
        return duration_ns(given[flag][-1]) / 1e9 if flag in given else default

    host, port = _address(given.get("--listen", ["127.0.0.1:5000"])[-1])
    root = environ.get("KNARR_REGISTRY_ROOT") or _default_root(environ, is_root)
    settings = Settings(
        host=host,
        port=port,
        root=path("--root") or Path(root),
        htpasswd=path("--htpasswd"),
        access=path("--access"),
        tokens="--tokens" in switches,
        tls_cert=path("--tls-cert"),
        tls_key=path("--tls-key"),
        read_only="--read-only" in switches,
        proxies=tuple(given.get("--proxy", ())),
        proxy_logins=path("--proxy-logins"),
        proxy_fresh_s=seconds("--proxy-fresh", 60.0) or 0.0,
        insecure_registries=tuple(given.get("--insecure-registry", ())),
        url=given.get("--url", [""])[-1],
        collect_every_s=seconds("--collect-every", 3600.0) or 0.0,
        untagged_after_s=seconds("--untagged-after", None),
        log_level=given.get("--log-level", ["info"])[-1],
    )
    _check(settings, plain_is_meant="--plain-http" in switches)
    return settings


def _default_root(environ: Mapping[str, str], is_root: bool) -> str:
    if is_root:
        return _DEFAULT_ROOT
    data = environ.get("XDG_DATA_HOME") or f"{environ.get('HOME', '.')}/.local/share"
    return f"{data}/knarr/registry"


def _read(argv: Sequence[str]) -> tuple[set[str], dict[str, list[str]]]:
    switches: set[str] = set()
    given: dict[str, list[str]] = {}
    rest = list(argv)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in _SWITCHES and not equals:
            switches.add(flag)
            continue
        if flag not in _VALUED:
            raise InvalidArgument(f"unknown flag: {flag}\nSee 'knarr registry serve --help'.")
        if not equals:
            if not rest:
                raise InvalidArgument(f"flag needs an argument: {flag}")
            value = rest.pop(0)
        given.setdefault(flag, []).append(value)
    return switches, given


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise InvalidArgument(f"invalid address {text!r}: write HOST:PORT")
    return host_name(host) or "0.0.0.0", int(port)


def _check(settings: Settings, *, plain_is_meant: bool) -> None:
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise InvalidArgument("--tls-cert and --tls-key belong together")
    if not (settings.tls_cert or plain_is_meant or is_loopback(settings.host)):
        raise InvalidArgument(
            f"{settings.host} is reached by other machines: give --tls-cert and --tls-key, or"
            " --plain-http if passwords and images may be read and changed on the way"
        )
    if settings.htpasswd is None and (settings.access or settings.tokens):
        raise InvalidArgument("--access and --tokens are about users: give --htpasswd too")
    if settings.proxy_logins and not settings.proxies:
        raise InvalidArgument("--proxy-logins needs --proxy")
    if not all(_is_registry(each) for each in settings.proxies):
        raise InvalidArgument("--proxy takes a registry's name: docker.io, or HOST[:PORT]")


def _is_registry(text: str) -> bool:
    """A host, told from the first part of a name as references tell it."""
    try:
        return Reference.parse(f"{text}/x").domain == text
    except InvalidArgument:
        return False
