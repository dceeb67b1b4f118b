"""Layers as values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from knarr.content.hashing import digest_of
from knarr.ids import ChainId, DiffId


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One stored layer."""

    diff_id: DiffId
    tar_bytes: int
    content_bytes: int  # of the files in it: what Docker calls its size
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of ``docker diff``: a path Added, Changed or Deleted."""

    kind: Literal["A", "C", "D"]
    path: str


def chain_id(diff_ids: Iterable[DiffId]) -> ChainId | None:
    """The name of a layer together with all below it; None of no layers.

    Source: OCI image-spec, config.md, "Layer ChainID".
    """
    chain: ChainId | None = None
    for diff_id in diff_ids:
        chain = ChainId(diff_id if chain is None else digest_of(f"{chain} {diff_id}".encode()))
    return chain
