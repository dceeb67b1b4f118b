"""How the keeper starts and ends: exactly one for a run folder, on its own, with one thread.

    python -SI <…>/knarr/keeper/__main__.py RUN_ROOT

It answers on standard output with one line, ``ready`` or why not, once it can be connected to.
"""

import fcntl
import os
import signal
from typing import Final

from knarr.keeper.journal import Journal
from knarr.keeper.loop import Loop
from knarr.keeper.server import Server
from knarr.kernel.cgroups import Layout
from knarr.kernel.process import become_subreaper

ALREADY_THERE: Final = 75  # EX_TEMPFAIL: another keeper has the run folder


def main(run_root: str) -> int:
    os.umask(0o077)
    os.makedirs(run_root, exist_ok=True)
    os.chdir(run_root)
    lock = os.open("keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("another keeper has this run folder", flush=True)
        return ALREADY_THERE
    if os.fork():
        os._exit(0)  # the keeper is nobody's child, whoever started it
    os.setsid()
    os.ftruncate(lock, 0)
    os.write(lock, b"%d\n" % os.getpid())
    _forget_signals()
    become_subreaper()
    loop = Loop()
    Server(loop, run_root, Journal(run_root), Layout.of_this_machine())
    print("ready", flush=True)
    _let_go_of_stdio()
    loop.run()
    return 0


def _forget_signals() -> None:
    """What whoever started us ignores or blocks shall not be ignored in every container."""
    for number in signal.valid_signals() - {signal.SIGPIPE}:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _let_go_of_stdio() -> None:
    """Standard error becomes the keeper's own log: what it trips over, but goes on from."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    log = os.open("keeper.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for target, descriptor in ((0, null), (1, null), (2, log)):
        os.dup2(descriptor, target)
    os.close(null)
    os.close(log)
