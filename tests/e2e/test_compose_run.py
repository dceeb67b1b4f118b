"""``knarr compose run``: a container of a service with a terminal, its ports, and its end."""

import sys
from pathlib import Path

import pytest

from support.daemon import Daemon
from support.samples import fetched
from support.terminal import on_terminal

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

PROJECT = """\
name: stopped
services:
  web:
    image: busybox
    command: sh -c 'read line && echo "went on after $$line" && exec httpd -f -p 80 -h /var/www'
    ports: ["127.0.0.1::80"]
    depends_on: [db]
    init: true
    stop_signal: SIGKILL
  db: {image: busybox, command: sleep 1000, stop_signal: SIGKILL}
"""


def test_a_service_waits_for_what_is_typed_and_is_reached_by_its_ports(
    daemon: Daemon, tmp_path: Path
) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(PROJECT)
    compose = ("compose", "-f", str(file))
    argv = [sys.executable, "-m", "knarr", *compose]
    words = ["run", "--rm", "--service-ports", "--name", "stopped-here", "web"]
    try:
        with on_terminal([*argv, *words], daemon.environment) as terminal:
            terminal.type(b"the breakpoint\n")
            terminal.expect(b"went on after the breakpoint")
            address = daemon.knarr("port", "stopped-here", "80").stdout.strip()
            assert fetched(f"http://{address}/") == "hello from busybox\n"
            assert "stopped-db-1" in daemon.knarr(*compose, "ps").stdout
            terminal.type(b"\x03")  # to the init, which passes it on: a first process is deaf to it
            assert terminal.wait() == 130
        assert "stopped-here" not in daemon.knarr("ps", "-a").stdout
    finally:
        daemon.knarr("rm", "-f", "stopped-here")
        daemon.knarr(*compose, "down", "-v")


def test_its_exit_code_and_its_output_are_those_of_the_process(
    daemon: Daemon, tmp_path: Path
) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(PROJECT)
    run = ("compose", "-f", str(file), "run", "--rm", "-T", "--no-deps", "-e", "A=b", "web")
    done = daemon.knarr(*run, "sh", "-c", "echo $A; echo err >&2; exit 4")
    assert (done.returncode, done.stdout) == (4, "b\n")
    assert "err\n" in done.stderr
    assert daemon.knarr("compose", "-f", str(file), "down").returncode == 0


def test_a_bad_name_of_a_project_without_files_has_nothing(daemon: Daemon) -> None:
    listed = daemon.knarr("compose", "-p", "BAD", "ps")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.splitlines()[0].split() == [
        "NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS",
    ]  # fmt: skip
