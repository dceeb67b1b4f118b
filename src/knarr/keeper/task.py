"""One process in a container, from the start of the OCI runtime to the last byte and the exit."""

import contextlib
import fcntl
import os
import struct
import termios
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from knarr.keeper.files import remove_folder
from knarr.keeper.journal import Alive, Exit, Journal, Key
from knarr.keeper.loop import READ, Loop
from knarr.keeper.record import LogWriter
from knarr.keeper.spawn import Order, spawn
from knarr.keeper.stdio import Stdio
from knarr.keeper.sweep import Sweeper
from knarr.kernel.cgroups import Cgroup, Write
from knarr.kernel.process import exit_code, exit_code_of, open_process, send_signal, start_time

STDOUT: Final = 1
STDERR: Final = 2
UNKNOWN_EXIT: Final = 137  # of a process whose parent was not there to see its end
DRAIN_SECONDS: Final = 2.0  # for streams that somebody else still has open after the exit


class LogPlace(NamedTuple):
    """Where the log goes and how much of it is kept, as LogWriter takes it."""

    folder: str
    max_bytes: int
    max_files: int


class Start(NamedTuple):
    """All that it takes to start a process.

    open_stdin, stdin_once: as Docker's API has them. size: rows and columns of a terminal.
    enters: the process is put into ``cgroup`` by us, not by the runtime. leftovers: folders that
    go when the process has gone.
    """

    order: Order
    pid_file: str
    terminal: bool
    size: tuple[int, int] | None
    open_stdin: bool
    stdin_once: bool
    log: LogPlace | None
    cgroup: Cgroup | None
    writes: Sequence[Write]
    enters: bool
    leftovers: tuple[str, ...]


class Failure(NamedTuple):
    """Why a start came to nothing: what the runtime wrote down, and its exit code."""

    log: str
    status: int


OnStarted = Callable[[Alive | Failure], None]
OnExited = Callable[["Task", Exit], None]


class Ends(NamedTuple):
    """Descriptors of a process's stdio: ``theirs`` for the runtime, the others for us."""

    theirs: tuple[int, int, int]
    outputs: dict[int, int]
    stdin: int | None

    def close_theirs(self) -> None:
        _close(set(self.theirs))

    def close_ours(self) -> None:
        _close(self.outputs)
        if self.stdin is not None:
            os.close(self.stdin)


class Task:
    """A key at first, that clients may attach to; then a process; then an exit."""

    def __init__(
        self, loop: Loop, journal: Journal, sweeper: Sweeper, key: Key, over: OnExited
    ) -> None:
        self._loop, self._journal, self._sweeper, self.key = loop, journal, sweeper, key
        self._over = over
        self.stdio = Stdio(loop, self._streams_ended)
        self.alive: Alive | None = None
        self.runtime_pid: int | None = None  # while the OCI runtime is at work
        self.terminal: int | None = None  # its master side
        self._group: Cgroup | None = None
        self._handle: int | None = None
        self._end: tuple[int, int] | None = None

    @property
    def idle(self) -> bool:
        """Neither a process nor about to become one."""
        return self.alive is None and self.runtime_pid is None

    # Start.

    def start(self, start: Start, answer: OnStarted) -> None:
        """Run the OCI runtime; ``answer`` gets what came of it, before any exit is told."""
        self._group = None if self.key.exec else start.cgroup
        try:
            ends = _make_ends(start)
            try:
                self.runtime_pid = pid = self._spawn(start, ends)
            except OSError:
                ends.close_ours()
                raise
            finally:
                ends.close_theirs()
        except OSError as error:
            self._fail(start, answer, Failure(str(error), 1))
            return
        self._loop.expect()
        self._loop.on_exit(pid, lambda status, _: self._runtime_ended(start, ends, answer, status))

    def take_terminal(self, master: int) -> None:
        """The runtime made a terminal; ``master`` is its side of it, ours from now on."""
        self.terminal = master

    def _spawn(self, start: Start, ends: Ends) -> int:
        group = start.cgroup if start.enters else None
        if group is None:
            return spawn(start.order, ends.theirs, ())
        if not self.key.exec:
            self._sweeper.spare(group.path)
            group.create()
            group.apply(start.writes)
        entrances = group.entrances()
        try:
            return spawn(start.order, ends.theirs, entrances)
        finally:
            _close(entrances)

    def _runtime_ended(self, start: Start, ends: Ends, answer: OnStarted, status: int) -> None:
        self.runtime_pid = None
        try:
            pid = _read_pid(start.pid_file) if status == 0 else None
            if pid is None:
                ends.close_ours()
                failure = Failure(_read_log(start.order.error_log), exit_code(status))
                self._fail(start, answer, failure)
                return
            answer(self._began(start, ends, pid))
            self._loop.on_exit(pid, lambda status, ns: self._exited(exit_code(status), ns))
        finally:
            self._loop.expect_no_more()

    def _began(self, start: Start, ends: Ends, pid: int) -> Alive:
        self._handle = open_process(pid)
        self.alive = alive = Alive(
            key=self.key,
            pid=pid,
            started_ticks=start_time(pid) or 0,
            started_ns=time.time_ns(),
            cgroup=start.cgroup.path if start.cgroup is not None else "",
            leftovers=start.leftovers,
        )
        self._journal.began(alive)
        outputs, stdin = ends.outputs, ends.stdin
        if self.terminal is not None:
            if start.size is not None:
                self.resize(*start.size)
            # A descriptor each, though one terminal: they are waited for apart.
            outputs, stdin = {os.dup(self.terminal): STDOUT}, os.dup(self.terminal)
        self.stdio.open(
            outputs,
            stdin,
            stdin_once=start.stdin_once and not start.terminal,
            log=LogWriter(*start.log) if start.log is not None else None,
        )
        return alive

    def _fail(self, start: Start, answer: OnStarted, failure: Failure) -> None:
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None
        self._clear(start.leftovers)
        self.stdio.close()
        answer(failure)

    # Adoption.

    def adopt(self, alive: Alive, group: Cgroup | None) -> None:
        """A process that an earlier keeper started, and that goes on or ended without us."""
        self.alive = alive
        self._group = None if self.key.exec else group
        handle = open_process(alive.pid, alive.started_ticks)
        if handle is None:
            self._exited(UNKNOWN_EXIT, time.time_ns())
            return
        self._handle = handle
        self._loop.watch(handle, READ, self._on_orphan_ended)

    def _on_orphan_ended(self, _events: int) -> None:
        assert self._handle is not None
        self._loop.unwatch(self._handle)
        code = exit_code_of(self._handle)
        self._exited(UNKNOWN_EXIT if code is None else code, time.time_ns())

    # Life.

    def signal(self, number: int) -> None:
        """Raises ProcessLookupError when there is no process (any more)."""
        if self._handle is None:
            raise ProcessLookupError(3, "no such process")
        send_signal(self._handle, number)

    def resize(self, rows: int, columns: int) -> None:
        """Raises OSError without a terminal."""
        if self.terminal is None:
            raise OSError(25, "the process has no terminal")
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    # Exit.

    def _exited(self, code: int, finished_ns: int) -> None:
        self._end = (code, finished_ns)
        if self.stdio.drain():
            self._finish()
        else:
            self._loop.call_later(DRAIN_SECONDS, self._finish)

    def _streams_ended(self) -> None:
        if self._end is not None:
            self._finish()

    def _finish(self) -> None:
        """Everything is known: write it down, tell, clear away. Only the first call counts."""
        if self.alive is None or self._end is None:
            return
        alive, self.alive = self.alive, None
        code, finished_ns = self._end
        self.stdio.close()
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        exit_ = self._journal.ended(self.key, code, self._oom_killed(), finished_ns)
        self._over(self, exit_)
        self._clear(alive.leftovers)

    def _oom_killed(self) -> bool:
        if self._group is None:
            return False
        with contextlib.suppress(OSError):
            return self._group.oom_kills() > 0
        return False

    def _clear(self, leftovers: Sequence[str]) -> None:
        for folder in leftovers:
            with contextlib.suppress(OSError):
                remove_folder(folder)
        if self._group is not None:
            self._sweeper.sweep(self._group)


def _make_ends(start: Start) -> Ends:
    """Pipes, or for what has no pipe the null device; with a terminal the runtime makes it all."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    if start.terminal:
        return Ends((null, null, null), {}, None)
    opened: list[int] = [null]
    try:
        theirs_in, ours_in = null, None
        if start.open_stdin:
            theirs_in, ours_in = os.pipe2(os.O_CLOEXEC)
            opened += (theirs_in, ours_in)
        ours_out, theirs_out = os.pipe2(os.O_CLOEXEC)
        opened += (ours_out, theirs_out)
        ours_err, theirs_err = os.pipe2(os.O_CLOEXEC)
    except OSError:
        _close(opened)
        raise
    if start.open_stdin:
        os.close(null)
    return Ends((theirs_in, theirs_out, theirs_err), {ours_out: STDOUT, ours_err: STDERR}, ours_in)


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _read_pid(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):
        return None


def _read_log(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
