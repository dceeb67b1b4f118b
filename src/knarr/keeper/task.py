"""One process in a container, from the start of the OCI runtime to the last byte and the exit."""

import contextlib
import fcntl
import os
import struct
import termios
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from knarr.keeper.console import Console
from knarr.keeper.files import copy_file, remove_folder
from knarr.keeper.journal import Alive, Exit, Journal, Key
from knarr.keeper.loop import GONE, READ, Loop
from knarr.keeper.null import Null
from knarr.keeper.program import Programs
from knarr.keeper.record import LogWriter
from knarr.keeper.spawn import Order, spawn
from knarr.keeper.stdio import Stdio
from knarr.keeper.sweep import Sweeper
from knarr.kernel.cgroups import Cgroup, Write
from knarr.kernel.process import exit_code, exit_code_of, open_process, send_signal, start_time

STDOUT: Final = 1
STDERR: Final = 2
UNKNOWN_EXIT: Final = 137  # of a process whose parent was not there to see its end
REAP_SECONDS: Final = 2.0  # for the new parent of an orphan
DRAIN_SECONDS: Final = 2.0  # for streams that somebody else still has open after the exit


class Start(NamedTuple):
    """All that it takes to start a process.

    console: the name, in the order's directory, of the socket on which the runtime hands over a
    terminal; empty without one. size: a terminal's rows and columns.
    open_stdin, stdin_once: as Docker's API has them.
    enters: the process is put into ``cgroup`` by us, not by the runtime. leftovers: folders that
    go when the process has gone. kept: a file that the runtime leaves, and where to copy it.
    owner: user and group that the pipes belong to, for a root that is not the host's.
    """

    order: Order
    pid_file: str
    console: str
    size: tuple[int, int] | None
    open_stdin: bool
    stdin_once: bool
    log: tuple[str, int, int] | None
    cgroup: Cgroup | None
    writes: Sequence[Write]
    enters: bool
    leftovers: tuple[str, ...]
    kept: tuple[str, ...]
    owner: tuple[int, int] | None = None


class Failure(NamedTuple):
    """Why a start came to nothing: what the runtime wrote down, and its exit code."""

    log: str
    status: int


class Lifeline(NamedTuple):
    """What the daemon keeps of a process, so that a keeper's death is not the process's.

    descriptors: a pidfd if ``handle``, then one for each of ``streams``; a terminal has one alone.
    """

    handle: bool
    streams: tuple[int, ...]
    terminal: bool
    descriptors: tuple[int, ...]


_NULL: Final = Null()

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
        self,
        loop: Loop,
        journal: Journal,
        sweeper: Sweeper,
        programs: Programs,
        key: Key,
        over: OnExited,
    ) -> None:
        self._loop, self._journal, self._sweeper = loop, journal, sweeper
        self._programs, self.key = programs, key
        self._over = over
        self.stdio = Stdio(loop, self._streams_ended)
        self.alive: Alive | None = None
        self.runtime_pid: int | None = None  # while the OCI runtime is at work
        self._console: Console | None = None
        self._terminal: int | None = None  # its master side
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
            if start.console:
                self._console = Console(start.order.directory, start.console)
            ends = _make_ends(start, _NULL.open())
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

    def _spawn(self, start: Start, ends: Ends) -> int:
        executable = self._programs.executable(start.order.argv[0])
        group = start.cgroup if start.enters else None
        if group is None:
            return spawn(start.order, executable, ends.theirs, ())
        if not self.key.exec:
            self._sweeper.spare(group.path)
            group.create()
            group.apply(start.writes)
            if start.owner is not None:
                group.let_look()
        entrances = group.entrances()
        try:
            return spawn(start.order, executable, ends.theirs, entrances)
        finally:
            _close(entrances)

    def _runtime_ended(self, start: Start, ends: Ends, answer: OnStarted, status: int) -> None:
        self.runtime_pid = None
        if self._console is not None:
            self._terminal = self._console.take()
        try:
            pid = _read_pid(start.pid_file) if status == 0 else None
            if pid is None:
                ends.close_ours()
                failure = Failure(_read_log(start.order.error_log), exit_code(status))
                self._fail(start, answer, failure)
                return
            if start.kept:
                copy_file(*start.kept)
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
            log=start.log,
        )
        self._journal.began(alive)
        outputs, stdin = ends.outputs, ends.stdin
        if self._terminal is not None:
            if start.size is not None:
                self.resize(*start.size)
            # A descriptor each, though one terminal: they are waited for apart.
            outputs, stdin = {os.dup(self._terminal): STDOUT}, os.dup(self._terminal)
        self.stdio.open(
            outputs,
            stdin,
            stdin_once=start.stdin_once and not start.console,
            log=LogWriter(*start.log) if start.log is not None else None,
        )
        return alive

    def _fail(self, start: Start, answer: OnStarted, failure: Failure) -> None:
        if self._console is not None:
            self._console.close()
        self._drop_terminal()
        self._clear(start.leftovers)
        self.stdio.close()
        answer(failure)

    # Outliving the keeper.

    def lifeline(self) -> Lifeline:
        """Copies of what must not be closed when this keeper dies, for the daemon to hold.

        Not of a stdin that is a pipe: as long as one copy is open, it does not end.
        """
        outputs = self.stdio.outputs
        descriptors = ([self._handle] if self._handle is not None else []) + list(outputs)
        return Lifeline(
            handle=self._handle is not None,
            streams=tuple(outputs.values()),
            terminal=self._terminal is not None,
            descriptors=tuple(os.dup(descriptor) for descriptor in descriptors),
        )

    def adopt(self, alive: Alive, group: Cgroup | None, lifeline: Lifeline) -> None:
        """Take over a process of an earlier keeper, with what the daemon kept of it.

        It may have ended meanwhile: then its last output is still in the pipes, and the pidfd
        knows how it ended, where the kernel remembers that.
        """
        self.alive = alive
        self._group = None if self.key.exec else group
        descriptors = list(lifeline.descriptors)
        self._handle = (
            descriptors.pop(0) if lifeline.handle else open_process(alive.pid, alive.started_ticks)
        )
        outputs = dict(zip(descriptors, lifeline.streams, strict=True))
        stdin = None
        if lifeline.terminal:
            self._terminal, stdin = os.dup(descriptors[0]), os.dup(descriptors[0])
        log = LogWriter(*alive.log) if alive.log is not None else None
        self.stdio.open(outputs, stdin, stdin_once=False, log=log)
        if self._handle is None:
            self._exited(UNKNOWN_EXIT, time.time_ns())
        else:
            self._loop.watch(self._handle, READ, self._on_orphan_ended)

    def _on_orphan_ended(self, events: int) -> None:
        """How it ended is known once its new parent has reaped it: then the pidfd hangs up."""
        if self._handle is None:
            return
        code = exit_code_of(self._handle)
        if code is None and not events & GONE and self._end is None:
            self._loop.watch(self._handle, 0, self._on_orphan_ended)
            self._loop.call_later(REAP_SECONDS, lambda: self._on_orphan_ended(GONE))
        else:
            self._loop.unwatch(self._handle)
            self._exited(UNKNOWN_EXIT if code is None else code, time.time_ns())

    # Life.

    def signal(self, number: int) -> None:
        """Raises ProcessLookupError when there is no process (any more)."""
        if self._handle is None:
            raise ProcessLookupError(3, "no such process")
        send_signal(self._handle, number)

    def resize(self, rows: int, columns: int) -> None:
        """Raises OSError without a terminal."""
        if self._terminal is None:
            raise OSError(25, "the process has no terminal")
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    # Exit.

    def _exited(self, code: int, finished_ns: int) -> None:
        if self._end is not None:
            return
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
        self._drop_terminal()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        exit_ = self._journal.ended(self.key, code, self._oom_killed(), finished_ns)
        self._clear(alive.leftovers)
        self._over(self, exit_)

    def _drop_terminal(self) -> None:
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None

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


def _make_ends(start: Start, null: int) -> Ends:
    """Pipes, or for what has no pipe the null device; with a terminal the runtime makes it all."""
    if start.console:
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
        opened += (ours_err, theirs_err)
        if start.owner is not None:
            for theirs in {theirs_in, theirs_out, theirs_err} - {null}:
                os.fchown(theirs, *start.owner)
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
