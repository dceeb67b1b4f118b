"""What the containers of a project write, each line with the name of its container before it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from knarr.client.calls import containers
from knarr.compose.observed import name_of
from knarr.errors import KnarrError
from knarr.spec.docker.container import ContainerInspect, ContainerSummary

if TYPE_CHECKING:
    from knarr.cli.compose.call import Call

# Cyan, yellow, green, magenta, blue, then the same brighter: in the order that Compose has.
_COLOURS: Final = ("36", "33", "32", "35", "34", "36;1", "33;1", "32;1", "35;1", "34;1")


def short_name(container: ContainerSummary, project: str, separator: str = "-") -> str:
    """The container's name without the project's: ``web-1``."""
    return name_of(container).removeprefix(project + separator)


class Written(Protocol):
    """What lines are written to."""

    def write(self, text: str, /) -> int: ...

    def flush(self) -> None: ...


class LogPrinter:
    """Lines of several containers on one output. May be fed from several threads."""

    def __init__(
        self, out: Written, *, colour: bool = False, prefix: bool = True, timestamps: bool = False
    ) -> None:
        self._out = out
        self._colour = colour
        self._prefix = prefix
        self._timestamps = timestamps
        self._lock = threading.Lock()
        self._names: list[str] = []
        self._rest: dict[str, bytes] = {}
        self._held: list[tuple[str, str]] | None = None  # by name, while another has the terminal

    def register(self, names: Iterable[str]) -> None:
        """Names that are about to be seen, so that all prefixes are equally wide."""
        with self._lock:
            self._names += [name for name in names if name not in self._names]

    def feed(self, name: str, data: bytes) -> None:
        """Print what is whole lines; the rest waits for its end."""
        self.register([name])
        with self._lock:
            *lines, rest = (self._rest.get(name, b"") + data).split(b"\n")
            self._rest[name] = rest
            self._write(name, lines)

    def end(self, name: str) -> None:
        """Print what the container wrote last without a line's end."""
        with self._lock:
            rest = self._rest.pop(name, b"")
            self._write(name, [rest] if rest else [])

    def status(self, name: str, text: str) -> None:
        """A line about a container."""
        self.register([name])
        with self._lock:
            self._print(name, self._in_colour(name, f"{name} {text}") + "\n")

    def say(self, text: str) -> None:
        """A line about the whole."""
        with self._lock:
            self._print("", text + "\n")

    def hold(self) -> None:
        """Print nothing for now."""
        with self._lock:
            self._held = []

    def release(self, *, seen: str = "") -> None:
        """Print what has come meanwhile, but for what ``seen`` wrote."""
        with self._lock:
            held, self._held = self._held or [], None
            for name, text in held:
                if not name or name != seen:
                    self._print(name, text)

    def _print(self, name: str, text: str) -> None:
        if self._held is not None:
            self._held.append((name, text))
            return
        self._out.write(text)
        self._out.flush()

    def watch(self, text: str) -> None:
        """Lines of whoever follows changes of files."""
        with self._lock:
            width = max(map(len, self._names), default=6) + 1
            before = f"{'':<{width}} ⦿ " if self._prefix else ""
            before = f"\x1b[92m{before}\x1b[0m" if self._colour and before else before
            self._print("", "".join(f"{before}{line}\n" for line in text.split("\n")))

    def _write(self, name: str, lines: list[bytes]) -> None:
        if not lines:
            return
        width = max(map(len, self._names)) + 1
        before = self._in_colour(name, f"{name:<{width}} | ") if self._prefix else ""
        if self._timestamps:
            before += datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z ")
        texts = (line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines)
        self._print(name, "".join(f"{before}{text}\n" for text in texts))

    def _in_colour(self, name: str, text: str) -> str:
        if not self._colour:
            return text
        code = _COLOURS[self._names.index(name) % len(_COLOURS)]
        return f"\x1b[{code}m{text}\x1b[0m"


class Follower:
    """Reads the logs of containers, a thread for each, into a printer."""

    def __init__(self, call: Call, printer: LogPrinter) -> None:
        self._call = call
        self._printer = printer
        self._threads: dict[str, threading.Thread] = {}

    def follow(self, identifier: str, name: str, *, since: str = "", tail: str = "all") -> None:
        """Show what is written from now on, or since a moment; once for each container."""
        running = self._threads.get(identifier)
        if running is not None and running.is_alive():
            return
        thread = threading.Thread(
            target=self._read, args=(identifier, name, since, tail), daemon=True
        )
        self._threads[identifier] = thread
        thread.start()

    def _read(self, identifier: str, name: str, since: str, tail: str) -> None:
        with suppress(KnarrError, OSError):  # it is gone, or has no log that can be read
            copy_logs(
                self._call, identifier, lambda data: self._printer.feed(name, data),
                follow=True, since=since, tail=tail,
            )  # fmt: skip
        self._printer.end(name)

    def wait(self, identifiers: Iterable[str] | None = None) -> None:
        """Until the logs of these containers, or of all, have ended."""
        for identifier, thread in list(self._threads.items()):
            if identifiers is None or identifier in identifiers:
                thread.join()


def copy_logs(
    call: Call,
    identifier: str,
    write: Callable[[bytes], None],
    *,
    follow: bool = False,
    since: str = "",
    until: str = "",
    tail: str = "all",
    timestamps: bool = False,
) -> None:
    """What a container wrote, stdout and stderr as they come."""
    inspected = call.engines.ask(containers.inspect(identifier), ContainerInspect)
    tty = inspected.config is not None and inspected.config.tty
    request = containers.logs(
        identifier, follow=follow, since=since or None, until=until or None, tail=tail,
        timestamps=timestamps,
    )  # fmt: skip
    for _, data in call.engines.engine.output(request, raw=tty):
        write(data)
