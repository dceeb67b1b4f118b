"""Our own registry as a process of its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.peers import Account, answering, free_port, htpasswd, running


@contextmanager
def our_registry(folder: Path, account: Account | None, *flags: str) -> Iterator[str]:
    """``knarr registry serve`` as a process."""
    port = free_port()
    argv = ["--root", str(folder / "root"), "--listen", f"127.0.0.1:{port}", *flags]
    if account:
        (folder / "htpasswd").write_text(htpasswd(account))
        argv += ["--htpasswd", str(folder / "htpasswd")]
    source = str(Path(__file__).parents[2] / "src")
    python = [sys.executable, "-m", "knarr.registry.server"]
    with running(*python, *argv, log=folder / "log", PYTHONPATH=source):
        answering(f"http://127.0.0.1:{port}/v2/")
        yield f"127.0.0.1:{port}"
