"""Verbs of containers. Source: Engine API, tag "Container"."""

from __future__ import annotations

from knarr.client.call import (
    TAR_TYPE,
    Call,
    Lines,
    Output,
    Pieces,
    TwoWay,
    document,
    filters,
    path,
    query,
)  # fmt: skip
from knarr.client.lean import TYPE_CHECKING
from knarr.http.frames import LINES_TOGETHER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Literal

    from knarr.client.call import Body, Filters
    from knarr.spec.docker.container import (
        ContainerCreated,
        ContainerInspect,
        ContainersPruned,
        ContainerSummary,
        ContainerTop,
        ContainerUpdated,
        ContainerWait,
        FilesystemChange,
    )
    from knarr.spec.docker.stats import ContainerStats
    from knarr.spec.docker.system import IdResponse

    Condition = Literal["not-running", "next-exit", "removed"]


def list_(
    *,
    all_: bool = False,
    limit: int | None = None,
    size: bool = False,
    where: Filters | None = None,
) -> Call[tuple[ContainerSummary, ...]]:
    """Containers, the newest first: the running ones, or all of them."""
    pairs = query(all=all_ or None, limit=limit, size=size or None, filters=filters(where))
    return Call("GET", "/containers/json", pairs)


def create(
    body: Body, *, name: str | None = None, platform: str | None = None
) -> Call[ContainerCreated]:
    """Make a container out of an image; it does not run yet.

    ``body`` is a ContainerCreate; ``platform`` is written OS[/ARCH[/VARIANT]].
    """
    pairs = query(name=name or None, platform=platform or None)
    return Call("POST", "/containers/create", pairs, body=document(body))


def inspect(ref: str, *, size: bool = False) -> Call[ContainerInspect]:
    """All that the engine knows of one container."""
    return Call("GET", path("containers", ref, "json"), query(size=size or None))


def start(ref: str, *, detach_keys: str | None = None) -> Call[None]:
    """Run the container's process. A container that runs already is no error (304)."""
    return Call("POST", path("containers", ref, "start"), query(detachKeys=detach_keys or None))


def stop(ref: str, *, timeout: int | None = None, signal: str | None = None) -> Call[None]:
    """Ask the process to end, and after ``timeout`` seconds (-1: never) kill it."""
    return Call("POST", path("containers", ref, "stop"), query(signal=signal or None, t=timeout))


def restart(ref: str, *, timeout: int | None = None, signal: str | None = None) -> Call[None]:
    """Stop, then start."""
    return Call("POST", path("containers", ref, "restart"), query(signal=signal or None, t=timeout))


def kill(ref: str, *, signal: str = "KILL") -> Call[None]:
    """Send a signal, by name or number, to the container's process."""
    return Call("POST", path("containers", ref, "kill"), query(signal=signal))


def pause(ref: str) -> Call[None]:
    """Freeze every process of the container."""
    return Call("POST", path("containers", ref, "pause"))


def unpause(ref: str) -> Call[None]:
    """Let a paused container go on."""
    return Call("POST", path("containers", ref, "unpause"))


def rename(ref: str, name: str) -> Call[None]:
    """Give a container another name."""
    return Call("POST", path("containers", ref, "rename"), query(name=name))


def update(ref: str, body: Body) -> Call[ContainerUpdated]:
    """Change limits or the restart policy; ``body`` is a ContainerUpdate."""
    return Call("POST", path("containers", ref, "update"), body=document(body))


def remove(
    ref: str, *, force: bool = False, volumes: bool = False, link: bool = False
) -> Call[None]:
    """Remove a container, with its anonymous volumes where ``volumes`` is set."""
    pairs = query(force=force or None, link=link or None, v=volumes or None)
    return Call("DELETE", path("containers", ref), pairs)


def wait(ref: str, *, condition: Condition = "not-running") -> Call[ContainerWait]:
    """The exit code, once the condition holds."""
    pairs = query(condition=condition)
    return Call("POST", path("containers", ref, "wait"), pairs)


def top(ref: str, *, ps_args: str | None = None) -> Call[ContainerTop]:
    """The container's processes, as ``ps`` shows them."""
    return Call("GET", path("containers", ref, "top"), query(ps_args=ps_args or None))


def logs(
    ref: str,
    *,
    stdout: bool = True,
    stderr: bool = True,
    follow: bool = False,
    since: str | None = None,
    until: str | None = None,
    timestamps: bool = False,
    details: bool = False,
    tail: str | int | None = None,
) -> Output:
    """What the container wrote; ``since`` and ``until`` are Unix seconds with a fraction."""
    pairs = query(
        details=details or None, follow=follow or None, since=since or None,
        stderr=stderr or None, stdout=stdout or None, tail=tail,
        timestamps=timestamps or None, until=until or None,
    )  # fmt: skip
    headers = (("Accept", LINES_TOGETHER),)  # an engine that does not know it sends line by line
    return Output("GET", path("containers", ref, "logs"), pairs, headers=headers)


def stats(ref: str, *, stream: bool = True, one_shot: bool = False) -> Lines[ContainerStats]:
    """Usage of resources, once a second; ``one_shot`` answers at once, without a second sample."""
    pairs = query(stream=stream, **({"one-shot": True} if one_shot else {}))
    return Lines("GET", path("containers", ref, "stats"), pairs)


def changes(ref: str) -> Call[tuple[FilesystemChange, ...]]:
    """Paths that differ from the image: 0 changed, 1 added, 2 deleted."""
    return Call("GET", path("containers", ref, "changes"))


def export(ref: str) -> Pieces:
    """The container's file system as a tar archive."""
    return Pieces("GET", path("containers", ref, "export"))


def stat_path(ref: str, inside: str) -> Call[None]:
    """Facts about a path in the container: the answer's header X-Docker-Container-Path-Stat."""
    return Call("HEAD", path("containers", ref, "archive"), query(path=inside))


def get_archive(ref: str, inside: str) -> Pieces:
    """A path in the container as a tar archive."""
    return Pieces("GET", path("containers", ref, "archive"), query(path=inside))


def put_archive(
    ref: str,
    inside: str,
    archive: bytes | Iterable[bytes],
    *,
    keep_types: bool = True,
    copy_ids: bool = False,
) -> Call[None]:
    """Unpack a tar archive into a folder of the container.

    keep_types: refuse to replace a folder by a file, and a file by a folder.
    copy_ids: give the files to the archive's user and group.
    """
    pairs = query(
        path=inside,
        noOverwriteDirNonDir="true" if keep_types else None,
        copyUIDGID="true" if copy_ids else None,
    )
    where = path("containers", ref, "archive")
    return Call("PUT", where, pairs, body=archive, headers=(("Content-Type", TAR_TYPE),))


def attach(
    ref: str,
    *,
    stdin: bool = False,
    stdout: bool = False,
    stderr: bool = False,
    stream: bool = True,
    logs: bool = False,
    detach_keys: str | None = None,
) -> TwoWay:
    """The container's standard streams on one connection."""
    pairs = query(
        detachKeys=detach_keys or None, logs=logs or None, stderr=stderr or None,
        stdin=stdin or None, stdout=stdout or None, stream=stream or None,
    )  # fmt: skip
    return TwoWay("POST", path("containers", ref, "attach"), pairs)


def resize(ref: str, *, rows: int, columns: int) -> Call[None]:
    """Tell the container's terminal its size."""
    return Call("POST", path("containers", ref, "resize"), query(h=rows, w=columns))


def commit(
    ref: str,
    *,
    repo: str | None = None,
    tag: str | None = None,
    comment: str | None = None,
    author: str | None = None,
    pause: bool = True,
    changes: Iterable[str] = (),
    config: dict[str, Any] | None = None,
) -> Call[IdResponse]:
    """Make an image of the container's present files and configuration."""
    pairs = query(
        author=author or None, changes=list(changes), comment=comment or None, container=ref,
        pause=None if pause else False, repo=repo or None, tag=tag or None,
    )  # fmt: skip
    return Call("POST", "/commit", pairs, body=document(config or {}))


def prune(where: Filters | None = None) -> Call[ContainersPruned]:
    """Remove all containers that do not run."""
    return Call("POST", "/containers/prune", query(filters=filters(where)))
