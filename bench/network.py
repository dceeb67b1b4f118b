"""Networks: published ports, container to container, many ports at once, starts among many.

Server and client are this machine's Python, inside the containers by bind mounts: all engines
carry the same bytes between the same programs. ``loopback`` is both on the host, no container.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from engines import IMAGE, Engine

Table = dict[str, dict[str, list[float]]]
Measure = Callable[[], float]
REQUESTS, MIB = 1000, 256
PORT = 7007

# One process answers all requests; a stream of bytes has a process of its own.
SERVER = f"""
import os, signal, socket
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
server = socket.create_server(("0.0.0.0", {PORT}), backlog=512)
piece = bytes(1 << 18)
while True:
    client, _ = server.accept()
    asked = client.recv(100)
    if asked == b"ask":
        client.sendall(b"answer")
    elif asked == b"bytes" and os.fork() == 0:
        for _ in range({MIB} * 4):
            client.sendall(piece)
        os._exit(0)
    client.close()
"""
CLIENT = f"""
import socket, sys, time
what, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
before = time.perf_counter()
if what == "ask":
    for _ in range({REQUESTS}):
        with socket.create_connection((host, port)) as sock:
            sock.sendall(b"ask")
            assert sock.recv(100) == b"answer"
else:
    with socket.create_connection((host, port)) as sock:
        sock.sendall(b"bytes")
        room, left = bytearray(1 << 18), {MIB} << 20
        while left:
            left -= sock.recv_into(room)
print(time.perf_counter() - before)
"""
PYTHON = "/usr/bin/python3"
MOUNTS = [word for name in ("usr", "lib", "lib64") for word in ("-v", f"/{name}:/{name}:ro")]
NAMES = {"ask": f"{REQUESTS} requests, a connection each", "bytes": f"{MIB} MiB"}


def traffic(
    table: Table,
    found: Sequence[Engine],
    options: argparse.Namespace,
    take_turns: Callable[[Table, int, dict[str, dict[str, Measure]]], None],
) -> None:
    with ExitStack() as stack:
        contests: dict[str, dict[str, Measure]] = {}
        stack.enter_context(_on_the_host())
        for what, name in NAMES.items():
            contests[f"{name}, loopback"] = {"no engine": _asked([], what, "127.0.0.1", PORT)}
        for engine in found:
            for name, measure_ in stack.enter_context(_served(engine)).items():
                contests.setdefault(name, {})[engine.name] = measure_
        take_turns(table, options.rounds, contests)


def crowd(table: Table, found: Sequence[Engine], options: argparse.Namespace) -> None:
    """Starts among many others, and many ports at once."""
    for engine in found:
        _among(table, engine, options)
    for engine in sorted(found, key=lambda each: each.name == "docker"):
        _publish(table, engine)


def _asked(prefix: Sequence[str], what: str, host: str, port: int) -> Measure:
    """Seconds as the client itself counts them."""
    argv = [*prefix, PYTHON, "-c", CLIENT, what, host, str(port)]
    return lambda: float(subprocess.run(argv, capture_output=True, check=True).stdout)


@contextmanager
def _on_the_host() -> Iterator[None]:
    server = subprocess.Popen([PYTHON, "-c", SERVER])
    try:
        _until_served([], "127.0.0.1", PORT)
        yield
    finally:
        server.kill()
        server.wait()


@contextmanager
def _served(engine: Engine) -> Iterator[dict[str, Measure]]:
    """A server that publishes its port and a client beside it, on a network of their own."""
    engine.run("network", "create", "bench")
    common = ["-d", "--network", "bench", *MOUNTS]
    publish = ["-p", f"17007:{PORT}"]
    engine.run("run", *common, *publish, "--name", "bench-server", IMAGE, PYTHON, "-c", SERVER)
    engine.run("run", *common, "--name", "bench-client", IMAGE, "sleep", "100000")
    try:
        found = json.loads(engine.run("inspect", "bench-server").stdout)
        place = found[0]["NetworkSettings"]["Networks"]["bench"]
        _until_served(engine.inside, "127.0.0.1", 17007)
        yield {
            f"{name}, {way}": measure_
            for what, name in NAMES.items()
            for way, measure_ in (
                ("published at 127.0.0.1", _asked(engine.inside, what, "127.0.0.1", 17007)),
                ("published at the host's address",
                 _asked(engine.inside, what, place["Gateway"], 17007)),
                ("container to container", _beside(engine, what, place["IPAddress"])),
            )
        }  # fmt: skip
    finally:
        engine.run(*engine.rm, "bench-server", "bench-client")
        engine.run("network", "rm", "bench")


def _beside(engine: Engine, what: str, host: str) -> Measure:
    words = ("exec", "bench-client", PYTHON, "-c", CLIENT, what, host, str(PORT))
    return lambda: float(engine.run(*words).stdout)


def _until_served(prefix: Sequence[str], host: str, port: int) -> None:
    probe = f"import socket; socket.create_connection(('{host}', {port}), 1).close()"
    for _ in range(100):
        if subprocess.run([*prefix, PYTHON, "-c", probe], capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"nobody serves {host}:{port}")


def _publish(table: Table, engine: Engine) -> None:
    """A container that publishes many ports, from the command to its being there."""
    wishes = {"1,000 ports published, a range": ["-p", "20000-20999:20000-20999"]}
    if engine.name == "knarr":  # Docker would start twenty thousand processes, podman forty
        wishes["10,000 ports published, a range"] = ["-p", "20000-29999:20000-29999"]
    for what, words in wishes.items():
        print(f"  {what}, {engine.name}", file=sys.stderr, flush=True)
        took = engine.timed("run", "-d", "--name", "bench-ports", *words, IMAGE, "sleep", "100000")
        engine.run(*engine.rm, "bench-ports")
        table.setdefault(what, {})[engine.name] = [took]


def _among(table: Table, engine: Engine, options: argparse.Namespace) -> None:
    """`run --rm true` while others run: 0, 100, and of knarr 500."""
    names: list[str] = []
    for crowd in (0, 100, 500) if engine.name == "knarr" else (0, 100):
        while len(names) < crowd:
            names.append(f"bench-crowd-{len(names)}")
            engine.run("run", "-d", "--name", names[-1], IMAGE, "sleep", "100000")
        print(f"  run among {crowd}, {engine.name}", file=sys.stderr, flush=True)
        engine.timed("run", "--rm", IMAGE, "true")
        samples = [engine.timed("run", "--rm", IMAGE, "true") for _ in range(options.rounds)]
        table.setdefault(f"run --rm true among {crowd} containers", {})[engine.name] = samples
    for start in range(0, len(names), 50):
        engine.run(*engine.rm, *names[start : start + 50])
