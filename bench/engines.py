"""The engines that are measured: each started privately, each with the same image and verbs.

Each gets a network namespace and data of its own, so that none disturbs the other's rules, and no
packet passes the rules of all. The clients of Docker and podman run in that namespace too.
"""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "src"), str(TOP / "tests")]

from knarr.kernel.namespaces import hide_mount  # noqa: E402
from support import images  # noqa: E402
from support.daemon import end_keeper  # noqa: E402

IMAGE = "busybox:latest"
_START_SECONDS = 60.0


@dataclass(kw_only=True)
class Engine:
    """One engine: its command line, its socket, and its processes.

    cli: without a verb. roots: PIDs of daemons; what they started counts for memory too.
    marks: texts in the command lines of helpers that belong to it.
    inside: what to put before a command to run it where the engine's host addresses are.
    """

    name: str
    cli: Sequence[str]
    socket: Path | None = None
    environ: dict[str, str] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    rm: tuple[str, ...] = ("rm", "-f")
    inside: Sequence[str] = ()

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.cli, *words],
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=check,
        )

    def timed(self, *words: str) -> float:
        """Seconds of wall clock, as a user sees them."""
        before = time.perf_counter()
        self.run(*words)
        return time.perf_counter() - before

    def helpers_kib(self) -> int:
        """Proportional memory of all its own processes, not of what runs in containers."""
        return sum(_pss_kib(pid) for pid in self.helper_pids())

    def peak_kib(self) -> int:
        """The most that any one of its own processes ever had, shared pages and all."""
        return max((_peak_kib(pid) for pid in self.helper_pids()), default=0)

    def helper_pids(self) -> Iterator[int]:
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            try:
                line = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
            if any(mark in line for mark in self.marks):
                yield int(entry.name)


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _peak_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


class Api:
    """The Engine API over a unix socket, one connection for all, as an SDK would keep it."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._socket: socket.socket | None = None
        self._buffer = b""

    def call(self, method: str, path: str, body: object = None) -> bytes:
        """The body of the answer. Raises RuntimeError for a status of 400 and more."""
        payload = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n"
        )
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(self._path)
        self._socket.sendall(head.encode() + payload)
        status, headers = self._head()
        answer = self._body(status, headers)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {answer!r}")
        return answer

    def _head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        return int(first.split()[1]), headers

    def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(iter(self._chunk, b""))
        if status in (204, 304):
            return b""
        return self._take(int(headers.get("content-length", "0")))

    def _chunk(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._more()
        size, _, self._buffer = self._buffer.partition(b"\r\n")
        piece = self._take(int(size, 16))
        self._take(2)
        return piece

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _more(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(1 << 16)
        if not data:
            raise RuntimeError("the engine closed the connection")
        self._buffer += data

    def run(self, command: Sequence[str], network: str) -> None:
        """Create, start, wait, remove: what ``run --rm`` is for an SDK."""
        body = {"Image": IMAGE, "Cmd": list(command), "HostConfig": {"NetworkMode": network}}
        made = json.loads(self.call("POST", "/v1.40/containers/create", body))["Id"]
        self.call("POST", f"/v1.40/containers/{made}/start")
        ended = json.loads(self.call("POST", f"/v1.40/containers/{made}/wait"))
        self.call("DELETE", f"/v1.40/containers/{made}")
        if ended["StatusCode"] != 0:
            raise RuntimeError(f"exit code {ended['StatusCode']}")


@contextmanager
def engines(folder: Path) -> Iterator[list[Engine]]:
    """knarr, and of Docker and podman those that are installed."""
    archive = folder / "busybox.tar"
    archive.write_bytes(images.busybox())
    with ExitStack() as stack:
        found = [stack.enter_context(_knarr(folder / "knarr"))]
        if shutil.which("dockerd"):
            found.append(stack.enter_context(_docker(folder / "docker")))
        if shutil.which("podman"):
            found.append(stack.enter_context(_podman(folder / "podman")))
        for engine in found:
            engine.run("load", "-i", str(archive))
        yield found


@contextmanager
def _knarr(folder: Path) -> Iterator[Engine]:
    folder.mkdir()
    sock = folder / "run" / "knarr.sock"
    script = Path(sys.executable).with_name("knarr")
    cli = [str(script)] if script.exists() else [sys.executable, "-m", "knarr"]
    environ = {"KNARR_HOST": f"unix://{sock}", "KNARR_RUN_ROOT": str(folder / "run")}
    environ["PYTHONPATH"] = str(TOP / "src")
    words = ["daemon", "--data-root", str(folder / "data"), "--run-root", str(folder / "run")]
    with _namespace(folder) as inside, _daemon([*inside, *cli, *words], folder / "log", environ):
        _wait_for(sock)
        engine = Engine(
            name="knarr",
            cli=cli,
            socket=sock,
            environ=environ,
            inside=inside,
            marks=(f"--run-root {folder}/run", f"keeper/__main__.py {folder}/run"),
        )
        yield engine
    end_keeper(folder / "run")


@contextmanager
def _docker(folder: Path) -> Iterator[Engine]:
    folder.mkdir()
    sock = folder / "docker.sock"
    argv = [
        "dockerd", "-H", f"unix://{sock}", "--data-root", f"{folder}/data",
        "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid",
        "--cgroup-parent", "/knarr-bench-docker",
    ]  # fmt: skip
    with _namespace(folder) as inside, _daemon([*inside, *argv], folder / "log", {}):
        _wait_for(sock)
        yield Engine(
            name="docker",
            cli=[*inside, "docker"],
            inside=inside,
            socket=sock,
            environ={"DOCKER_HOST": f"unix://{sock}", "DOCKER_CONFIG": str(folder)},
            marks=(str(folder), "containerd-shim", "docker-proxy"),
        )
        subprocess.run(["umount", "-l", f"{folder}/exec/netns/default"], check=False)


@contextmanager
def _podman(folder: Path) -> Iterator[Engine]:
    folder.mkdir()
    sock = folder / "podman.sock"
    storage = folder / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/data"\nrunroot = "{folder}/run"\n'
    )
    containers = folder / "containers.conf"
    containers.write_text(
        '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    environ = {"CONTAINERS_STORAGE_CONF": str(storage), "CONTAINERS_CONF": str(containers)}
    with _namespace(folder) as inside:
        serve = [*inside, "podman", "system", "service", "--time=0", f"unix://{sock}"]
        with _daemon(serve, folder / "log", environ):
            _wait_for(sock)
            yield Engine(
                name="podman",
                cli=[*inside, "podman"],
                inside=inside,
                socket=sock,
                environ=environ,
                marks=(str(folder),),
                rm=("rm", "-f", "-t", "0"),  # the others kill at once by themselves
            )


@contextmanager
def _namespace(folder: Path) -> Iterator[list[str]]:
    """A network namespace with a loopback; what to put before a command to run it there."""
    place = folder / "netns"
    place.touch()
    subprocess.run(["unshare", f"--net={place}", "ip", "link", "set", "lo", "up"], check=True)
    try:
        yield ["nsenter", f"--net={place}"]
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


@contextmanager
def _daemon(argv: Sequence[str], log: Path, environ: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"no daemon at {path}: see the log beside it")


class BareRuntime:
    """crun by itself on a bundle of the same root file system: the floor for a start.

    No network, no layers, no log, no control group: what the kernel and the runtime take.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        root = folder / "rootfs"
        root.mkdir()
        with subprocess.Popen(["tar", "-x", "-C", str(root)], stdin=subprocess.PIPE) as tar:
            assert tar.stdin is not None
            tar.stdin.write(images.busybox_layer())
        program = shutil.which("crun") or shutil.which("runc")
        if program is None:
            raise RuntimeError("neither crun nor runc is installed")
        self._argv = [program, "--root", str(folder / "state")]
        if program.endswith("crun"):
            self._argv.insert(1, "--cgroup-manager=disabled")
        subprocess.run([program, "spec"], cwd=folder, check=True)
        config = folder / "config.json"
        spec = json.loads(config.read_text())
        spec["process"].update(terminal=False, args=["true"])
        spec["linux"].pop("resources", None)
        config.write_text(json.dumps(spec))
        self._asked, self._answers = self._serve(folder)

    def _serve(self, folder: Path) -> tuple[int, int]:
        """A child that does not see what older cruns stumble over, and runs one when asked."""
        asked_read, asked = os.pipe()
        answers, answers_write = os.pipe()
        if os.fork():
            os.close(asked_read)
            os.close(answers_write)
            return asked, answers
        os.close(asked)
        os.close(answers)
        if Path("/sys/fs/cgroup/unified").is_dir():
            hide_mount("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
        count = 0
        while os.read(asked_read, 1):
            count += 1
            argv = [*self._argv, "run", "--bundle", str(folder), f"bare{count}"]
            before = time.perf_counter()
            result = subprocess.run(argv, capture_output=True, check=False)
            took = time.perf_counter() - before
            if result.returncode != 0:
                sys.stderr.buffer.write(result.stderr)
                os._exit(1)
            os.write(answers_write, struct.pack("d", took))
        os._exit(0)

    def timed(self) -> float:
        """Seconds of one ``run``."""
        os.write(self._asked, b".")
        answer = os.read(self._answers, 8)
        if len(answer) != 8:
            raise RuntimeError("the bare runtime failed")
        return float(struct.unpack("d", answer)[0])
