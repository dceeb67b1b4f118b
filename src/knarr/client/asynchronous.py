"""The typed client that does not wait: ``AsyncClient``, the nouns and documents of ``Client``.

async with AsyncClient() as client:
    async for event in client.system.events():
        ...
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Self

from knarr.client.aio import AsyncEngine, AsyncStream
from knarr.client.calls import containers, execs, images, networks, system, volumes
from knarr.client.endpoint import Tls
from knarr.client.environment import endpoint_of
from knarr.client.verbs import async_answered, async_piecewise, async_streamed
from knarr.http.frames import STDERR

if TYPE_CHECKING:
    from knarr.client.call import Body


class _Noun:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine


class AsyncContainers(_Noun):
    """Containers; a ``ref`` is a name, an ID or the beginning of one."""

    list = async_answered(containers.list_)
    create = async_answered(containers.create)
    inspect = async_answered(containers.inspect)
    start = async_answered(containers.start)
    stop = async_answered(containers.stop)
    restart = async_answered(containers.restart)
    kill = async_answered(containers.kill)
    pause = async_answered(containers.pause)
    unpause = async_answered(containers.unpause)
    rename = async_answered(containers.rename)
    update = async_answered(containers.update)
    remove = async_answered(containers.remove)
    wait = async_answered(containers.wait)
    top = async_answered(containers.top)
    stats = async_streamed(containers.stats)
    changes = async_answered(containers.changes)
    export = async_piecewise(containers.export)
    get_archive = async_piecewise(containers.get_archive)
    put_archive = async_answered(containers.put_archive)
    resize = async_answered(containers.resize)
    commit = async_answered(containers.commit)
    prune = async_answered(containers.prune)

    async def logs(
        self,
        ref: str,
        *,
        follow: bool = False,
        since: str | None = None,
        until: str | None = None,
        timestamps: bool = False,
        tail: int | None = None,
    ) -> AsyncGenerator[tuple[str, bytes]]:
        """What the container wrote, as ("stdout" or "stderr", bytes).

        ``since`` and ``until`` are Unix seconds with a fraction.
        """
        request = containers.logs(
            ref, follow=follow, since=since, until=until, timestamps=timestamps, tail=tail
        )
        raw = await self._has_terminal(ref)
        async with aclosing(self.engine.output(request, raw=raw)) as output:
            async for number, data in output:
                yield ("stderr" if number == STDERR else "stdout"), data

    async def attach(
        self,
        ref: str,
        *,
        stdin: bool = True,
        logs: bool = False,
        detach_keys: str | None = None,
    ) -> AsyncStream:
        """The container's streams on one connection; ``logs`` begins with what it wrote before."""
        request = containers.attach(
            ref, stdin=stdin, stdout=True, stderr=True, logs=logs, detach_keys=detach_keys
        )
        return await self.engine.two_way(request, raw=await self._has_terminal(ref))

    async def _has_terminal(self, ref: str) -> bool:
        config = (await self.inspect(ref)).config
        return config is not None and config.tty


class AsyncExecs(_Noun):
    """Further processes in running containers."""

    create = async_answered(execs.create)
    start_detached = async_answered(execs.start_detached)
    inspect = async_answered(execs.inspect)
    resize = async_answered(execs.resize)

    async def start(self, exec_id: str, *, tty: bool = False) -> AsyncStream:
        """Run it, with its streams on this connection. ``tty``: as it was created."""
        return await self.engine.two_way(execs.start(exec_id, tty=tty), raw=tty)

    async def run(self, container: str, body: Body) -> tuple[int, bytes, bytes]:
        """Run it to its end: (exit code, stdout, stderr). ``body`` is an ExecCreate."""
        identifier = (await self.create(container, body)).id
        written: dict[int, list[bytes]] = {}
        async with await self.start(identifier) as stream:
            async for number, data in stream:
                written.setdefault(STDERR if number == STDERR else 1, []).append(data)
        code = (await self.inspect(identifier)).exit_code or 0
        return code, b"".join(written.get(1, ())), b"".join(written.get(STDERR, ()))


class AsyncImages(_Noun):
    """Images, by name or ID."""

    list = async_answered(images.list_)
    inspect = async_answered(images.inspect)
    history = async_answered(images.history)
    pull = async_streamed(images.pull)
    push = async_streamed(images.push)
    import_ = async_streamed(images.import_)
    load = async_streamed(images.load)
    save = async_piecewise(images.save)
    files = async_piecewise(images.files)
    tag = async_answered(images.tag)
    remove = async_answered(images.remove)
    search = async_answered(images.search)
    prune = async_answered(images.prune)
    distribution = async_answered(images.distribution)
    show = async_answered(images.show)
    diff = async_answered(images.diff)
    explain = async_answered(images.explain)
    manifest = async_answered(images.manifest)
    push_index = async_streamed(images.push_index)


class AsyncNetworks(_Noun):
    """Networks, by name or ID."""

    list = async_answered(networks.list_)
    create = async_answered(networks.create)
    inspect = async_answered(networks.inspect)
    connect = async_answered(networks.connect)
    disconnect = async_answered(networks.disconnect)
    remove = async_answered(networks.remove)
    prune = async_answered(networks.prune)


class AsyncVolumes(_Noun):
    """Volumes, by name."""

    list = async_answered(volumes.list_)
    create = async_answered(volumes.create)
    inspect = async_answered(volumes.inspect)
    remove = async_answered(volumes.remove)
    prune = async_answered(volumes.prune)
    rename = async_answered(volumes.rename)
    copy = async_answered(volumes.copy)
    export = async_piecewise(volumes.export)
    import_ = async_answered(volumes.import_)


class AsyncSystem(_Noun):
    """The engine itself."""

    ping = async_answered(system.ping)
    version = async_answered(system.version)
    info = async_answered(system.info)
    events = async_streamed(system.events)
    data_usage = async_answered(system.data_usage)
    auth = async_answered(system.auth)
    prune_build_cache = async_answered(system.prune_build_cache)
    fsck = async_streamed(system.fsck)
    convert_layers = async_streamed(system.convert_layers)


class AsyncClient:
    """An engine, knarr's or Docker's; the arguments are ``Client``'s.

    Requests may run side by side: each has a connection of its own while it is under way.
    """

    def __init__(
        self,
        host: str = "",
        *,
        tls: Tls | None = None,
        version: str = "",
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        endpoint = endpoint_of(host, tls=tls, environ=environ)
        version = version or environ.get("DOCKER_API_VERSION", "")
        self.engine = AsyncEngine(endpoint, version=version)
        self.containers = AsyncContainers(self.engine)
        self.exec = AsyncExecs(self.engine)
        self.images = AsyncImages(self.engine)
        self.networks = AsyncNetworks(self.engine)
        self.volumes = AsyncVolumes(self.engine)
        self.system = AsyncSystem(self.engine)

    async def close(self) -> None:
        await self.engine.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
