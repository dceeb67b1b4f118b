"""``build --call``: what a Dockerfile has to offer, and what one of its targets takes.

Descriptions are comments in the form ``# NAME TEXT`` directly above a stage or an ARG.
Source: buildx reference, "build --call"; frontend.outline and frontend.targets of BuildKit.
"""

from collections.abc import Iterable, Iterator, Sequence

from knarr.build.ops import CacheMount, Execute, Mount, SecretMount, SshMount
from knarr.dockerfile.instructions.arg import Arg
from knarr.dockerfile.model import Dockerfile, Statement
from knarr.dockerfile.plan import Plan


def targets(dockerfile: Dockerfile) -> str:
    """The stages by name or number; the last one is what is built if nobody says otherwise."""
    last = dockerfile.stages[-1]
    rows = [
        (
            (each.name or str(each.index)) + (" (default)" if each is last else ""),
            _description(each.start, each.name),
        )
        for each in dockerfile.stages
    ]
    return _table(("TARGET", "DESCRIPTION"), rows)


def outline(plan: Plan) -> str:
    """The arguments, secrets, agents and cache mounts of the target and what it needs."""
    stage = plan.dockerfile.stages[plan.target.index]
    head = [("TARGET:", stage.name or str(stage.index))]
    if text := _description(stage.start, stage.name):
        head.append(("DESCRIPTION:", text))
    mounts = list(dict.fromkeys(_mounts(plan)))
    tables = [
        _table((), head),
        _table(("BUILD ARG", "VALUE", "DESCRIPTION"), _arguments(plan)),
        _table(("SECRET", "REQUIRED"), _wanted(mounts, SecretMount)),
        _table(("SSH", "REQUIRED"), _wanted(mounts, SshMount)),
        _table(("CACHE MOUNT",), [(each.id,) for each in mounts if isinstance(each, CacheMount)]),
    ]
    return "\n".join(table for table in tables if table)


def _arguments(plan: Plan) -> list[tuple[str, str, str]]:
    """Each once, with what is said of it first."""
    values: dict[str, str] = {}
    texts: dict[str, str] = {}
    statements = [*plan.dockerfile.globals, *(step.statement for step in plan.steps)]
    given = plan.options.build_args
    for statement in statements:
        if isinstance(statement.what, Arg):
            for pair in statement.what.pairs:
                value = pair.value or plan.global_args.get(pair.key) or ""
                values[pair.key] = given.get(pair.key, value)
                texts[pair.key] = texts.get(pair.key) or _description(statement, pair.key)
    return [(name, value, texts[name]) for name, value in values.items()]


def _mounts(plan: Plan) -> Iterator[Mount]:
    for vertex in plan.vertex.walk():
        if isinstance(vertex.op, Execute):
            yield from vertex.op.mounts


def _wanted(
    mounts: Iterable[Mount], kind: type[SecretMount] | type[SshMount]
) -> list[tuple[str, str]]:
    return [(each.id, "true" if each.required else "") for each in mounts if isinstance(each, kind)]


def _description(statement: Statement, name: str) -> str:
    for comment in statement.line.logical.comments:
        word, _, text = comment.strip().partition(" ")
        if name and word == name:
            return text.strip()
    return ""


def _table(head: tuple[str, ...], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as they have to be; nothing without rows."""
    rows = list(rows)
    if not rows:
        return ""
    lines = [head, *rows] if head else rows
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )
