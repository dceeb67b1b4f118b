"""A layer sink for tests of the registry room: plain tars by diff ID, in memory or dropped."""

import hashlib
import threading

from knarr.content.compression import Compression, decompressor
from knarr.errors import InvalidArgument
from knarr.registry.layer import ByteReader
from knarr.registry.manifests import RemoteLayer


class PlainLayers:
    """Keeps each layer's tar whole. ``unpacked`` counts how often each was made."""

    def __init__(self) -> None:
        self.tars: dict[str, bytes] = {}
        self.unpacked: list[str] = []
        self.recorded: list[str] = []
        self.held: list[str] = []
        self._lock = threading.Lock()

    def has(self, layer: RemoteLayer) -> bool:
        return layer.diff_id in self.tars

    def unpack(self, layer: RemoteLayer, packed: ByteReader) -> None:
        inflate = decompressor(Compression(layer.compression))
        plain = bytearray()
        while piece := packed.read(64 << 10):
            for part in inflate.feed(piece):
                plain += part
        inflate.finish()
        if "sha256:" + hashlib.sha256(plain).hexdigest() != layer.diff_id:
            raise InvalidArgument("layers from manifest don't match image configuration")
        with self._lock:
            assert layer.diff_id not in self.tars
            self.tars[layer.diff_id] = bytes(plain)
            self.unpacked.append(layer.diff_id)

    def landed(self, layer: RemoteLayer) -> None:
        assert layer.diff_id in self.tars
        self.recorded.append(layer.diff_id)

    def hold(self, layer: RemoteLayer) -> None:
        assert layer.diff_id in self.tars
        self.held.append(layer.diff_id)
