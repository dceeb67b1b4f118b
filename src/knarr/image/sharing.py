"""What shares what: which layers an image has for itself, and what its removal would free."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from knarr.ids import DiffId, Digest, ImageId, short
from knarr.image import rows
from knarr.image.model import Image, ImageUsers
from knarr.snapshot import Layer
from knarr.snapshot.rows import all_layers
from knarr.spec.knarr.image import ImageShare, SharedLayer, StoreShare
from knarr.store import Database

NameOf = Callable[[str], str]
"""Of a holder that is no image, as people know it; empty for one that does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is needed to say what shares what."""

    images: Sequence[Image]
    layers: Mapping[DiffId, Layer]
    form_bytes: Mapping[DiffId, int]  # of compressed forms that nobody else holds
    holders: Mapping[DiffId, Sequence[str]]

    def disk_bytes(self, diff_id: DiffId) -> int:
        layer = self.layers.get(diff_id)
        return (layer.tar_bytes if layer else 0) + self.form_bytes.get(diff_id, 0)


def facts(db: Database) -> Facts:
    form_bytes: dict[DiffId, int] = defaultdict(int)
    for row in db.query(
        "SELECT diff_id, size_bytes FROM layer_blobs JOIN blobs USING (digest)"
        " WHERE digest NOT IN (SELECT digest FROM blob_holds)"
    ):
        form_bytes[DiffId(Digest(row["diff_id"]))] += row["size_bytes"]
    holders: dict[DiffId, list[str]] = defaultdict(list)
    for row in db.query("SELECT DISTINCT diff_id, holder FROM layer_holds ORDER BY holder"):
        holders[DiffId(Digest(row["diff_id"]))].append(row["holder"])
    return Facts(images=rows.every(db), layers=all_layers(db), form_bytes=form_bytes,
                 holders=holders)  # fmt: skip


def explained(known: Facts, users: ImageUsers, name_of: NameOf) -> StoreShare:
    """Pure but for the questions who stands on an image."""
    names = {image.id: _names(image) for image in known.images}
    parents = {image.parent for image in known.images}
    shares = []
    for image in known.images:
        kept_by = [name_of(f"container/{each.id}") for each in users.containers_of(image.id)]
        kept_by += [
            f"image {names[each.id][0]}" for each in known.images if each.parent == image.id
        ]
        shares.append(
            ImageShare(
                id=image.id,
                names=tuple(each.familiar for each in image.tags),
                size=image.size_bytes,
                freed=freed_bytes(known, [image.id]),
                kept_by=tuple(kept_by),
                layers=tuple(_layers(known, image, names, name_of)),
            )
        )
    unused = [each for each in known.images if not users.containers_of(each.id)]
    dangling = [
        each.id for each in unused if not (each.tags or each.repo_digests or each.id in parents)
    ]
    return StoreShare(
        images=tuple(shares),
        dangling=freed_bytes(known, dangling),
        unused=freed_bytes(known, [each.id for each in unused]),
        forms=sum(known.form_bytes.values()),
    )


def freed_bytes(known: Facts, gone: Iterable[ImageId]) -> int:
    """On the disk, if all of these images went at once: of layers that nobody else holds."""
    holders = {f"image/{each}" for each in gone}
    return sum(
        known.disk_bytes(diff_id)
        for diff_id, held_by in known.holders.items()
        if holders.issuperset(held_by)
    )


def _layers(
    known: Facts, image: Image, names: Mapping[ImageId, Sequence[str]], name_of: NameOf
) -> Iterable[SharedLayer]:
    for diff_id in image.diff_ids:
        with_images: list[str] = []
        held_by: set[str] = set()
        for holder in known.holders.get(diff_id, ()):
            kind, _, name = holder.partition("/")
            if kind != "image":
                held_by.add(name_of(holder))
            elif name != image.id:
                with_images += names.get(ImageId(Digest(name)), ())
        layer = known.layers.get(diff_id)
        yield SharedLayer(
            diff_id=diff_id,
            size=layer.content_bytes if layer else 0,
            disk=known.disk_bytes(diff_id),
            shared_with=tuple(with_images),
            held_by=tuple(sorted(held_by - {""})),
        )


def _names(image: Image) -> list[str]:
    return [each.familiar for each in image.tags] or [short(image.id)]
