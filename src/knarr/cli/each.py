"""The same verb for several names: each is told when done, every failure at the end."""

from __future__ import annotations

from knarr.cli.exit import FAILED, Exit, text_of
from knarr.client.lean import TYPE_CHECKING
from knarr.errors import KnarrError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from knarr.cli.cli import Cli
    from knarr.client.call import Request

AT_ONCE = 50  # requests under way at the same time, as Docker's client has it


def each(
    cli: Cli,
    names: Iterable[str],
    request: Callable[[str], Request],
    *,
    show: bool = True,
    forgiven: type[KnarrError] | tuple[type[KnarrError], ...] = (),
) -> None:
    """Send the request of every name, several at once, and print the names that went well.

    Raises Exit with all that failed. forgiven: failures that are told and do not count.
    """
    failures: list[str] = []
    excused: list[str] = []
    waiting = list(names)
    while waiting:
        batch, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        answers = cli.engine.ask_all([request(name) for name in batch])
        for name, answer in zip(batch, answers, strict=True):
            if not isinstance(answer, KnarrError):
                if show:
                    cli.print(name)
            elif isinstance(answer, forgiven):
                excused.append(text_of(answer))
            else:
                failures.append(text_of(answer))
    for text in excused:
        cli.warn(text)
    if failures:
        raise Exit(FAILED, "\n".join(failures))
