"""What the cache knows, in a form that travels: in an image's config, beside the image's layers.

An image built with an inline cache carries the steps it came from; a cache image carries nothing
else, its layers being those of all steps. Keys are digests of what a step says and stands on, the
same on every engine, so whoever has the layers and the keys has the cache.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from knarr.build import keys, rows
from knarr.build.graph import Vertex
from knarr.build.keys import Inputs
from knarr.build.model import Mark, Record
from knarr.ids import DiffId, Digest
from knarr.spec.oci.image import CachedKey, CachedStep, ImageDocument
from knarr.store import Database, Transaction


def steps_of(db: Database, target: Vertex, named: Mapping[Digest, Inputs]) -> list[Record]:
    """The cache's records of everything beneath ``target``; ``named``: what keys are made of."""
    found = [
        rows.find(db, keys.key_of(vertex.op, named[vertex.digest]))
        for vertex in target.walk()
        if vertex.digest in named
    ]
    return [record for record in found if record is not None]


def layers_of(records: Iterable[Record]) -> tuple[DiffId, ...]:
    """All layers of these records, each once."""
    return tuple(dict.fromkeys(each for record in records for each in record.diff_ids))


def told(
    db: Database, records: Iterable[Record], layers: Sequence[DiffId]
) -> tuple[CachedStep, ...]:
    """For an image with these layers: the records that need no others."""
    places = {diff_id: place for place, diff_id in reversed(list(enumerate(layers)))}
    return tuple(
        CachedStep(
            kind=record.kind,
            description=record.description,
            layers=tuple(places[each] for each in record.diff_ids),
            adds=record.diff_id is not None,
            size=record.size_bytes,
            time=record.time_ns,
            keys=tuple(_keys(db, record)),
        )
        for record in records
        if all(each in places for each in record.diff_ids)
    )


def _keys(db: Database, record: Record) -> Iterator[CachedKey]:
    for key, marks in rows.keys_of(db, record.id):
        yield CachedKey(key=key, marks=tuple((v, n, t) for v, n, t in marks))


def adopt(tx: Transaction, document: ImageDocument, known: Callable[[Digest], bool]) -> int:
    """Remember the steps that an image of this engine tells of; how many were new.

    known: whether a key leads somewhere already; what is here stays.
    """
    layers = [DiffId(Digest(each)) for each in document.rootfs.diff_ids]
    new = [step for step in document.build_cache if _is_sound(step, len(layers))]
    new = [step for step in new if not all(known(Digest(each.key)) for each in step.keys)]
    for step in new:
        chain = tuple(layers[place] for place in step.layers)
        leads = [
            (Digest(each.key), tuple(Mark(Digest(v), n, t) for v, n, t in each.marks))
            for each in step.keys
            if not known(Digest(each.key))
        ]
        rows.adopt(
            tx, kind=step.kind, description=step.description, chain=chain, adds=step.adds,
            size_bytes=step.size, time_ns=step.time, keys=leads,
        )  # fmt: skip
    return len(new)


def _is_sound(step: CachedStep, layers: int) -> bool:
    """Whether it names layers that are there; whoever wrote it may not have been knarr."""
    named = all(0 <= place < layers for place in step.layers)
    return named and bool(step.keys) and (bool(step.layers) or not step.adds)
