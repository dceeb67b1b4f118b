"""The first command starts knarr's engine; a failure to start is told with the engine's words."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import knarr
from support.daemon import end_keeper

pytestmark = pytest.mark.needs("root", "namespaces", "overlay")


@pytest.fixture
def roots() -> Iterator[Path]:
    """Folders for an engine's two roots; whatever was started in them is ended."""
    folder = Path(tempfile.mkdtemp(prefix="knarr-start-"))
    yield folder
    for pid in daemons_of(folder):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while daemons_of(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    end_keeper(folder / "run")
    shutil.rmtree(folder, ignore_errors=True)


def daemons_of(folder: Path) -> list[int]:
    """The daemons with this run root, by their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"daemon" in words and os.fsencode(folder / "run") in words:
            found.append(int(entry.name))
    return found


def run(folder: Path, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent",
        "PYTHONPATH": str(Path(knarr.__file__).parent.parent),
        "KNARR_DATA_ROOT": str(folder / "data"), "KNARR_RUN_ROOT": str(folder / "run"),
        **environ,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "knarr", *words],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_first_command_starts_the_engine_and_says_so_once(roots: Path) -> None:
    first = run(roots, "ps", "-q")
    assert (first.returncode, first.stdout) == (0, "")
    assert first.stderr.startswith("Starting knarr's engine")
    second = run(roots, "version", "-f", "{{.Server.APIVersion}}")
    assert second.returncode == 0
    assert second.stderr == ""
    assert len(daemons_of(roots)) == 1
    assert (roots / "data" / "knarr.db").exists()


def test_commands_at_the_same_time_end_up_with_one_engine(roots: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: run(roots, "ps", "-q"), range(4)))
    assert [result.returncode for result in results] == [0] * 4, results
    assert len(daemons_of(roots)) == 1


def test_an_engine_that_cannot_start_is_told_with_its_log(roots: Path) -> None:
    (roots / "data").write_text("a file where the folder should be")
    result = run(roots, "ps")
    assert result.returncode == 1
    assert "knarr's engine was started and ended with" in result.stderr
    assert str(roots / "run" / "daemon.log") in result.stderr
    assert "data" in result.stderr.split("Its log")[1]


@pytest.mark.parametrize("variable", ["DOCKER_HOST", "KNARR_HOST"])
def test_nothing_is_started_for_an_endpoint_that_somebody_named(roots: Path, variable: str) -> None:
    result = run(roots, "ps", **{variable: f"unix://{roots}/other.sock"})
    assert result.returncode == 1
    assert "Cannot connect to the Docker daemon" in result.stderr
    assert not (roots / "run").exists()


def test_a_completion_starts_nothing(roots: Path) -> None:
    result = run(roots, "__complete", "rm", "")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert daemons_of(roots) == []
