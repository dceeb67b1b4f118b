"""Large layers are prepared in a process of their own: worker.py says why."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from knarr import errors
from knarr.errors import KnarrError
from knarr.snapshot.contents import Contents
from knarr.snapshot.tar import Limits

_PROGRAM: Final = Path(__file__).with_name("worker.py")


def prepare_apart(snapshotter: str, folder: Path, limits: Limits) -> Contents:
    """Prepare the layer in ``folder`` by that snapshotter; raises what that would raise."""
    bounds = [str(limits.members), str(limits.content_bytes)]
    done = subprocess.run(
        [sys.executable, "-SI", _PROGRAM, snapshotter, folder, *bounds],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env={},
    )
    first, _, message = done.stdout.decode(errors="replace").partition("\n")
    match first.split():
        case ["done", content_bytes, entries]:
            return Contents(content_bytes=int(content_bytes), entries=int(entries))
        case [kind]:
            raise getattr(errors, kind, KnarrError)(message)
        case _:
            why = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise KnarrError(f"preparing a layer: exit code {done.returncode}: {why}")
