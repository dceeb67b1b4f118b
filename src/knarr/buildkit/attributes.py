"""What BuildKit's clients ask of its Dockerfile frontend, as a request that the builder knows.

Pure. Source: BuildKit, dockerui/config.go and context.go (names of the attributes), buildx.
"""

import csv
import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from knarr.build import Resources
from knarr.buildkit.messages import Exporter
from knarr.dockerfile.request import BuildRequest, read_hosts
from knarr.errors import InvalidArgument, Unsupported
from knarr.units import size_bytes

FRONTENDS: Final = frozenset({"dockerfile.v0", "gateway.v0"})
UPLOADED: Final = "http://buildkit-session/"
"""How an address begins whose content the client holds: a context from standard input."""

_RESOLVE_ALWAYS: Final = frozenset({"pull", "1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Locals:
    """Where in the client's session the build finds its files.

    context: name of the directory; empty for a context from elsewhere (``remote``, ``upload``).
    named_dockerfile: the client says that it has the Dockerfile, wherever the context is.
    contexts: directories of named contexts, by the contexts' names.
    """

    dockerfile: str = "dockerfile"
    context: str = "context"
    named_dockerfile: bool = False
    remote: str = ""
    upload: str = ""
    contexts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """One build as its client wants it. call: only an answer about the Dockerfile is wanted."""

    request: BuildRequest
    files: Locals
    call: str = ""


def wishes(frontend: str, attributes: Mapping[str, str]) -> Wishes:
    """Raises Unsupported, InvalidArgument, with what to do instead."""
    if frontend not in FRONTENDS:
        raise Unsupported(
            f'no frontend "{frontend}" here: knarr builds Dockerfiles (dockerfile.v0)'
        )
    if any(each.startswith("input:") for each in attributes.values()):
        raise Unsupported("the result of another build is no context here: build it to an image")
    elsewhere, folders = _contexts(attributes)
    request = BuildRequest(
        dockerfile=_dockerfile(attributes),
        remote=_remote(attributes),
        build_args=_under("build-arg:", attributes),
        labels=_under("label:", attributes),
        target=attributes.get("target", ""),
        platform=_platform(attributes),
        network=_network(attributes.get("force-network-mode", "")),
        hosts=_hosts(attributes.get("add-hosts", "")),
        resources=_resources(attributes),
        no_cache=attributes.get("no-cache") == "",
        no_cache_filter=_list(attributes.get("no-cache", "")),
        cache_from=_cache_from(attributes),
        pull=attributes.get("image-resolve-mode", "") in _RESOLVE_ALWAYS,
        contexts=elsewhere,
        extras=bool(folders),
        trace=True,
    )
    context = attributes.get("context", "")
    files = Locals(
        dockerfile=attributes.get("dockerfilekey", "dockerfile"),
        context="" if context else attributes.get("contextkey", "context"),
        named_dockerfile="dockerfilekey" in attributes,
        remote=request.remote,
        upload=context if context.startswith(UPLOADED) else "",
        contexts=folders,
    )
    return Wishes(request=request, files=files, call=attributes.get("requestid", ""))


def wishes_of(request: BuildRequest) -> Wishes:
    """Of ``POST /build?version=2``, which says the same in the classic words."""
    if request.remote == "upload-request":
        raise Unsupported(
            "an archive from standard input needs the classic builder here: set DOCKER_BUILDKIT=0"
        )
    remote = "" if request.remote == "client-session" else request.remote
    path = _dockerfile({"filename": request.dockerfile})
    return Wishes(
        request=replace(
            request, dockerfile=path, remote=remote, cache_from_alone=False, trace=True
        ),
        files=Locals(context="" if remote else "context", remote=remote),
    )


def asked_outputs(text: str, names: Iterable[str]) -> list[Exporter]:
    """The query's ``outputs``, a JSON list; without any the image stays here. InvalidArgument."""
    try:
        asked = json.loads(text or "[]") or []
        found = [
            Exporter(type=str(each["Type"]), attrs=dict(each["Attrs"] or {})) for each in asked
        ]
    except (ValueError, KeyError, TypeError):
        raise InvalidArgument("outputs is not a JSON list of outputs") from None
    kept = [each for each in found if each.type not in {"moby", "image"}]
    if found and kept == found:
        return found
    return [*kept, Exporter(type="moby", attrs={"name": ",".join(names)})]


def _dockerfile(attributes: Mapping[str, str]) -> str:
    path = posixpath.normpath(attributes.get("filename", "") or "Dockerfile")
    if path == ".." or path.startswith("../"):
        raise InvalidArgument(f"forbidden path outside of its folder: {path}")
    return path.lstrip("/")


def _remote(attributes: Mapping[str, str]) -> str:
    context = attributes.get("context", "")
    if context.startswith(UPLOADED):
        return ""
    if attributes.get("contextsubdir"):
        raise Unsupported("contextsubdir is not known here: write the folder as URL#ref:folder")
    return context


def _under(prefix: str, attributes: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in attributes.items()
        if name.startswith(prefix)
    }


def _contexts(attributes: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Named contexts from elsewhere, and directories of the client's, by name."""
    elsewhere: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name, value in _under("context:", attributes).items():
        plain = name.partition("::")[0]  # a platform may follow: there is one here
        if value.startswith("local:"):
            folders[plain.lower()] = value.removeprefix("local:")
        elif value.startswith("oci-layout:"):
            raise Unsupported(f"context {plain}: OCI layouts are not read here: load the image")
        else:
            elsewhere[plain] = value
    return elsewhere, folders


def _platform(attributes: Mapping[str, str]) -> str:
    platforms = _list(attributes.get("platform", ""))
    if len(platforms) > 1:
        raise Unsupported(
            "one build makes an image for one platform here: build for each of"
            f" {', '.join(platforms)}, then join them with docker manifest create"
        )
    return platforms[0] if platforms else ""


def _network(mode: str) -> str:
    return {"sandbox": "", "default": ""}.get(mode, mode)


def _hosts(text: str) -> dict[str, str]:
    return read_hosts(tuple(each.strip() for each in _list(text)))


def _resources(attributes: Mapping[str, str]) -> Resources:
    return Resources(
        memory_bytes=_number(attributes, "memory"),
        memory_swap_bytes=_number(attributes, "memswap"),
        cpu_shares=_number(attributes, "cpushares"),
        cpu_period_us=_number(attributes, "cpuperiod"),
        cpu_quota_us=_number(attributes, "cpuquota"),
        cpuset_cpus=attributes.get("cpusetcpus", ""),
        cpuset_mems=attributes.get("cpusetmems", ""),
        shm_bytes=_number(attributes, "shm-size"),
        ulimits=tuple(_ulimit(each) for each in _list(attributes.get("ulimit", ""))),
        cgroup_parent=attributes.get("cgroup-parent", ""),
    )


def _number(attributes: Mapping[str, str], name: str) -> int:
    text = attributes.get(name, "")
    if not text:
        return 0
    try:
        return int(text)
    except ValueError:
        return size_bytes(text)


def _ulimit(text: str) -> tuple[str, int, int]:
    """``NAME=SOFT[:HARD]``."""
    name, _, limits = text.partition("=")
    soft, _, hard = limits.partition(":")
    try:
        return name, int(soft), int(hard or soft)
    except ValueError:
        raise InvalidArgument(f'invalid ulimit "{text}": NAME=SOFT[:HARD] is known') from None


def _cache_from(attributes: Mapping[str, str]) -> tuple[str, ...]:
    """Images that may tell of steps; a cache of another kind is none that can be read here."""
    named = list(_list(attributes.get("cache-from", "")))
    try:
        entries = json.loads(attributes.get("cache-imports", "") or "[]")
        found = [(each.get("Type"), (each.get("Attrs") or {}).get("ref")) for each in entries]
    except (ValueError, AttributeError, TypeError):
        raise InvalidArgument("cache-imports is not a JSON list of caches") from None
    named += [ref for kind, ref in found if kind == "registry" and ref]
    return tuple(dict.fromkeys(named))


def _list(text: str) -> tuple[str, ...]:
    """Values with commas between them, quoted where they have one."""
    return tuple(each for row in csv.reader([text]) for each in row if each)


# Outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where the result goes. type: ``image`` (it stays here), local, tar, docker, oci."""

    type: str
    names: tuple[str, ...] = ()
    push: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


def output(kind: str, attributes: Mapping[str, str]) -> Output:
    """Raises Unsupported for what knarr makes no file of."""
    names = _list(attributes.get("name", ""))
    if any(each.startswith("annotation") for each in attributes):
        raise Unsupported("annotations are not taken here: knarr build --annotation knows them")
    if kind in {"moby", "image"}:
        if attributes.get("push-by-digest") == "true":
            raise Unsupported("push-by-digest is not known here: push by a tag")
        # buildx leaves `push` on an image for Docker's own store, and pushes it by itself.
        push = kind == "image" and attributes.get("push") in {"true", "1"}
        return Output(type="image", names=names, push=push, attributes=attributes)
    if kind in {"docker", "oci"} and attributes.get("tar") == "false":
        raise Unsupported("image layouts as folders are not written here: leave out tar=false")
    if kind in {"local", "tar", "docker", "oci"}:
        return Output(type=kind, names=names, attributes=attributes)
    raise Unsupported(
        f"knarr has no output of type {kind}: image, docker, oci, local and tar are known"
    )
