import select
import time

from knarr.cli.cli import Cli
from knarr.cli.columns.stats import stats_listing, unknown, usage_of
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import FORMAT_HELP
from knarr.client.blocking import Answer, Engine
from knarr.client.calls import containers, system
from knarr.client.lean import Any, loads
from knarr.errors import KnarrError, NotFound

REFRESH_S = 0.5  # seconds between two pictures


@command("container stats", usage="[CONTAINER...]")
def stats(
    cli: Cli,
    *names: str,
    all_: Annotated[bool, Flag("Include containers that do not run", short="-a")] = False,
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    no_stream: Annotated[bool, Flag("Show one picture and end")] = False,
    no_trunc: Annotated[bool, Flag("Print whole values")] = False,
) -> None:
    """Show how much containers use of the machine, live"""
    engine = cli.engine
    form = format_ or cli.config.text("statsFormat")
    chosen = list(names) or _listed(engine, all_=all_)
    listing = stats_listing(whole=no_trunc)
    if no_stream:
        answers = engine.ask_all([containers.stats(name, stream=False) for name in chosen])
        rows = []
        for name, answer in zip(chosen, answers, strict=True):
            if not isinstance(answer, KnarrError):
                rows.append(usage_of(name, answer))
            elif names or not isinstance(answer, NotFound):
                raise answer
        listing.show(cli, rows, form=form)
        return
    live = _Live(engine, follow=not names, all_=all_)
    for name in chosen:
        live.add(name)
    _show(cli, live, listing, form)


def _listed(engine: Engine, *, all_: bool) -> list[str]:
    return [row["Id"][:12] for row in engine.ask(containers.list_(all_=all_))]


def _show(cli: Cli, live: "_Live", listing: Any, form: str) -> None:
    screen = cli.out.isatty()
    live.wait(2 * REFRESH_S + 1)
    while live.names or live.follow:
        picture = _picture(cli, listing, list(live.rows.values()), form)
        if screen:
            lines = "".join(f"{line}\x1b[K\n" for line in picture.splitlines())
            cli.out.write(f"\x1b[H{lines}\x1b[J")
        else:
            cli.out.write(picture)
        cli.out.flush()
        live.wait(REFRESH_S)


def _picture(cli: Cli, listing: Any, rows: list[Any], form: str) -> str:
    from io import StringIO

    out, cli.out = cli.out, StringIO()
    try:
        listing.show(cli, rows, form=form)
        return cli.out.getvalue()
    finally:
        cli.out = out


class _Live:
    """The newest sample of each container, from streams that are read as they come."""

    def __init__(self, engine: Engine, *, follow: bool, all_: bool) -> None:
        self.rows: dict[str, Any] = {}
        self.follow = follow
        self._all = all_
        self._engine = engine
        self._poll = select.poll()
        self._streams: dict[int, tuple[str, Answer]] = {}
        self._rests: dict[int, bytes] = {}
        if follow:
            where = {"type": ["container"], "event": ["create", "start", "die", "destroy"]}
            self._listen("", engine.open(system.events(where=where)))

    @property
    def names(self) -> list[str]:
        return list(self.rows)

    def add(self, name: str) -> None:
        """Raises NotFound for a container that there is not."""
        if name not in self.rows:
            answer = self._engine.open(containers.stats(name))
            self.rows[name] = unknown(name)
            self._listen(name, answer)

    def _listen(self, name: str, answer: Answer) -> None:
        descriptor = answer.fileno()
        self._streams[descriptor] = (name, answer)
        self._rests[descriptor] = b""
        self._poll.register(descriptor, select.POLLIN)

    def wait(self, seconds: float) -> None:
        """Read what comes, for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(left * 1000):
                self._read(descriptor)
            if not self._streams:
                return

    def _read(self, descriptor: int) -> None:
        name, answer = self._streams[descriptor]
        *lines, rest = (self._rests[descriptor] + answer.piece()).split(b"\n")
        self._rests[descriptor] = rest
        for line in lines:
            if line.strip():
                self._take(name, loads(line))
        if answer.ended:
            self._poll.unregister(descriptor)
            del self._streams[descriptor], self._rests[descriptor]
            answer.close()
            if not self.follow or not self._all:
                self.rows.pop(name, None)

    def _take(self, name: str, value: Any) -> None:
        if name:
            if name in self.rows:
                self.rows[name] = usage_of(name, value)
            return
        identifier = value["Actor"]["ID"][:12]
        if value["Action"] == "start" or (self._all and value["Action"] == "create"):
            try:
                self.add(identifier)
            except NotFound:
                return  # it is gone already
        elif value["Action"] == "destroy" or not self._all:
            self.rows.pop(identifier, None)
