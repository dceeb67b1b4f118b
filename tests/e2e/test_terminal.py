"""Interactive use with a real terminal: knarr's command line on knarr's engine."""

import signal
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from support.daemon import Daemon
from support.terminal import Terminal, Terminals, on_terminal

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

KNARR = (sys.executable, "-m", "knarr")
DETACH = b"\x10\x11"  # ctrl-p ctrl-q
Opened = Callable[..., Terminal]
LOOP = "trap 'echo got $1; exit 9' INT TERM; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def knarr(daemon: Daemon) -> Iterator[Opened]:
    terminals = Terminals(daemon.environment)
    yield lambda *words: terminals(*KNARR, *words)
    terminals.close()
    daemon.docker("rm", "-f", "term")


def test_a_shell_knows_the_size_of_the_terminal_and_its_changes(knarr: Opened) -> None:
    terminal = knarr("run", "--rm", "-it", "busybox", "sh")
    terminal.expect(b"# ")
    terminal.type(b"stty size\n")
    terminal.expect(b"24 80")
    terminal.resize(40, 100)
    terminal.type(b"sleep 0.3; stty size\n")
    terminal.expect(b"40 100")
    terminal.type(b"exit 5\n")
    assert terminal.wait() == 5


def test_ctrl_c_reaches_the_program_in_the_container(knarr: Opened) -> None:
    terminal = knarr("run", "--rm", "-it", "busybox", "sh", "-c", LOOP)
    terminal.expect(b"ready")
    terminal.type(b"\x03")
    terminal.expect(b"got")
    assert terminal.wait() == 9


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on_without_a_terminal_in_the_container(
    knarr: Opened, number: signal.Signals
) -> None:
    terminal = knarr("run", "--rm", "busybox", "sh", "-c", LOOP)
    terminal.expect(b"ready")
    terminal.kill(number)
    terminal.expect(b"got")
    assert terminal.wait() == 9


def test_who_detaches_can_come_back(knarr: Opened, daemon: Daemon) -> None:
    terminal = knarr("run", "-it", "--name", "term", "busybox", "sh")
    terminal.expect(b"# ")
    terminal.type(b"cd /tmp\n")
    terminal.expect(b"# ")
    terminal.type(DETACH)
    assert terminal.wait() == 0
    running = daemon.docker("inspect", "-f", "{{.State.Running}}", "term").stdout
    assert running == "true\n"
    again = knarr("attach", "term")
    again.type(b"pwd\n")
    again.expect(b"/tmp\r\n")
    again.type(DETACH)
    again.expect(b"read escape sequence")
    assert again.wait() == 1
    last = knarr("attach", "term")
    last.type(b"exit 3\n")
    assert last.wait() == 3


def test_other_keys_detach_where_others_are_asked_for(knarr: Opened) -> None:
    terminal = knarr("run", "-it", "--name", "term", "--detach-keys", "x,y", "busybox", "sh")
    terminal.expect(b"# ")
    terminal.type(b"echo ax")
    terminal.type(b"b\n")
    terminal.expect(b"axb\r\n")
    terminal.type(b"xy")
    assert terminal.wait() == 0


def test_a_shell_beside_the_program(knarr: Opened, daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "term", "busybox", "sleep", "1000")
    terminal = knarr("exec", "-it", "term", "sh")
    terminal.expect(b"# ")
    terminal.type(b"stty size; exit 4\n")
    terminal.expect(b"24 80")
    assert terminal.wait() == 4


def test_a_stopped_container_is_started_and_attached(knarr: Opened, daemon: Daemon) -> None:
    daemon.docker("create", "-it", "--name", "term", "busybox", "sh")
    terminal = knarr("start", "-ai", "term")
    terminal.expect(b"# ")
    terminal.type(b"exit 6\n")
    assert terminal.wait() == 6


def test_input_ends_with_ctrl_d(knarr: Opened) -> None:
    terminal = knarr("run", "--rm", "-i", "busybox", "cat")
    terminal.type(b"hello\n")
    terminal.expect(b"hello\r\nhello\r\n")
    terminal.type(b"\x04")
    assert terminal.wait() == 0


def test_three_times_ctrl_c_end_the_client_itself(knarr: Opened) -> None:
    terminal = knarr("run", "--rm", "--name", "term", "busybox", "sh", "-c",
                     "trap '' INT; echo ready; sleep 1000")  # fmt: skip
    terminal.expect(b"ready")
    for _ in range(3):
        terminal.type(b"\x03")
        time.sleep(0.2)  # the kernel makes one of two signals that come at once
    terminal.expect(b"got 3 SIGTERM/SIGINTs, forcefully exiting")
    assert terminal.wait() == 1


def test_the_terminal_is_as_it_was_when_the_client_is_gone(daemon: Daemon) -> None:
    with on_terminal(["sh", "-i"], daemon.environment) as shell:
        shell.expect(b"# ")
        shell.type(
            f"{' '.join(KNARR)} run --rm -it busybox true; stty -a | grep -c ' echo '\n".encode()
        )
        shell.expect(b"\n1\r\n")


def test_following_ends_with_ctrl_c(knarr: Opened, daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "term", "busybox", "sh", "-c", "echo one; sleep 1000")
    terminal = knarr("logs", "-f", "term")
    terminal.expect(b"one")
    terminal.type(b"\x03")
    assert terminal.wait() == 130


def test_stats_paint_one_picture_over_the_other(knarr: Opened, daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "term", "busybox", "sleep", "1000")
    terminal = knarr("stats", "term")
    terminal.expect(b"\x1b[HCONTAINER ID")
    terminal.expect(b"iB / ")
    terminal.expect(b"\x1b[H")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
