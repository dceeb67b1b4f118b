"""Projects of many services, up and down: each engine with the Compose that its people use.

knarr's own on knarr, Debian's docker-compose 1.29 on Docker, podman-compose on podman. Every
service is a container of its own on the project's network that sleeps.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from engines import IMAGE, Engine

SIZES: Final = (10, 50)
_PATIENCE_S: Final = 120.0  # who takes longer for one life is not asked again
PEERS: Final = Path(os.environ.get("KNARR_PEERS") or Path(sys.prefix, "peers"))
Table = dict[str, dict[str, list[float]]]


def compose(table: Table, found: list[Engine], _bare: object, options: argparse.Namespace) -> None:
    """Up, up again with nothing to do, down; the engines in turn, the first round not counted."""
    composes = {engine.name: argv for engine in found if (argv := command(engine))}
    tired: set[str] = set()
    for size in SIZES:
        warm_ups = 1 if size == min(SIZES) else 0
        for turn in range(max(1, options.rounds // 3) + warm_ups):
            for engine in found:
                if engine.name in tired or engine.name not in composes:
                    continue
                took = one_life(engine, composes[engine.name], project(engine, size))
                if sum(took.values()) > _PATIENCE_S:
                    tired.add(engine.name)
                elif turn < warm_ups:
                    continue
                for what, seconds in took.items():
                    row = table.setdefault(f"compose {what}, {size} services", {})
                    row.setdefault(engine.name, []).append(seconds)


def command(engine: Engine) -> list[str] | None:
    """The Compose of that engine, where it is installed; it enters the engine's namespace."""
    if engine.name == "knarr":
        return [*engine.cli, "compose"]
    inside = list(engine.cli[:-1])
    if engine.name == "docker":
        program = Path("/usr/bin/docker-compose")
        return [*inside, str(program)] if program.exists() else None
    if not (PEERS / "podman_compose.py").exists():
        return None
    # Without a pod: what the others make, one network and as many containers.
    python = [sys.executable, "-m", "podman_compose", "--in-pod", "false"]
    return [*inside, "env", f"PYTHONPATH={PEERS}", *python]


def project(engine: Engine, size: int) -> Path:
    """A folder with a project of that many services."""
    assert engine.socket is not None
    folder = engine.socket.parent.parent / f"{engine.name}{size}"
    folder.mkdir(exist_ok=True)
    lines = ['version: "3"', "services:"]
    for number in range(size):
        lines += [
            f"  s{number}:",
            f"    image: {IMAGE}",
            "    command: sleep 100000",
            "    stop_signal: SIGKILL",
        ]
    (folder / "docker-compose.yml").write_text("\n".join(lines) + "\n")
    return folder


def one_life(engine: Engine, argv: list[str], folder: Path) -> dict[str, float]:
    """Seconds of each command, as a person sees them."""
    took = {}
    for what, words in (("up", ("up", "-d")), ("up again", ("up", "-d")), ("down", ("down",))):
        before = time.perf_counter()
        done = run(engine, argv, folder, words)
        took[what] = time.perf_counter() - before
        if done.returncode and what == "down":
            # Docker 20.10 removes a network of many containers at times before they have left it.
            done = run(engine, argv, folder, words)
        if done.returncode:
            raise RuntimeError(f"{engine.name} compose {what}: {done.stderr.decode()[-2000:]}")
    return took


def run(
    engine: Engine, argv: list[str], folder: Path, words: tuple[str, ...]
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*argv, *words],
        cwd=folder,
        # On a busy machine Docker may think longer than its client's usual minute.
        env={**os.environ, **engine.environ, "COMPOSE_HTTP_TIMEOUT": "600"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
