"""The typed client that waits: ``Client``, a noun for each kind of object, documents for answers.

with Client() as client:
    created = client.containers.create(ContainerCreate(image="debian", cmd=("date",)))
    client.containers.start(created.id)
    print(client.containers.wait(created.id).status_code)
    for output, data in client.containers.logs(created.id):
        ...
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Self

from knarr.client.blocking import Engine, Stream
from knarr.client.calls import containers, execs, images, networks, system, volumes
from knarr.client.endpoint import Tls
from knarr.client.environment import endpoint_of
from knarr.client.verbs import answered, piecewise, streamed
from knarr.http.frames import STDERR

if TYPE_CHECKING:
    from knarr.client.call import Body


class _Noun:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine


class Containers(_Noun):
    """Containers; a ``ref`` is a name, an ID or the beginning of one."""

    list = answered(containers.list_)
    create = answered(containers.create)
    inspect = answered(containers.inspect)
    start = answered(containers.start)
    stop = answered(containers.stop)
    restart = answered(containers.restart)
    kill = answered(containers.kill)
    pause = answered(containers.pause)
    unpause = answered(containers.unpause)
    rename = answered(containers.rename)
    update = answered(containers.update)
    remove = answered(containers.remove)
    wait = answered(containers.wait)
    top = answered(containers.top)
    stats = streamed(containers.stats)
    changes = answered(containers.changes)
    export = piecewise(containers.export)
    get_archive = piecewise(containers.get_archive)
    put_archive = answered(containers.put_archive)
    resize = answered(containers.resize)
    commit = answered(containers.commit)
    prune = answered(containers.prune)

    def logs(
        self,
        ref: str,
        *,
        follow: bool = False,
        since: str | None = None,
        until: str | None = None,
        timestamps: bool = False,
        tail: int | None = None,
    ) -> Iterator[tuple[str, bytes]]:
        """What the container wrote, as ("stdout" or "stderr", bytes).

        ``since`` and ``until`` are Unix seconds with a fraction.
        """
        request = containers.logs(
            ref, follow=follow, since=since, until=until, timestamps=timestamps, tail=tail
        )
        for number, data in self.engine.output(request, raw=self._has_terminal(ref)):
            yield ("stderr" if number == STDERR else "stdout"), data

    def attach(
        self,
        ref: str,
        *,
        stdin: bool = True,
        logs: bool = False,
        detach_keys: str | None = None,
    ) -> Stream:
        """The container's streams on one connection; ``logs`` begins with what it wrote before."""
        request = containers.attach(
            ref, stdin=stdin, stdout=True, stderr=True, logs=logs, detach_keys=detach_keys
        )
        return self.engine.two_way(request, raw=self._has_terminal(ref))

    def _has_terminal(self, ref: str) -> bool:
        config = self.inspect(ref).config
        return config is not None and config.tty


class Execs(_Noun):
    """Further processes in running containers."""

    create = answered(execs.create)
    start_detached = answered(execs.start_detached)
    inspect = answered(execs.inspect)
    resize = answered(execs.resize)

    def start(self, exec_id: str, *, tty: bool = False) -> Stream:
        """Run it, with its streams on this connection. ``tty``: as it was created."""
        return self.engine.two_way(execs.start(exec_id, tty=tty), raw=tty)

    def run(self, container: str, body: Body) -> tuple[int, bytes, bytes]:
        """Run it to its end: (exit code, stdout, stderr). ``body`` is an ExecCreate."""
        identifier = self.create(container, body).id
        written: dict[int, list[bytes]] = {}
        with self.start(identifier) as stream:
            for number, data in stream:
                written.setdefault(STDERR if number == STDERR else 1, []).append(data)
        code = self.inspect(identifier).exit_code or 0
        return code, b"".join(written.get(1, ())), b"".join(written.get(STDERR, ()))


class Images(_Noun):
    """Images, by name or ID."""

    list = answered(images.list_)
    inspect = answered(images.inspect)
    history = answered(images.history)
    pull = streamed(images.pull)
    push = streamed(images.push)
    import_ = streamed(images.import_)
    load = streamed(images.load)
    save = piecewise(images.save)
    files = piecewise(images.files)
    tag = answered(images.tag)
    remove = answered(images.remove)
    search = answered(images.search)
    prune = answered(images.prune)
    distribution = answered(images.distribution)
    show = answered(images.show)
    diff = answered(images.diff)
    explain = answered(images.explain)
    manifest = answered(images.manifest)
    push_index = streamed(images.push_index)


class Networks(_Noun):
    """Networks, by name or ID."""

    list = answered(networks.list_)
    create = answered(networks.create)
    inspect = answered(networks.inspect)
    connect = answered(networks.connect)
    disconnect = answered(networks.disconnect)
    remove = answered(networks.remove)
    prune = answered(networks.prune)


class Volumes(_Noun):
    """Volumes, by name."""

    list = answered(volumes.list_)
    create = answered(volumes.create)
    inspect = answered(volumes.inspect)
    remove = answered(volumes.remove)
    prune = answered(volumes.prune)
    rename = answered(volumes.rename)
    copy = answered(volumes.copy)
    export = piecewise(volumes.export)
    import_ = answered(volumes.import_)


class System(_Noun):
    """The engine itself."""

    ping = answered(system.ping)
    version = answered(system.version)
    info = answered(system.info)
    events = streamed(system.events)
    data_usage = answered(system.data_usage)
    auth = answered(system.auth)
    prune_build_cache = answered(system.prune_build_cache)
    fsck = streamed(system.fsck)
    convert_layers = streamed(system.convert_layers)


class Client:
    """An engine, knarr's or Docker's.

    host: ``unix:///run/knarr/knarr.sock``, ``tcp://host:2376``, ``ssh://user@host``; empty takes
    KNARR_HOST, then DOCKER_HOST, then knarr's own socket.
    version: the API version to speak; empty agrees on one with the engine.
    Failures are raised by meaning (knarr.errors), with the engine's words.
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
        self.engine = Engine(endpoint, version=version or environ.get("DOCKER_API_VERSION", ""))
        self.containers = Containers(self.engine)
        self.exec = Execs(self.engine)
        self.images = Images(self.engine)
        self.networks = Networks(self.engine)
        self.volumes = Volumes(self.engine)
        self.system = System(self.engine)

    @property
    def api_version(self) -> str:
        """The API version that is spoken."""
        return self.engine.version

    def close(self) -> None:
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
