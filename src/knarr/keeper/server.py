"""What the keeper can be asked, and whom it tells what happened."""

import contextlib
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from knarr.keeper.attach import Client
from knarr.keeper.files import remove_folder
from knarr.keeper.journal import Alive, Exit, Journal, Key
from knarr.keeper.loop import GONE, READ, WRITE, Loop
from knarr.keeper.program import Programs
from knarr.keeper.sandbox import Sandboxes, UserNamespaces
from knarr.keeper.spawn import Hidden, Order
from knarr.keeper.sweep import Sweeper
from knarr.keeper.task import Failure, Lifeline, Start, Task
from knarr.keeper.wire import PROTOCOL, Message, new_socket, receive, send
from knarr.kernel.cgroups import Layout, Write
from knarr.kernel.owners import Owners, Span

_PEER: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid
_BACKLOG: Final = 4096  # messages for a daemon that does not read; exits are on disk anyway
LONELY_SECONDS: Final = 60.0
GREETING_SECONDS: Final = 0.01, 20.0  # between two looks, and at most: a runtime may hang


class Refused(Exception):
    """The answer is no; ``kind`` is a word that the other side knows."""

    def __init__(self, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.kind, self.more = kind, more


class Answer:
    """How a verb answers, once; later than it returns if it has to wait for something."""

    def __init__(self, connection: "Connection", number: int) -> None:
        self._connection, self._number = connection, number

    def ok(self, document: Message | None = None, descriptors: tuple[int, ...] = ()) -> None:
        """``descriptors`` are closed here when they have been sent, or cannot be."""
        self._connection.put({"re": self._number, "ok": document or {}}, descriptors)

    def no(self, kind: str, message: str, **more: Any) -> None:
        error = {"kind": kind, "message": message, **more}
        self._connection.put({"re": self._number, "error": error})


class _Packet(NamedTuple):
    message: Message
    descriptors: tuple[int, ...]


class Connection:
    """One daemon; what it does not read yet waits here."""

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        asked: Callable[["Connection", Message, list[int]], None],
        lost: Callable[["Connection"], None],
    ) -> None:
        self._loop, self._socket = loop, connection
        self._asked, self._lost = asked, lost
        self._waiting: deque[_Packet] = deque()
        self._open = True
        connection.setblocking(False)
        loop.watch(connection.fileno(), READ, self._on_ready)

    @property
    def is_open(self) -> bool:
        return self._open

    def put(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        if not self._open:
            _close(descriptors)
            return
        self._waiting.append(_Packet(message, descriptors))
        self._flush()

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._loop.unwatch(self._socket.fileno())
        self._socket.close()
        for packet in self._waiting:
            _close(packet.descriptors)
        self._waiting.clear()
        self._lost(self)

    def _flush(self) -> None:
        while self._open and self._waiting:
            packet = self._waiting[0]
            try:
                send(self._socket, packet.message, packet.descriptors)
            except BlockingIOError:
                if len(self._waiting) > _BACKLOG:
                    self.close()
                else:
                    self._loop.watch(self._socket.fileno(), READ | WRITE, self._on_ready)
                return
            except OSError:
                self.close()
                return
            self._waiting.popleft()
            _close(packet.descriptors)
        if self._open:
            self._loop.watch(self._socket.fileno(), READ, self._on_ready)

    def _on_ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if not self._open:
            return
        if events & READ:
            self._read()
        elif events & GONE:
            self.close()

    def _read(self) -> None:
        try:
            received = receive(self._socket)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            received = None
        if received is None:
            self.close()
        else:
            self._asked(self, *received)


class Server:
    """Tasks by key, sandboxes, and at most one daemon: the newest that said hello."""

    def __init__(self, loop: Loop, run_root: str, journal: Journal, layout: Layout) -> None:
        self._loop, self._run_root, self._journal, self._layout = loop, run_root, journal, layout
        self._sweeper = Sweeper(loop)
        self._programs = Programs()
        self._sandboxes = Sandboxes(f"{run_root}/netns")
        self._users = UserNamespaces()
        self._tasks: dict[Key, Task] = {}
        self._daemon: Connection | None = None
        self._verbs: dict[str, Callable[[Message, Answer], None]] = {
            "start": self._start, "attach": self._attach, "resize": self._resize,
            "signal": self._signal, "know": self._know, "release": self._release,
            "make_sandbox": self._make_sandbox, "open_sandbox": self._open_sandbox,
            "remove_sandbox": self._remove_sandbox, "open_socket": self._open_socket,
            "open_netlink": self._open_netlink, "user_namespace": self._user_namespace,
            "end": self._end,
        }  # fmt: skip
        self._listening = _listen("keeper.sock")
        loop.watch(self._listening.fileno(), READ, self._on_daemon)
        # Of an earlier keeper; they wait for the daemon, which has what was kept of them.
        self._orphans = {alive.key: alive for alive in journal.alive()}
        self._sandboxes.recover(
            {
                key.container: (alive.pid, alive.started_ticks)
                for key, alive in self._orphans.items()
                if not key.exec
            }
        )
        self._leave_if_lonely()

    # Connections.

    def _on_daemon(self, _events: int) -> None:
        connection, _ = self._listening.accept()
        _, user, _ = _peer(connection)
        if user not in (0, os.geteuid()):
            connection.close()
            return
        Connection(self._loop, connection, self._asked, self._lost)

    def _lost(self, connection: Connection) -> None:
        if self._daemon is connection:
            self._daemon = None
            self._leave_if_lonely()

    def _leave_if_lonely(self) -> None:
        """With no daemon and nothing to look after there is no reason to stay."""

        def leave() -> None:
            if self._daemon is None and not self._busy and self._sandboxes.none:
                self._sweeper.finish(self._loop.stop)

        self._loop.call_later(LONELY_SECONDS, leave)

    @property
    def _busy(self) -> int:
        """How many processes there are to look after."""
        return len(self._orphans) + sum(not task.idle for task in self._tasks.values())

    def _asked(self, connection: Connection, message: Message, descriptors: list[int]) -> None:
        answer = Answer(connection, message["id"])
        arguments = message.get("args", {})
        try:
            if message["verb"] == "hello":
                self._hello(connection, answer)
            elif message["verb"] == "adopt":
                self._adopt(arguments, tuple(descriptors), answer)
            else:
                self._verbs[message["verb"]](arguments, answer)
        except Refused as refusal:
            answer.no(refusal.kind, str(refusal), **refusal.more)
        except (OSError, KeyError, ValueError, TypeError) as error:
            answer.no("failed", f"{message.get('verb')}: {error}")

    def _hello(self, connection: Connection, answer: Answer) -> None:
        if self._daemon is not None and self._daemon is not connection:
            self._daemon.close()
        until = time.monotonic() + GREETING_SECONDS[1]
        self._greet(connection, answer, until)

    def _greet(self, connection: Connection, answer: Answer, until: float) -> None:
        """The new daemon hears what there is; first what an earlier one began to start is over."""
        starting = any(task.runtime_pid is not None for task in self._tasks.values())
        if starting and time.monotonic() < until:
            self._loop.call_later(
                GREETING_SECONDS[0], lambda: self._greet(connection, answer, until)
            )
            return
        if not connection.is_open:
            return
        self._daemon = connection
        for task in self._tasks.values():
            if task.alive is not None:
                document, descriptors = _with_lifeline(task, task.alive)
                connection.put({"tell": "alive", "args": document}, descriptors)
        for alive in self._orphans.values():
            connection.put({"tell": "orphan", "args": _alive(alive)})
        for exit_ in self._journal.untold():
            connection.put({"tell": "exit", "args": _exit(exit_)})
        answer.ok({"protocol": PROTOCOL, "pid": os.getpid()})

    def _end(self, _arguments: Message, answer: Answer) -> None:
        if self._busy:
            raise Refused("busy", f"{self._busy} processes are running")
        answer.ok()
        self._sweeper.finish(self._loop.stop)

    # Processes.

    def _start(self, arguments: Message, answer: Answer) -> None:
        key = _key(arguments)
        if key.exec and self._running(Key(key.container)) is None:
            raise Refused("not_running", f"container {key.container} is not running")
        task = self._task(key)
        if not task.idle:
            raise Refused("running", f"container {key.container} is already running")

        def started(result: Alive | Failure) -> None:
            if isinstance(result, Alive):
                answer.ok(*_with_lifeline(task, result))
            else:
                self._tasks.pop(key, None)
                answer.no("start", "the runtime failed", log=result.log, status=result.status)

        task.start(self._parse_start(arguments), started)

    def _parse_start(self, arguments: Message) -> Start:
        hidden, size, log = arguments["hidden"], arguments["size"], arguments["log"]
        return Start(
            order=Order(
                argv=arguments["argv"],
                environment=arguments["environment"],
                directory=arguments["directory"],
                error_log=arguments["error_log"],
                hidden=Hidden(*hidden) if hidden else None,
            ),
            pid_file=arguments["pid_file"],
            console=arguments["console"],
            size=(size[0], size[1]) if size else None,
            open_stdin=arguments["open_stdin"],
            stdin_once=arguments["stdin_once"],
            log=tuple(log) if log else None,
            cgroup=self._layout.cgroup(arguments["cgroup"]) if arguments["cgroup"] else None,
            writes=[Write(*write) for write in arguments["writes"]],
            enters=arguments["enters"],
            leftovers=tuple(arguments["leftovers"]),
            kept=tuple(arguments["kept"]),
            owner=tuple(arguments["owner"]) if arguments.get("owner") else None,
        )

    def _attach(self, arguments: Message, answer: Answer) -> None:
        task = self._task(_key(arguments))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        task.stdio.attach(
            Client(
                self._loop,
                task.stdio,
                ours,
                streams=frozenset(arguments["streams"]),
                stdin=arguments["stdin"],
                framed=arguments["framed"],
                patience_s=arguments["patience_s"],
            )
        )
        answer.ok({"log": task.stdio.log_place}, descriptors=(theirs.detach(),))

    def _resize(self, arguments: Message, answer: Answer) -> None:
        self._known(arguments).resize(arguments["rows"], arguments["columns"])
        answer.ok()

    def _signal(self, arguments: Message, answer: Answer) -> None:
        self._known(arguments).signal(arguments["number"])
        answer.ok()

    def _know(self, arguments: Message, answer: Answer) -> None:
        self._journal.told(arguments["number"])
        answer.ok()

    def _release(self, arguments: Message, answer: Answer) -> None:
        key = Key(arguments["container"])
        if self._running(key) is not None:
            raise Refused("running", f"container {key.container} is running")
        for each in [each for each in self._tasks if each.container == key.container]:
            self._tasks.pop(each).stdio.close()
        remove_folder(self._journal.folder(key.container))
        answer.ok()

    def _task(self, key: Key) -> Task:
        if (task := self._tasks.get(key)) is None:
            task = self._tasks[key] = Task(
                self._loop, self._journal, self._sweeper, self._programs, key, self._over
            )
        return task

    def _running(self, key: Key) -> Task | None:
        task = self._tasks.get(key)
        return task if task is not None and not task.idle else None

    def _known(self, arguments: Message) -> Task:
        key = _key(arguments)
        if (task := self._running(key)) is None:
            raise Refused("not_running", f"container {key.container} is not running")
        return task

    def _over(self, task: Task, exit_: Exit) -> None:
        self._tasks.pop(task.key, None)
        if self._daemon is not None:
            self._daemon.put({"tell": "exit", "args": _exit(exit_)})
        else:
            self._leave_if_lonely()

    def _adopt(self, arguments: Message, descriptors: tuple[int, ...], answer: Answer) -> None:
        """The daemon knows of an orphan now, and gives what it kept of it, if anything."""
        if (alive := self._orphans.pop(_key(arguments), None)) is None:
            _close(descriptors)
            raise Refused("not_running", f"container {arguments['container']} is not running")
        kept = arguments["lifeline"]
        group = self._layout.cgroup(alive.cgroup) if alive.cgroup else None
        lifeline = Lifeline(kept["handle"], tuple(kept["streams"]), kept["terminal"], descriptors)
        answer.ok()
        self._task(alive.key).adopt(alive, group, lifeline)

    # Network namespaces.

    def _make_sandbox(self, arguments: Message, answer: Answer) -> None:
        owners = arguments.get("owners")
        user = self._users.of(_owners(owners)) if owners else None
        path, netlink = self._sandboxes.make(arguments["sandbox"], user)
        answer.ok({"path": path}, (netlink.detach(),))

    def _user_namespace(self, arguments: Message, answer: Answer) -> None:
        """Its path, good while this keeper lives, and a descriptor of it."""
        user = self._users.of(_owners(arguments["owners"]))
        answer.ok({"path": f"/proc/{os.getpid()}/fd/{user}"}, (os.dup(user),))

    def _open_sandbox(self, arguments: Message, answer: Answer) -> None:
        path, netlink = self._sandboxes.open(arguments["sandbox"])
        answer.ok({"path": path}, (netlink.detach(),))

    def _remove_sandbox(self, arguments: Message, answer: Answer) -> None:
        self._sandboxes.remove(arguments["sandbox"])
        answer.ok()

    def _open_netlink(self, arguments: Message, answer: Answer) -> None:
        netlink = self._sandboxes.open_netlink(arguments["sandbox"], arguments["protocol"])
        answer.ok({}, (netlink.detach(),))

    def _open_socket(self, arguments: Message, answer: Answer) -> None:
        bound = self._sandboxes.bind(
            arguments["sandbox"],
            arguments["family"],
            arguments["type"],
            (arguments["address"], arguments["port"]),
        )
        answer.ok({}, (bound.detach(),))


def _listen(path: str) -> socket.socket:
    """A socket at ``path``, relative to the run folder: absolute ones may be too long."""
    listening = new_socket()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listening.bind(path)
    os.chmod(path, 0o600)
    listening.listen(64)
    listening.setblocking(False)
    return listening


def _peer(connection: socket.socket) -> tuple[int, int, int]:
    """PID, user and group of the other side when it connected."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    pid, user, group = _PEER.unpack(raw)
    return pid, user, group


def _key(arguments: Message) -> Key:
    return Key(arguments["container"], arguments.get("exec", ""))


def _owners(document: Message) -> Owners:
    uids, gids = (tuple(Span(*span) for span in document[kind]) for kind in ("uids", "gids"))
    return Owners(uids, gids)


def _alive(alive: Alive) -> Message:
    return {
        "container": alive.key.container,
        "exec": alive.key.exec,
        "pid": alive.pid,
        "started_ns": alive.started_ns,
        "cgroup": alive.cgroup,
    }


def _with_lifeline(task: Task, alive: Alive) -> tuple[Message, tuple[int, ...]]:
    lifeline = task.lifeline()
    kept = {
        "handle": lifeline.handle, "streams": lifeline.streams, "terminal": lifeline.terminal,
    }  # fmt: skip
    return {**_alive(alive), "lifeline": kept}, lifeline.descriptors


def _exit(exit_: Exit) -> Message:
    return {
        "number": exit_.number,
        "container": exit_.key.container,
        "exec": exit_.key.exec,
        "code": exit_.code,
        "oom_killed": exit_.oom_killed,
        "finished_ns": exit_.finished_ns,
    }


def _close(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
