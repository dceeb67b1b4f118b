"""From the flags of ``build`` to the request that the engine gets."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from knarr.cli.building.caching import CachePlace, cache_name
from knarr.cli.building.context import Extras, Source, gathered
from knarr.cli.building.layouts import SCHEME, Lent
from knarr.cli.building.options import BuildOptions
from knarr.cli.building.results import Output
from knarr.cli.cli import Cli
from knarr.cli.config import Config
from knarr.cli.create.making import proxy_variables
from knarr.client.calls import builds, system
from knarr.client.lean import dumps
from knarr.errors import InvalidArgument, NotFound, Unsupported

_SECRET_MAX: Final = 500 << 10  # bytes
_OWN_FLAGS: Final = (
    "secret", "ssh", "build_context", "check", "explain", "on_error", "no_cache_filter", "allow",
    "timeout", "cache_to", "debug_step", "annotation",
)  # fmt: skip


def engine_is_knarr(cli: Cli) -> bool:
    """Whether the other side is an engine of our own, which knows more than Docker's builder."""
    with cli.engine.open(system.ping()) as answer:
        return answer.head.headers.get("server", "").startswith("knarr/")


def refuse_own_flags(options: BuildOptions) -> None:
    """What no other engine understands."""
    for name in _OWN_FLAGS:
        if getattr(options, name):
            flag = name.replace("_", "-")
            raise Unsupported(f"--{flag} needs knarr's own engine: this is another one")


def refuse_unsupported(options: BuildOptions) -> None:
    """What would go unnoticed: the image, or the cache, would lack what was asked for."""
    if options.security_opt:
        raise Unsupported(
            "--security-opt is not for builds: steps with RUN --security=insecure get all rights"
            " by --allow security.insecure"
        )
    for name in ("attest", "provenance", "sbom"):
        if getattr(options, name) not in {(), "", "0", "false"}:
            flag = name.replace("_", "-")
            raise Unsupported(f"knarr cannot do --{flag} yet: leave the flag out")


def platforms_of(options: BuildOptions, cli: Cli) -> tuple[str, ...]:
    """Those that are asked for; else the one that the environment has; none is the engine's."""
    asked = options.platform or cli.environ.get("DOCKER_DEFAULT_PLATFORM", "")
    return tuple(dict.fromkeys(each.strip() for each in asked.split(",") if each.strip()))


def refuse_for_several(options: BuildOptions, outputs: Sequence[Output]) -> None:
    """What an index cannot be: without a name, a folder, or one file system."""
    if not options.tag:
        raise InvalidArgument("several platforms go under one name: give it one with -t")
    for output in outputs:
        if output.type in {"local", "tar"}:
            raise Unsupported(f"--output type={output.type} is for one platform at a time")
    if options.cache_to or options.debug_step:
        raise Unsupported("--cache-to and --debug-step are for one platform at a time")


def key_values(pairs: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def build_args(options: BuildOptions, cli: Cli) -> dict[str, str | None]:
    """``NAME=VALUE``, or ``NAME`` with the value that the environment has; proxies by default."""
    given: dict[str, str | None] = {}
    for pair in options.build_arg:
        name, equals, value = pair.partition("=")
        given[name] = value if equals else cli.environ.get(name)
    return {**proxy_variables(cli), **given}


def extras_of(options: BuildOptions, cli: Cli) -> Extras:
    """Secrets and folders that go along. Raises InvalidArgument in BuildKit's words."""
    secrets = dict(_secret(text, cli.environ) for text in options.secret)
    folders: dict[str, str] = {}
    for text in options.build_context:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise InvalidArgument(f"invalid context value: {text}, expected key=value")
        if "://" not in value and not value.startswith("git@"):
            if not os.path.isdir(value):
                raise NotFound(f"failed to get build context {name}: path {value} not found")
            folders[name.lower()] = value
    return Extras(secrets=secrets, folders=folders)


def lent_contexts(options: BuildOptions, lent: Lent) -> tuple[tuple[str, str], ...]:
    """Named contexts that are OCI layouts in folders, with the images that the engine got."""
    pairs = key_values(options.build_context)
    return tuple(
        (name, lent.layout(value.removeprefix(SCHEME)))
        for name, value in pairs.items()
        if value.startswith(SCHEME)
    )


def _secret(text: str, environ: Mapping[str, str]) -> tuple[str, bytes]:
    fields = key_values(tuple(text.split(",")))
    unknown = fields.keys() - {"id", "src", "source", "env", "type"}
    if unknown:
        raise InvalidArgument(f"unexpected key '{min(unknown)}' in '{text}'")
    path = fields.get("src") or fields.get("source") or ""
    name = fields.get("id") or os.path.basename(path) or fields.get("env", "")
    if not name:
        raise InvalidArgument(f"secret missing 'id' in '{text}'")
    if "/" in name:
        raise InvalidArgument(f"invalid secret id '{name}'")
    kind = fields.get("type") or ("env" if fields.get("env") else "")
    if kind == "env" or (not kind and not path and name in environ):
        variable = fields.get("env") or path or name
        if variable not in environ:
            raise InvalidArgument(f"secret {name}: there is no variable {variable}")
        return name, environ[variable].encode(errors="surrogateescape")
    try:
        with open(path or name, "rb") as file:
            value = file.read(_SECRET_MAX + 1)
    except OSError as error:
        raise InvalidArgument(f"failed to stat {path or name}: {error.strerror}") from error
    if len(value) > _SECRET_MAX:
        raise InvalidArgument(f"invalid secret size: more than {_SECRET_MAX >> 10} KiB")
    return name, value


def _agents(options: BuildOptions, cli: Cli) -> dict[str, str]:
    """Sockets by id. The engine mounts them, so it has to be on this machine."""
    agents: dict[str, str] = {}
    for text in options.ssh:
        name, _, path = text.partition("=")
        path = path or cli.environ.get("SSH_AUTH_SOCK", "")
        if not path:
            raise InvalidArgument("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set")
        agents[name or "default"] = os.path.abspath(path)
    if agents and cli.endpoint()[0].scheme != "unix":
        raise Unsupported("--ssh needs an engine on this machine: its steps use the agent's socket")
    return agents


class Asking(NamedTuple):
    """A build as it will be asked for."""

    cli: Cli
    options: BuildOptions
    source: Source
    extras: Extras
    knarr: bool
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[CachePlace, ...] = ()
    lent: tuple[tuple[str, str], ...] = ()  # named contexts that the engine has as images

    @property
    def sees_folder(self) -> bool:
        """Whether the engine may be able to read the folder by itself."""
        local = self.cli.endpoint()[0].scheme == "unix"
        return self.knarr and local and bool(self.source.folder)

    def request(self, *, beside: bool) -> Any:
        """beside: the engine is to read the folder, and gets only what is not in there."""
        options, source = self.options, self.source
        own = self._own(beside=beside) if self.knarr else None
        pieces: Iterator[bytes] = iter(())
        if not source.remote:
            pieces = source.beside(self.extras) if beside else source.pieces(self.extras)
        limits = {
            "memory": options.memory, "memswap": options.memory_swap,
            "cpushares": options.cpu_shares, "cpuperiod": options.cpu_period,
            "cpuquota": options.cpu_quota, "cpusetcpus": options.cpuset_cpus,
            "cpusetmems": options.cpuset_mems, "shmsize": options.shm_size,
            "cgroupparent": options.cgroup_parent,
        }  # fmt: skip
        return builds.build(
            gathered(pieces),
            tags=options.tag,
            dockerfile=source.dockerfile,
            remote=source.remote,
            build_args=build_args(options, self.cli),
            labels=key_values(options.label),
            cache_from=self.cache_from,
            ulimits=options.ulimit,
            extra_hosts=options.add_host,
            limits={name: value for name, value in limits.items() if value},
            own=own,
            registry_config=_registry_config(self.cli.config),
            target=options.target or None,
            platform=",".join(platforms_of(options, self.cli)) or None,
            networkmode=None if options.network == "default" else options.network,
            nocache=options.no_cache or None,
            pull=options.pull or None,
            rm=True,
            squash=options.squash or None,
            q=(options.quiet and not self.knarr) or None,
        )

    def _own(self, *, beside: bool) -> dict[str, Any]:
        options = self.options
        own: dict[str, Any] = {
            "Trace": True,
            "Extras": bool(self.extras) or beside,
            "Check": options.check,
            "Call": "" if options.call in {"build", "check"} else options.call,
            "DebugStep": options.debug_step,
            "KeepFailed": options.on_error == "shell",
            "NoCacheFilter": list(options.no_cache_filter),
            "Allow": list(options.allow),
            "Annotations": list(options.annotation),
            "Agents": _agents(options, self.cli),
            "Contexts": self._elsewhere(),
            "Project": self._project(),
            "TimeoutSeconds": options.timeout / 1e9,
            "InlineCache": any(place.type == "inline" for place in self.cache_to),
        }
        for place in self.cache_to:
            if place.type != "inline":
                own |= {"CacheTo": cache_name(), "CacheWhole": place.whole}
        if beside:
            there = os.stat(self.source.folder)
            own["Folder"] = {
                "Path": self.source.folder, "Device": there.st_dev, "Inode": there.st_ino,
            }  # fmt: skip
        return {name: value for name, value in own.items() if value}

    def _elsewhere(self) -> dict[str, str]:
        """Named contexts that are no folders."""
        pairs = key_values(self.options.build_context)
        elsewhere = {
            name: value for name, value in pairs.items() if name.lower() not in self.extras.folders
        }
        return elsewhere | {name: f"docker-image://{image}" for name, image in self.lent}

    def _project(self) -> str:
        """By what this build is known the next time: its first name, or where it lies."""
        if self.options.tag:
            return ""
        place = self.source.folder or self.source.remote
        return f"{place} {self.source.dockerfile} {self.options.target}".strip()


def _registry_config(config: Config) -> str:
    """Logins of all registries that the configuration file has, for bases that must be pulled."""
    auths = config.values.get("auths")
    if not isinstance(auths, dict) or not auths:
        return ""
    known = {server: auth for server, auth in auths.items() if auth}
    return base64.urlsafe_b64encode(dumps(known).encode()).decode() if known else ""
