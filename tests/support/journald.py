"""A systemd journal of a test's own, in a mount namespace: nothing reaches the machine's."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from support.peers import running

PROGRAM: Final = "/usr/lib/systemd/systemd-journald"
_PATIENCE_S: Final = 30.0
_SETTINGS: Final = "[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\nForwardToWall=no\n"
_SCRIPT: Final = """
mount --make-rprivate /
mount --bind "$0/settings" /etc/systemd/journald.conf
mount -t tmpfs tmpfs /run
mkdir /run/systemd /run/log
mount --bind "$0/run" /run/systemd
mount --bind "$0/log" /run/log
exec "$@"
"""


@dataclass(frozen=True)
class Journal:
    """socket: where programs send entries."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "run/journal/socket"

    def entries(self, *matches: str) -> list[dict[str, Any]]:
        """What it has by now, such as by ``CONTAINER_NAME=web``."""
        argv = ["journalctl", "-D", str(self.folder / "log/journal"), "-o", "json", "--all", "-q"]
        read = subprocess.run([*argv, *matches], capture_output=True, text=True, check=False)
        return [json.loads(line) for line in read.stdout.splitlines()]


@contextmanager
def own_journal() -> Iterator[Journal]:
    with tempfile.TemporaryDirectory(prefix="knarr-journal-") as name:
        folder = Path(name)
        for each in ("run", "log"):
            (folder / each).mkdir()
        (folder / "settings").write_text(_SETTINGS)
        argv = ("unshare", "--mount", "sh", "-ec", _SCRIPT, name, PROGRAM)
        with running(*argv, log=folder / "said"):
            journal = Journal(folder)
            deadline = time.monotonic() + _PATIENCE_S
            while not journal.socket.exists():
                assert time.monotonic() < deadline, (folder / "said").read_text()
                time.sleep(0.05)
            yield journal
