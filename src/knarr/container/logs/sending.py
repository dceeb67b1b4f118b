"""Logs on their way to a syslog server or the journal: read from disk, sent line by line.

The container never waits for it, and a server that is away is tried again: what was sent is written
down beside the log, so that a daemon that was killed goes on from there.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

from knarr.container.logs import syslog
from knarr.container.logs.destinations import Destination, to_journal, to_syslog
from knarr.container.logs.details import details, tag
from knarr.container.logs.journald import SOCKET, JournalForm
from knarr.container.logs.lines import Line, lines
from knarr.container.logs.options import NOT_READY, SENDING
from knarr.container.model import Container
from knarr.container.registry import ContainerRegistry
from knarr.errors import InvalidArgument, KnarrError
from knarr.ids import ContainerId
from knarr.runtime.log import LogQuery, LogReader
from knarr.runtime.segments import Place, end_of_log
from knarr.spec.docker.container import LogConfig

_SENT: Final = "log-sent"  # a file beside the log's folder: segment and offset, as text
_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 30.0
_PATIENCE_S: Final = 10.0  # for the last lines of a container that is removed
_log = logging.getLogger("knarr.container")

Encode = Callable[[Line], bytes]


class LogSender:
    """One task for each container that has such a driver, from its start to its end."""

    def __init__(
        self,
        registry: ContainerRegistry,
        log_folder: Callable[[ContainerId], Path],
        tasks: asyncio.TaskGroup,
        journal: str = SOCKET,
    ) -> None:
        self._registry, self._log_folder = registry, log_folder
        self._tasks, self._journal = tasks, journal
        self._sending: dict[ContainerId, asyncio.Task[None]] = {}
        self._again: set[ContainerId] = set()  # started while their last run was still on its way

    async def check(self, container: Container) -> None:
        """Before a start: is there anybody to send to? Raises KnarrError in Docker's words."""
        if (config := _sending(container)) is not None:
            try:
                _encoder(container, config)
                (await self._connect(config)).close()
            except (OSError, InvalidArgument) as error:
                raise KnarrError(f"{NOT_READY}: {_words(error)}") from error

    def begin(self, container: Container) -> None:
        """It runs, or has run: send what was not sent yet, and what comes until it ends."""
        if _sending(container) is None or not container.state.started_ns:
            return
        if container.id in self._sending:
            self._again.add(container.id)
            return
        task = self._sending[container.id] = self._tasks.create_task(self._send(container))
        task.add_done_callback(lambda task: self._ended(container.id, task))

    def close(self) -> None:
        """The daemon ends; what is not sent yet, the next one sends."""
        for task in tuple(self._sending.values()):
            task.cancel()

    async def finish(self, container_id: ContainerId) -> None:
        """It is removed: give what it wrote last a chance to arrive."""
        if (task := self._sending.get(container_id)) is None:
            return
        folder = self._log_folder(container_id)
        if _read_place(folder) != end_of_log(folder):
            await asyncio.wait({task}, timeout=_PATIENCE_S)
            if not task.done():
                _log.warning("container %s: the end of its log could not be sent", container_id)
        task.cancel()

    def _ended(self, container_id: ContainerId, task: asyncio.Task[None]) -> None:
        del self._sending[container_id]
        again, container = container_id in self._again, self._registry.get(container_id)
        self._again.discard(container_id)
        if again and not task.cancelled() and container is not None:
            self.begin(container)

    async def _send(self, container: Container) -> None:
        config, folder = _sending(container), self._log_folder(container.id)
        assert config is not None
        destination: Destination | None = None
        try:
            encode = _encoder(container, config)
            reader = LogReader(folder, LogQuery(from_place=_read_place(folder)))
            async with aclosing(reader.follow()) as batches:
                async for batch in batches:
                    messages = [encode(line) for block in batch for line in lines(block)]
                    destination = await self._delivered(container, destination, messages)
                    _write_place(folder, reader.place)
        except Exception:
            _log.exception("sending the log of container %s", container.id)
        finally:
            if destination is not None:
                destination.close()

    async def _delivered(
        self, container: Container, destination: Destination | None, messages: Sequence[bytes]
    ) -> Destination:
        """Send, as often as it takes; over which connection it went at last."""
        config, delay_s = _sending(container), _FIRST_DELAY_S
        assert config is not None
        while True:
            try:
                if destination is None:
                    destination = await self._connect(config)
                await destination.send(messages)
            except (OSError, InvalidArgument) as error:
                if delay_s == _FIRST_DELAY_S:
                    _log.warning("the log of container %s: %s", container.name, _words(error))
            else:
                return destination
            if destination is not None:
                destination.close()
                destination = None
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    async def _connect(self, config: LogConfig) -> Destination:
        if config.type == "syslog":
            address, tls = syslog.address(config.config), syslog.tls(config.config)
            return await to_syslog(address, tls)
        try:
            return to_journal(self._journal)
        except OSError as error:
            raise OSError(
                f"journald is not enabled on this host (nobody listens at {self._journal})"
            ) from error


def _sending(container: Container) -> LogConfig | None:
    config = container.record.host.log_config
    return config if config is not None and config.type in SENDING else None


def _encoder(container: Container, config: LogConfig) -> Encode:
    if config.type == "syslog":
        hostname = os.uname().nodename
        form = syslog.SyslogForm(config.config, tag=tag(container), hostname=hostname)
        return lambda line: form.message(line.stream, line.time_ns, line.text)
    journal = JournalForm(
        container_id=container.id,
        name=container.name,
        image=container.record.image_name,
        tag=tag(container),
        details=details(container),
    )
    return lambda line: journal.entry(line.stream, line.time_ns, line.text, line.piece)


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _read_place(folder: Path) -> Place | None:
    with suppress(FileNotFoundError, ValueError):
        segment, offset = (folder.parent / _SENT).read_text().split()
        return Place(int(segment), int(offset))
    return None


def _write_place(folder: Path, place: Place) -> None:
    """Not synced: after a power cut some lines are sent twice, none is left out.

    Always as long, and in one call: it is whole whenever the daemon is killed.
    """
    with suppress(OSError):
        file = os.open(folder.parent / _SENT, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(file, b"%010d %020d" % place, 0)
        finally:
            os.close(file)
