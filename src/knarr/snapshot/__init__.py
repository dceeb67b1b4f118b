"""Layers as directories a container can stand on, and each container's own writable layer.

A layer's tar is kept byte for byte (layers.py); a driver (driver.py: the Protocol; erofs/ and
unpacked.py) makes it mountable; containers.py puts a writable layer on a chain of them, on a
disk of its own where its size is bounded (disk.py). tar/ reads
and writes archives, unpack.py applies one to a directory, changes.py tells what an upper directory
changed.
May import: content, store, events, kernel, spec, errors, ids.
"""

from knarr.snapshot.choice import snapshotters
from knarr.snapshot.containers import ContainerLayers
from knarr.snapshot.contents import Contents
from knarr.snapshot.disksize import DiskSize, wanted_size
from knarr.snapshot.driver import Snapshotter
from knarr.snapshot.erofs import TarIndex, mountable
from knarr.snapshot.incoming import LayerWriter
from knarr.snapshot.layers import Layers
from knarr.snapshot.model import Change, Layer, chain_id
from knarr.snapshot.unpacked import Unpacked

__all__ = [
    "Change",
    "ContainerLayers",
    "Contents",
    "DiskSize",
    "Layer",
    "LayerWriter",
    "Layers",
    "Snapshotter",
    "TarIndex",
    "Unpacked",
    "chain_id",
    "mountable",
    "snapshotters",
    "wanted_size",
]
