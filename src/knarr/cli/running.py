"""A container in the foreground: attach, wait, start, pass everything on, end as it ends."""

from __future__ import annotations

from knarr.cli.attached import (
    DETACH_KEYS,
    Attachment,
    Detached,
    key_sequence,
    terminal_size,
)  # fmt: skip
from knarr.cli.exit import BAD_FLAG, NOT_EXECUTABLE, NOT_FOUND, Exit, text_of
from knarr.client.calls import containers
from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument, KnarrError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from knarr.cli.cli import Cli
    from knarr.client.blocking import Answer

_NO_PROGRAM = ("executable file not found", "no such file or directory")
_NO_PERMISSION = ("permission denied", "is a directory")


def keys_in_force(cli: Cli, flag: str) -> str:
    """The keys that detach: the flag's, the configuration file's, Docker's."""
    return flag or cli.config.text("detachKeys") or DETACH_KEYS


def run_attached(
    cli: Cli,
    container: str,
    *,
    attach: frozenset[str],
    tty: bool,
    keys: str,
    signals: bool,
    removed: bool,
    refused: Callable[[KnarrError], KnarrError],
    start: bool = True,
    logs: bool = False,
) -> int:
    """Attach to a container, start it, stay until it ends; answers with its exit code.

    attach: the streams of "stdin", "stdout", "stderr".  keys: those that detach.
    signals: pass ours on.  removed: it removes itself at its end, and we wait for that.
    refused: what to raise where the engine cannot start it.
    start: False attaches to a container that runs already; to detach from it is then a failure.
    """
    engine = cli.engine
    request = containers.attach(
        container, stdin="stdin" in attach, stdout="stdout" in attach,
        stderr="stderr" in attach, detach_keys=keys, logs=logs,
    )  # fmt: skip
    sequence = _sequence(keys)

    def pass_on(name: str) -> None:
        engine.ask(containers.kill(container, signal=name))

    def resize(rows: int, columns: int) -> None:
        engine.ask(containers.resize(container, rows=rows, columns=columns))

    def redraw() -> None:
        """A program paints its screen anew when its size changes: there and back."""
        rows, columns = terminal_size()
        if rows and columns:
            resize(rows + 1, columns)

    def begin() -> Answer | None:
        if not start and tty:
            redraw()
        # The engine must be waiting for the end before there can be one.
        condition: Any = "removed" if removed else "next-exit" if start else "not-running"
        waiting = engine.open(containers.wait(container, condition=condition))
        if start:
            try:
                engine.ask(containers.start(container))
            except KnarrError as error:
                waiting.close()
                raise refused(error) from error
        return waiting

    with engine.two_way(request, raw=tty) as stream:
        attachment = Attachment(
            stream, stdin="stdin" in attach, tty=tty, keys=sequence,
            pass_on=pass_on if signals else None, resize=resize,
        )  # fmt: skip
        try:
            waiting = attachment.run(begin)
        except Detached:
            if start:
                return 0  # the container is ours no longer, and all is well
            raise
    assert waiting is not None
    return exit_code(waiting)


def _sequence(keys: str) -> bytes:
    try:
        return key_sequence(keys)
    except InvalidArgument:
        return b""  # the engine has refused it already, or knows keys that we do not


def exit_code(waiting: Answer) -> int:
    """What the engine told of the end."""
    with waiting:
        told = waiting.value() or {}
    if message := (told.get("Error") or {}).get("Message"):
        raise KnarrError(str(message))
    return int(told.get("StatusCode", 0))


def failed_start(cli: Cli, error: KnarrError) -> Exit:
    """How ``run`` ends when the container cannot be made or started.

    126 and 127 are the shell's codes for a program that cannot be executed, or is not there.
    """
    said = str(error)
    code = BAD_FLAG
    if any(words in said for words in _NO_PROGRAM):
        code = NOT_FOUND
    elif any(words in said for words in _NO_PERMISSION):
        code = NOT_EXECUTABLE
    hint = f"Run '{cli.name} --help' for more information"
    return Exit(code, f"knarr: {text_of(error)}\n\n{hint}")
