"""A solver on real layers, in folders that vanish with the test."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    # Under /var/tmp: overlayfs wants its upper directory on a real file system.
    folder = Path("/var/tmp") / f"knarr-build-{tmp_path.name}-{time.time_ns()}"
    folder.mkdir()
    made = Workshop(folder)
    try:
        yield made
    finally:
        for name in made.containers._run.iterdir():
            made.containers.remove(name.name)  # type: ignore[arg-type]
        made.db.close()
        shutil.rmtree(folder, ignore_errors=True)
