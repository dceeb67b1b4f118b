"""Programs that want all of a terminal, by both command lines: a shell's jobs, and a debugger."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon
from support.terminal import Terminal, Terminals

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

CTRL_C, CTRL_Z = b"\x03", b"\x1a"
JOB = "while :; do echo going on; sleep 0.2; done"

PYTHON = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
DEBUGGED = """\
import time

def add(left, right):
    return left + right

total = 0
for number in (1, 2, 3):
    total = add(total, number)
print("in all", total)
while total:
    time.sleep(0.01)
"""


class CommandLine:
    """One command line, each call on a terminal of its own."""

    def __init__(self, program: tuple[str, ...], terminals: Terminals) -> None:
        self._program, self._terminals = program, terminals

    def __call__(self, *words: str) -> Terminal:
        return self._terminals(*self._program, *words)


@pytest.fixture(params=["knarr", "docker"])
def cli(request: pytest.FixtureRequest, daemon: Daemon) -> Iterator[CommandLine]:
    program = ("docker",) if request.param == "docker" else (sys.executable, "-m", "knarr")
    terminals = Terminals(daemon.environment)
    yield CommandLine(program, terminals)
    terminals.close()
    daemon.docker("rm", "-f", "whole")


@pytest.fixture
def python(tmp_path: Path) -> tuple[str, ...]:
    """Flags and image of a container with this machine's Python, and the program in /app."""
    (tmp_path / "program.py").write_text(DEBUGGED)
    binds = [f"{tmp_path}:/app", f"{sys.base_prefix}:{sys.base_prefix}:ro"]
    libraries = [place for place in ("/usr", "/lib", "/lib64") if Path(place).exists()]
    binds += [f"{place}:{place}:ro" for place in libraries]
    volumes = (f"--volume={bind}" for bind in dict.fromkeys(binds))
    return *volumes, "--env=NO_COLOR=1", "busybox"


def stops_and_goes_on(terminal: Terminal) -> None:
    """A job in a shell: Ctrl-Z stops it and the shell is back; ``fg`` goes on, Ctrl-C ends it."""
    terminal.expect(b"# ")
    terminal.type(f"sh -c '{JOB}'\n".encode())
    terminal.expect(b"going on\r\n")
    terminal.type(CTRL_Z)
    terminal.expect(b"Stopped")
    terminal.expect(b"# ")
    terminal.type(b"jobs\n")
    terminal.expect(b"Stopped")
    terminal.expect(b"# ")
    terminal.type(b"fg\n")
    terminal.expect(b"going on\r\n")
    terminal.type(CTRL_C)
    terminal.expect(b"# ")
    before = len(terminal.shown)
    terminal.type(b"jobs; exit 5\n")
    assert terminal.wait() == 5
    assert b"Stopped" not in terminal.shown[before:]


def test_ctrl_z_stops_a_job_of_the_containers_shell(cli: CommandLine) -> None:
    stops_and_goes_on(cli("run", "--rm", "-it", "busybox", "sh"))


def test_ctrl_z_stops_a_job_of_a_shell_beside(cli: CommandLine, daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "whole", "busybox", "sleep", "1000")
    stops_and_goes_on(cli("exec", "-it", "whole", "sh"))


def test_the_only_process_minds_no_ctrl_z(cli: CommandLine) -> None:
    """The kernel spares the first process of a PID namespace what it has no handler for."""
    terminal = cli("run", "--rm", "-it", "busybox", "cat")
    terminal.type(b"before\n")
    terminal.expect(b"before\r\nbefore\r\n")
    terminal.type(CTRL_Z)
    terminal.expect(b"^Z")
    terminal.type(b"after\n")
    terminal.expect(b"after\r\nafter\r\n")
    terminal.type(b"\x04")
    assert terminal.wait() == 0


def test_without_a_terminal_in_the_container_ctrl_z_is_a_signal_to_it(cli: CommandLine) -> None:
    script = "trap 'echo told to stop; exit 3' TSTP; echo ready; while :; do sleep 0.1; done"
    terminal = cli("run", "--rm", "busybox", "sh", "-c", script)
    terminal.expect(b"ready")
    terminal.type(CTRL_Z)
    terminal.expect(b"told to stop")
    assert terminal.wait() == 3


def debugged(terminal: Terminal) -> None:
    """A session with pdb: stop at a line, look, step, go on, break in with Ctrl-C, leave."""
    terminal.expect(b"(Pdb) ")
    terminal.type(b"break add\n")
    terminal.expect(b"Breakpoint 1 at /app/program.py:")
    terminal.type(b"continue\n")
    terminal.expect(b"-> return left + right")
    terminal.type(b"p 'left', left, 'right', right\n")
    terminal.expect(b"('left', 0, 'right', 1)")
    terminal.type(b"step\n")
    terminal.expect(b"--Return--")
    terminal.type(b"next\n")
    terminal.expect(b"-> for number in (1, 2, 3):")
    terminal.type(b"clear 1\n")
    terminal.expect(b"Deleted breakpoint 1")
    terminal.type(b"continue\n")
    terminal.expect(b"in all 6")
    terminal.type(CTRL_C)
    terminal.expect(b"Program interrupted.")
    terminal.expect(b"(Pdb) ")
    terminal.type(b"p total * 7\n")
    terminal.expect(b"42\r\n")
    terminal.type(b"quit\n")
    assert terminal.wait() == 0


def test_a_debugger_in_a_container(cli: CommandLine, python: tuple[str, ...]) -> None:
    debugged(cli("run", "--rm", "-it", *python, str(PYTHON), "-m", "pdb", "/app/program.py"))


def test_a_debugger_beside(cli: CommandLine, daemon: Daemon, python: tuple[str, ...]) -> None:
    daemon.docker("run", "-d", "--name", "whole", *python, "sleep", "1000")
    debugged(cli("exec", "-it", "whole", str(PYTHON), "-m", "pdb", "/app/program.py"))
