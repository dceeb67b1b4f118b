"""From the flags of ``build`` to the request that the engine gets."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from knarr.cli.building.caching import CachePlace
from knarr.cli.building.context import Extras, Source, gathered
from knarr.cli.building.layouts import HERE, SCHEME, Lent
from knarr.cli.building.options import BuildOptions
from knarr.cli.building.outputs import Output
from knarr.cli.building.secrets import agents_of, parse_secret
from knarr.cli.cli import Cli
from knarr.cli.create.making import proxy_variables
from knarr.client.calls import builds, system
from knarr.client.lean import dumps
from knarr.errors import Conflict, InvalidArgument, NotFound, Unsupported

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
    secrets = dict(parse_secret(text, cli.environ) for text in options.secret)
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


class Asking(NamedTuple):
    """A build as it will be asked for.

    trace: knarr's engine tells of steps in documents, not in text for people.
    """

    cli: Cli
    options: BuildOptions
    source: Source
    extras: Extras
    knarr: bool
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[CachePlace, ...] = ()
    lent: tuple[tuple[str, str], ...] = ()  # named contexts that the engine has as images
    trace: bool = True

    @property
    def sees_folder(self) -> bool:
        """Whether the engine may be able to read the folder by itself."""
        local = self.cli.endpoint()[0].scheme == "unix"
        return self.knarr and local and bool(self.source.folder)

    @property
    def brings_extras(self) -> bool:
        """Whether something goes along with a context that the engine gets by itself."""
        return bool(self.extras) or (bool(self.source.remote) and self.source.text is not None)

    def sent(self) -> Iterable[dict[str, Any]]:
        """The engine's documents. Where it cannot see the folder after all, the folder is sent."""
        if self.sees_folder:
            try:
                return self.cli.engine.lines(self.request(beside=True))
            except (Conflict, NotFound):
                pass
        return self.cli.engine.lines(self.request(beside=False))

    def request(self, *, beside: bool) -> Any:
        """beside: the engine is to read the folder, and gets only what is not in there."""
        options, source = self.options, self.source
        own = self._own(beside=beside) if self.knarr else None
        pieces: Iterator[bytes] = iter(())
        if source.remote:
            if source.text is not None and not self.knarr:
                raise Unsupported("a Dockerfile apart from its remote context needs knarr's engine")
            pieces = source.beside(self.extras) if self.brings_extras else pieces
        else:
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
            registry_config=_registry_config(self.cli),
            target=options.target or None,
            platform=",".join(platforms_of(options, self.cli)) or None,
            networkmode=None if options.network == "default" else options.network,
            nocache=options.no_cache or None,
            pull=options.pull or None,
            rm=True,
            squash=options.squash or None,
            isolation=options.isolation or None,
            q=(options.quiet and not self.knarr) or None,
        )

    def _own(self, *, beside: bool) -> dict[str, Any]:
        options = self.options
        own: dict[str, Any] = {
            "Trace": self.trace,
            "Extras": self.brings_extras or beside,
            "Check": options.check,
            "Call": "" if options.call in {"build", "check"} else options.call,
            "DebugStep": options.debug_step,
            "KeepFailed": options.on_error == "shell",
            "NoCacheFilter": list(options.no_cache_filter),
            "Allow": list(options.allow),
            "Annotations": list(options.annotation),
            "Agents": agents_of(options.ssh, self.cli),
            "Contexts": self._elsewhere(),
            "Project": self._project(),
            "TimeoutSeconds": options.timeout / 1e9,
            "InlineCache": any(place.type == "inline" for place in self.cache_to),
        }
        for place in self.cache_to:
            if place.type != "inline":
                own |= {"CacheTo": place.name, "CacheWhole": place.whole}
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
        return elsewhere | {name: f"{HERE}{image}" for name, image in self.lent}

    def _project(self) -> str:
        """By what this build is known the next time: its first name, or where it lies."""
        if self.options.tag:
            return ""
        place = self.source.folder or self.source.remote
        return f"{place} {self.source.dockerfile} {self.options.target}".strip()


def _registry_config(cli: Cli) -> str:
    """Logins of all registries that are kept, for bases that must be pulled."""
    values = cli.config.values
    if values.get("credHelpers") or values.get("credsStore"):
        from knarr.cli.credentials import known

        logins: dict[str, Any] = {each.server: each.document() for each in known(cli)}
    else:
        auths = values.get("auths")
        logins = {server: auth for server, auth in auths.items() if auth} if auths else {}
    return base64.urlsafe_b64encode(dumps(logins).encode()).decode() if logins else ""
