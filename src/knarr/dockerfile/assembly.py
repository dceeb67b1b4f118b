"""The config of the image that a build comes to: from the plan and how its layers grew. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from knarr.build import Layered, Mark
from knarr.build.graph import Vertex
from knarr.dockerfile.plan import Plan
from knarr.dockerfile.stage import HistoryEntry, Stage
from knarr.ids import Digest
from knarr.spec.document import encode
from knarr.spec.oci.image import History, ImageDocument, RootFs
from knarr.times import rfc3339, rfc3339_ns

COMMENT: Final = "buildkit.dockerfile.v0"  # by which tools know a history of this form


def image_config(plan: Plan, stage: Stage, result: Layered) -> bytes:
    """The config blob of ``stage``, whose files are ``result``; its digest is the image's ID.

    It says of itself what its inputs say: the same inputs give the same image, whenever and
    wherever it is built.
    """
    base = plan.bases[stage.index]
    history = (*base.history, *_history(stage.history, result, _base_ns(base)))
    return encode(_document(plan, stage, result, history))


def squashed_config(plan: Plan, stage: Stage, before: Layered, squashed: Layered) -> bytes:
    """The same with one layer for all new ones: the steps are told, the layer is the last entry."""
    base = plan.bases[stage.index]
    empty = (
        msgspec.structs.replace(each, empty_layer=True)
        for each in _history(stage.history, before, _base_ns(base))
    )
    merged = History(created=rfc3339(squashed.time_ns), comment="the layers above, squashed")
    return encode(_document(plan, stage, squashed, (*base.history, *empty, merged)))


def _document(
    plan: Plan, stage: Stage, result: Layered, history: Sequence[History]
) -> ImageDocument:
    base = plan.bases[stage.index]
    asked = plan.options.platform if plan.options.explicit_platform else None
    return ImageDocument(
        architecture=asked.architecture if asked else base.architecture,
        os=asked.os if asked else base.os,
        variant=asked.variant if asked else base.variant,
        os_version=asked.os_version if asked else base.os_version,
        created=rfc3339(_created_ns(plan, result, base)),
        author=stage.author,
        config=stage.config,
        rootfs=RootFs(diff_ids=result.diff_ids),
        history=tuple(history),
    )


def _created_ns(plan: Plan, result: Layered, base: ImageDocument) -> int:
    if plan.epoch is not None:
        return plan.epoch * 1_000_000_000
    return max(result.time_ns, _base_ns(base))


def _base_ns(base: ImageDocument) -> int:
    return rfc3339_ns(base.created) if base.created else 0


def _history(entries: Sequence[HistoryEntry], result: Layered, base_ns: int) -> Iterator[History]:
    """One entry for each instruction; it has a layer where the chain grew by one."""
    marks: Mapping[Digest, Mark] = {mark.vertex: mark for mark in result.marks}
    layers = _layers_of_base(entries, result)
    time_ns = base_ns
    for entry in entries:
        mark = marks.get(entry.vertex.digest) if entry.vertex else None
        grew = mark is not None and mark.layers > layers
        if mark is not None:
            layers, time_ns = mark.layers, max(mark.time_ns, base_ns)
        yield History(
            created=rfc3339(time_ns),
            created_by=entry.created_by,
            comment=COMMENT,
            empty_layer=not grew,
        )


def _layers_of_base(entries: Sequence[HistoryEntry], result: Layered) -> int:
    """How many layers there were before the first instruction."""
    first = next((entry.vertex for entry in entries if entry.vertex), None)
    if first is None:
        return len(result.diff_ids)
    return _depth_below(first)


def _depth_below(vertex: Vertex) -> int:
    """Layers of the image or nothing that a chain of operations begins with."""
    while vertex.inputs:
        vertex = vertex.inputs[0]
    return len(getattr(vertex.op, "diff_ids", ()))
