"""What the daemon is told: by flags, by the environment, else by default."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from knarr.container.logs.options import checked_log
from knarr.daemon.remapping import owners_of
from knarr.errors import InvalidArgument
from knarr.kernel.owners import Owners
from knarr.snapshot import wanted_size
from knarr.spec import decode
from knarr.spec.docker.container import LogConfig
from knarr.spec.docker.registries import RegistrySettings
from knarr.units import size_bytes

DATA_ROOT: Final = "/var/lib/knarr"
RUN_ROOT: Final = "/run/knarr"
_LEAST_BUDGET: Final = 64 << 20
REGISTRIES: Final = "/etc/knarr/registries.json"

USAGE: Final = """Usage:  knarr daemon [OPTIONS]

Run knarr's engine in the foreground

Options:
      --data-root DIR   Where images, containers and volumes are kept (default "/var/lib/knarr",
                        or $KNARR_DATA_ROOT)
      --run-root DIR    Where sockets, mounts and process state are kept (default "/run/knarr",
                        or $KNARR_RUN_ROOT)
  -H, --host HOST       Where to listen: unix://PATH, fd:// or tcp://ADDRESS:PORT (default
                        unix://RUN-ROOT/knarr.sock, or $KNARR_HOST); may be given several times
      --tlsverify       Take TCP connections from clients whose certificate the CA has signed, and
                        from nobody else
      --tlscacert FILE  The CA that signed the clients' certificates (default "~/.docker/ca.pem";
                        the folder is $DOCKER_CERT_PATH where that is set)
      --tlscert FILE    The engine's own certificate (default "~/.docker/cert.pem")
      --tlskey FILE     Its key (default "~/.docker/key.pem")
      --plain-tcp-makes-every-local-user-root
                        Take TCP connections without TLS, on loopback alone: whoever has an account
                        here, or runs a program here, can become root by it
      --runtime NAME    OCI runtime to use (default: the first of crun and runc that works)
      --snapshotter NAME
                        How layers are kept: tar+erofs or unpacked (default: the first of them
                        that the kernel can do, or $KNARR_SNAPSHOTTER)
      --disk-budget SIZE
                        Most that images and build cache may take on the disk: 50g (default: no
                        limit but the disk's, or $KNARR_DISK_BUDGET)
      --log-driver NAME Where the output of containers goes that do not say it themselves: journald,
                        json-file (the default), local, none or syslog
      --log-opt KEY=VALUE
                        An option of that driver, as in `knarr run`; may be given several times
      --storage-opt size=SIZE
                        Most that a container may write to its own layer that does not say it itself
                        by --storage-opt (default: no limit but the disk's, or $KNARR_STORAGE_OPT)
      --log-level LEVEL debug, info, warning or error, of the daemon itself (default "info")
      --registries FILE Mirrors, rewrites, insecure and blocked registries, as JSON (default
                        "/etc/knarr/registries.json" where that is, or $KNARR_REGISTRIES)
      --registry-mirror URL
                        Ask there before Docker Hub; may be given several times
      --registry HOST:PORT
                        Serve a registry too, from the engine's own store, without logins:
                        on loopback only (see also: knarr registry serve --help)
      --insecure-registry HOST
                        Registry or network (CIDR) to which plain HTTP will do; several times
      --ip ADDRESS      Where ports are published that name no address (default 0.0.0.0, or
                        $KNARR_IP); 127.0.0.1 keeps them on this machine
      --icc BOOL        Whether containers on the default bridge reach each other (default true, or
                        $KNARR_ICC); false: only by --link, and only exposed ports
      --userns-remap USER[:GROUP]
                        Run containers as if root were somebody without rights: in a user namespace
                        with the ranges that /etc/subuid and /etc/subgid give to USER and GROUP, by
                        name or number; "default" is knarr-remap, else dockremap (or
                        $KNARR_USERNS_REMAP). docker run --userns=host makes an exception
      --group NAME      Group that may use the socket (default "knarr", else "docker")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """The files for TCP: the CA of the clients, the engine's certificate and its key."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one daemon runs. Two daemons with roots of their own never touch each other."""

    data_root: Path = Path(DATA_ROOT)
    run_root: Path = Path(RUN_ROOT)
    hosts: tuple[str, ...] = ()
    tls: ServerTls | None = None
    plain_tcp: bool = False
    runtime: str = ""
    snapshotter: str = ""
    disk_budget_bytes: int | None = None  # None: no limit but the disk's
    log_level: str = "info"
    container_log: LogConfig = field(default_factory=lambda: LogConfig(type="json-file"))
    storage_opt: Mapping[str, str] = field(default_factory=dict)  # of containers without their own
    group: str = ""
    publish_ip: str = "0.0.0.0"
    icc: bool = True
    remap: Owners | None = None  # whose numbers containers have; None: the host's
    registry: str = ""
    registries: RegistrySettings = field(default_factory=RegistrySettings)

    @property
    def listening(self) -> tuple[str, ...]:
        return self.hosts or (f"unix://{self.run_root}/knarr.sock",)


_VALUED: Final = {
    "--data-root": "data_root", "--run-root": "run_root", "--host": "hosts", "-H": "hosts",
    "--runtime": "runtime", "--log-level": "log_level",
    "--log-driver": "log_driver", "--log-opt": "log_options", "--group": "group",
    "--storage-opt": "storage_options",
    "--snapshotter": "snapshotter", "--disk-budget": "disk_budget",
    "--registries": "registries", "--registry-mirror": "mirrors",
    "--userns-remap": "userns_remap",
    "--ip": "publish_ip", "--insecure-registry": "insecure", "--registry": "registry",
    "--tlscacert": "tlscacert", "--tlscert": "tlscert", "--tlskey": "tlskey",
}  # fmt: skip
_SWITCHES: Final = {
    "--icc": "icc", "--tls": "tls", "--tlsverify": "tlsverify",
    "--plain-tcp-makes-every-local-user-root": "plain_tcp",
}  # fmt: skip
_TLS_FILES: Final = {"cacert": "ca.pem", "cert": "cert.pem", "key": "key.pem"}


def settings_of(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> Settings:
    """Flags beat the environment. Raises InvalidArgument for a flag that knarr does not know."""
    given = _read(argv)

    def last(name: str, variable: str, default: str) -> str:
        return given[name][-1] if name in given else environ.get(variable) or default

    budget = last("disk_budget", "KNARR_DISK_BUDGET", "")
    host = environ.get("KNARR_HOST", "")
    return Settings(
        data_root=Path(last("data_root", "KNARR_DATA_ROOT", DATA_ROOT)).absolute(),
        run_root=Path(last("run_root", "KNARR_RUN_ROOT", RUN_ROOT)).absolute(),
        hosts=tuple(given.get("hosts", ())) or ((host,) if host else ()),
        tls=_tls(given, environ),
        plain_tcp=_is_on(given, "plain_tcp"),
        runtime=last("runtime", "KNARR_RUNTIME", ""),
        snapshotter=last("snapshotter", "KNARR_SNAPSHOTTER", ""),
        disk_budget_bytes=_budget(budget),
        log_level=last("log_level", "KNARR_LOG_LEVEL", "info"),
        container_log=_container_log(
            last("log_driver", "KNARR_LOG_DRIVER", "json-file"), given.get("log_options", ())
        ),
        storage_opt=_storage(last("storage_options", "KNARR_STORAGE_OPT", "")),
        group=last("group", "KNARR_GROUP", ""),
        publish_ip=_address("--ip", last("publish_ip", "KNARR_IP", "0.0.0.0")),
        icc=_truth("--icc", last("icc", "KNARR_ICC", "true")),
        remap=owners_of(last("userns_remap", "KNARR_USERNS_REMAP", "")),
        registry=last("registry", "KNARR_REGISTRY", ""),
        registries=_registries(
            Path(last("registries", "KNARR_REGISTRIES", REGISTRIES)),
            given.get("mirrors", ()),
            given.get("insecure", ()),
        ),
    )


def _budget(text: str) -> int | None:
    """Raises InvalidArgument for what is no size, or too small to be meant."""
    if not text:
        return None
    size = size_bytes(text)
    if size < _LEAST_BUDGET:
        raise InvalidArgument(f"--disk-budget {text}: the least is 64m")
    return size


def _address(flag: str, text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise InvalidArgument(
            f"invalid value for {flag}: {text!r} is no IPv4 address (0.0.0.0 is all of this"
            " machine's, 127.0.0.1 is this machine alone)"
        ) from None


def _read(argv: Sequence[str]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    rest = list(argv)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in _SWITCHES:
            given.setdefault(_SWITCHES[flag], []).append(value if equals else "true")
            continue
        if flag not in _VALUED:
            raise InvalidArgument(f"unknown flag: {flag}\nSee 'knarr daemon --help'.")
        if not equals:
            if not rest:
                raise InvalidArgument(f"flag needs an argument: {flag}")
            value = rest.pop(0)
        given.setdefault(_VALUED[flag], []).append(value)
    return given


def _is_on(given: Mapping[str, Sequence[str]], name: str) -> bool:
    return _truth(name, given[name][-1] if name in given else "false")


def _truth(name: str, value: str) -> bool:
    if value.lower() not in ("true", "1", "false", "0"):
        raise InvalidArgument(f"invalid value for {name}: {value!r} is neither true nor false")
    return value.lower() in ("true", "1")


def _tls(given: Mapping[str, Sequence[str]], environ: Mapping[str, str]) -> ServerTls | None:
    """Whom TCP connections are taken from. Raises InvalidArgument for TLS that asks nobody."""
    files = {word: given[f"tls{word}"][-1] for word in _TLS_FILES if f"tls{word}" in given}
    if not _is_on(given, "tlsverify"):
        if files or _is_on(given, "tls"):
            raise InvalidArgument(
                "TLS without --tlsverify lets everyone in: give --tlsverify, and clients a"
                " certificate of the CA in --tlscacert"
            )
        return None
    folder = environ.get("DOCKER_CERT_PATH") or f"{environ.get('HOME', '/root')}/.docker"
    paths = {word: Path(files.get(word, f"{folder}/{_TLS_FILES[word]}")) for word in _TLS_FILES}
    return ServerTls(ca=paths["cacert"], cert=paths["cert"], key=paths["key"])


def _container_log(driver: str, options: Sequence[str]) -> LogConfig:
    """Raises InvalidArgument, and Unsupported, for what no container could have either."""
    pairs = [option.partition("=") for option in options]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise InvalidArgument(f"--log-opt wants KEY=VALUE, not {name!r}")
    config = LogConfig(type=driver, config={name: value for name, _, value in pairs})
    checked_log(config)
    return config


def _storage(option: str) -> Mapping[str, str]:
    """Raises InvalidArgument for what no container could ask for either."""
    if not option:
        return {}
    name, equals, value = option.partition("=")
    if not equals:
        raise InvalidArgument(f"--storage-opt wants size=SIZE, not {option!r}")
    options = {name.removeprefix("overlay2."): value}
    wanted_size(options)
    return options


def _registries(file: Path, mirrors: Sequence[str], insecure: Sequence[str]) -> RegistrySettings:
    """The file's, and the flags' after them. Raises InvalidArgument for a file that is none."""
    try:
        found = decode(file.read_bytes(), RegistrySettings)
    except FileNotFoundError:
        if str(file) != REGISTRIES:
            raise InvalidArgument(f"there is no file {file}") from None
        found = RegistrySettings()
    except (OSError, InvalidArgument) as error:
        raise InvalidArgument(f"cannot use {file}: {error}") from error
    return RegistrySettings(
        registries=found.registries,
        registry_mirrors=(*found.registry_mirrors, *mirrors),
        insecure_registries=(*found.insecure_registries, *insecure),
    )
