"""Starting knarr's own engine when a command needs it and none runs.

Only for the engine at its own place: whoever names a host has an engine there, or a mistake.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time

from knarr.cli.cli import Cli
from knarr.cli.exit import Exit
from knarr.client.blocking import CannotConnect, dial
from knarr.client.endpoint import Endpoint
from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from knarr.client.blocking import Socket

LOG = "daemon.log"
PATIENCE_S = 20.0  # seconds until a daemon that does not answer counts as failed
_GLANCE_S = 0.01  # seconds between two looks
_TAIL = 2048  # bytes of its log that are shown when it fails


def started(cli: Cli, endpoint: Endpoint) -> Socket:
    """A connection to the engine that this starts. Raises Exit with its last words if it fails.

    Of several commands at the same time one starts it, and the others wait for that.
    """
    log = os.path.join(os.path.dirname(endpoint.path), LOG)
    try:
        os.makedirs(os.path.dirname(log), exist_ok=True)
        words = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise Exit(
            1,
            f"Cannot connect to the Docker daemon at {endpoint.text}. Is the docker daemon "
            f"running?\nknarr's engine cannot be started: {error.strerror}: {error.filename}",
        ) from error
    try:
        fcntl.flock(words, fcntl.LOCK_EX)
        try:
            return dial(endpoint)
        except CannotConnect:
            cli.warn("Starting knarr's engine (it keeps running; `knarr daemon --help` tells more)")
            start = os.fstat(words).st_size
            return _awaited(endpoint, _program(cli, words, endpoint), log, start)
    finally:
        os.close(words)


def _program(cli: Cli, words: int, endpoint: Endpoint) -> subprocess.Popen[bytes]:
    # Opened anew: the lock on our own descriptor must not live as long as the engine.
    output = os.open(f"/proc/self/fd/{words}", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        # A session of its own: a Ctrl-C meant for this command is not meant for the engine.
        return subprocess.Popen(
            _argv(os.path.dirname(endpoint.path)), stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, start_new_session=True, cwd="/", env=dict(cli.environ),
        )  # fmt: skip
    finally:
        os.close(output)


def _argv(run_root: str) -> list[str]:
    # -P: the folder that the command was called in must not decide what is imported.
    return [sys.executable, "-P", "-m", "knarr", "daemon", "--run-root", run_root]


def _awaited(endpoint: Endpoint, program: subprocess.Popen[bytes], log: str, start: int) -> Socket:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            connection = dial(endpoint)
        except CannotConnect:
            # Another command may have started an engine at the same time: its socket is as good.
            if program.poll() not in (None, 0):
                raise Exit(1, _failed(f"ended with {program.returncode}", log, start)) from None
            time.sleep(_GLANCE_S)
        else:
            program.returncode = 0  # it is not ours to wait for
            return connection
    raise Exit(1, _failed(f"does not answer after {PATIENCE_S:.0f} s", log, start))


def _failed(how: str, log: str, start: int) -> str:
    try:
        with open(log, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - _TAIL))
            said = file.read().decode("utf-8", "replace").strip()
    except OSError as error:
        said = f"its log cannot be read: {error}"
    end = f"\n{said}" if said else ""
    return f"knarr's engine was started and {how}. Its log, {log}:{end}"
