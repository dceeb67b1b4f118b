"""A pulled layer on its way into the layer store, and into the rows."""

from typing import Final

from knarr.content import Blob, Compression, decompressor, refuse_bomb
from knarr.content.rows import put_blob
from knarr.ids import DiffId
from knarr.registry import ByteReader, RemoteLayer
from knarr.snapshot import Layer, Layers
from knarr.snapshot.rows import find_layer, hold_layers, put_layer, put_layer_blob
from knarr.store import Database

_PIECE: Final = 512 << 10


class Landing:
    """The layers of one pull. All that came is held under ``holder``, a lease."""

    def __init__(self, db: Database, layers: Layers, holder: str) -> None:
        self._db, self._layers, self._holder = db, layers, holder
        self._unpacked: dict[DiffId, Layer] = {}

    def has(self, layer: RemoteLayer) -> bool:
        known = find_layer(self._db, layer.diff_id) is not None
        return known and self._layers.has(layer.diff_id)

    def unpack(self, layer: RemoteLayer, packed: ByteReader) -> None:
        """Raises InvalidArgument for a layer that is damaged, hostile, or not what it should be."""
        unpacking = decompressor(Compression(layer.compression))
        with self._layers.writer() as writer:
            while piece := packed.read(_PIECE):
                for plain in unpacking.feed(piece):
                    writer.write(plain)
                refuse_bomb(writer.size_bytes, packed.position)
            unpacking.finish()
            self._unpacked[layer.diff_id] = writer.commit(layer.diff_id)

    def landed(self, layer: RemoteLayer) -> None:
        stored = self._unpacked.pop(layer.diff_id)
        blob = Blob(digest=layer.digest, size_bytes=layer.descriptor.size)
        try:
            with self._db.transaction() as tx:
                put_layer(tx, stored)
                put_blob(tx, blob)
                put_layer_blob(tx, layer.diff_id, layer.digest, layer.descriptor.media_type)
                hold_layers(tx, self._holder, [layer.diff_id])
        finally:
            self._layers.unpin(layer.diff_id)

    def hold(self, layer: RemoteLayer) -> None:
        with self._db.transaction() as tx:
            hold_layers(tx, self._holder, [layer.diff_id])
