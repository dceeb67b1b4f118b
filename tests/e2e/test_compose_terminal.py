"""A person at a terminal: a debugger in ``compose run``, and a service's terminal under ``up``."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon
from support.load import Load
from support.terminal import Terminal, on_terminal
from support.waiting import until

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

APP = """
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        secret = "found " + self.path
        breakpoint()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(secret.encode())

server = http.server.HTTPServer(("0.0.0.0", 8000), Handler)
print("serving", flush=True)
server.serve_forever()
"""
FILE = """
name: knpty
services:
  web:
    image: busybox
    command: {python} /app/app.py
    init: true
    ports: ["{port}:8000"]
    volumes:
      - ./app:/app
      - {prefix}:{prefix}:ro
      - /usr:/usr:ro
      - /lib:/lib:ro
      - /lib64:/lib64:ro
    depends_on: [shell]
  shell:
    image: busybox
    command: sh
    tty: true
    stdin_open: true
  talker:
    image: busybox
    init: true
    command: sh -c "while sleep 0.2; do echo chatter; done"
    profiles: [loud]
"""


class Project:
    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.file = folder / "compose.yaml"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        (folder / "app").mkdir()
        (folder / "app/app.py").write_text(APP)
        python = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
        self.file.write_text(FILE.format(python=python, prefix=sys.base_prefix, port=self.port))

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "knarr", "compose", "-f", str(self.file), *words]


@pytest.fixture
def project(daemon: Daemon, tmp_path: Path) -> Iterator[Project]:
    project = Project(daemon, tmp_path)
    yield project
    down = daemon.run(*project.argv("--profile", "*", "down", "-t", "0"))
    assert down.returncode == 0, down.stderr


def test_a_debugger_stops_a_request_and_a_person_goes_on_from_there(project: Project) -> None:
    argv = project.argv("run", "--rm", "--service-ports", "web")
    with on_terminal(argv, project.daemon.environment) as terminal:
        terminal.expect(b"serving")
        with Load(project.port, rate=1) as load:
            terminal.expect(b"(Pdb)")
            terminal.type(b"p secret\n")
            terminal.expect(b"'found /'")
            terminal.type(b"secret = 'changed by hand'\n")
            terminal.expect(b"(Pdb)")
            terminal.type(b"import sys; sys.breakpointhook = lambda *a: None\n")
            terminal.expect(b"(Pdb)")
            terminal.type(b"c\n")
            until(lambda: load.answers["changed by hand"])
        terminal.type(b"\x03")
        terminal.expect(b"Program interrupted")
        terminal.expect(b"(Pdb)")
        terminal.type(b"import os; os._exit(7)\n")
        assert terminal.wait() == 7
    assert load.failures == []
    left = project.daemon.docker("ps", "-aq", "--filter", "label=com.docker.compose.oneoff=True")
    assert left.stdout == ""


def test_a_key_gives_one_service_the_terminal_and_the_rest_waits(project: Project) -> None:
    argv = project.argv("--profile", "loud", "up", "shell", "talker")
    with on_terminal(argv, project.daemon.environment) as terminal:
        terminal.expect(b"Keys: t a service's terminal")
        terminal.expect(b"chatter")
        terminal.type(b"t")
        terminal.expect(b"Whose terminal: 1 ")
        number = _number_of(terminal, b"shell")
        terminal.type(number)
        terminal.expect(b"Terminal of shell-1")
        terminal.expect(b"/ # ")
        terminal.type(b"echo four is $((2+2)); sleep 1; echo done\n")
        terminal.expect(b"four is 4")
        before = len(terminal.shown)
        terminal.expect(b"done")
        assert b"chatter" not in terminal.shown[before:]
        terminal.type(b"\x10\x11")  # ctrl-p ctrl-q
        terminal.expect(b"Back from shell-1")
        terminal.expect(b"chatter")
        terminal.type(b"d")
        assert terminal.wait() == 0
    running = project.daemon.docker("ps", "--format", "{{.Names}}").stdout
    assert "knpty-shell-1" in running
    assert "knpty-talker-1" in running


def _number_of(terminal: Terminal, name: bytes) -> bytes:
    """The digit before a service in what the last question offered."""
    terminal.expect(b"\n")
    line = terminal.shown[terminal.shown.rindex(b"Whose terminal: ") :].splitlines()[0]
    offered = line.partition(b": ")[2].split(b", ")
    return next(each.split()[0] for each in offered if name in each)
