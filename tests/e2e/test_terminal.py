"""Interactive use on a real terminal, by the docker CLI and by ours."""

import os
import sys

import pytest

from support.daemon import Daemon
from support.terminal import on_terminal

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

CLIENTS = {"docker": ("docker",), "knarr": (sys.executable, "-m", "knarr")}


@pytest.fixture(params=sorted(CLIENTS))
def client(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return CLIENTS[request.param]


@pytest.fixture
def name(daemon: Daemon) -> str:
    name = f"terminal{os.getpid()}"
    daemon.docker("rm", "-f", name)
    return name


def test_a_shell_knows_its_size_and_learns_a_new_one(
    daemon: Daemon, client: tuple[str, ...]
) -> None:
    argv = [*client, "run", "--rm", "-it", "busybox", "sh"]
    with on_terminal(argv, daemon.environment) as terminal:
        terminal.expect("/ # ")
        terminal.type("stty size\n")
        terminal.expect("30 100")
        terminal.resize(41, 121)
        terminal.type("sleep 0.5; stty size; tty\n")
        terminal.expect("41 121")
        terminal.expect("/dev/")
        terminal.type("exit 5\n")
        assert terminal.exit_code() == 5


def test_control_c_reaches_the_program_and_not_the_client(
    daemon: Daemon, client: tuple[str, ...]
) -> None:
    argv = [*client, "run", "--rm", "-it", "busybox", "sh"]
    with on_terminal(argv, daemon.environment) as terminal:
        terminal.expect("/ # ")
        terminal.type("trap 'echo caught' INT; sleep 1000 & echo begun; wait\n")
        terminal.expect("begun\r\n")
        terminal.type("\x03")
        terminal.expect("caught")
        terminal.type("echo still $((20+3))\n")
        terminal.expect("still 23")
        terminal.type("exit 0\n")
        assert terminal.exit_code() == 0


def test_detached_by_keys_and_attached_again(
    daemon: Daemon, client: tuple[str, ...], name: str
) -> None:
    argv = [*client, "run", "-it", "--name", name, "busybox", "sh"]
    with on_terminal(argv, daemon.environment) as terminal:
        terminal.expect("/ # ")
        terminal.type("\x10\x11")
        assert terminal.exit_code() == 0
    assert daemon.docker("inspect", "-f", "{{.State.Running}}", name).stdout == "true\n"
    with on_terminal([*client, "attach", name], daemon.environment) as terminal:
        terminal.type("echo again $((40+2))\n")
        terminal.expect("again 42")
        terminal.type("exit 3\n")
        assert terminal.exit_code() == 3


def test_exec_has_a_terminal_of_its_own(daemon: Daemon, client: tuple[str, ...], name: str) -> None:
    daemon.docker("run", "-d", "--name", name, "busybox", "sleep", "1000")
    argv = [*client, "exec", "-it", name, "sh"]
    with on_terminal(argv, daemon.environment, size=(20, 70)) as terminal:
        terminal.expect("/ # ")
        terminal.type("stty size; echo pid $$\n")
        terminal.expect("20 70")
        terminal.type("exit 9\n")
        assert terminal.exit_code() == 9
