"""Layers as directories a container can stand on, and each container's own writable layer.

May import: content, store, events, kernel, spec, errors, ids.
"""

from knarr.snapshot.containers import Change, ContainerLayers
from knarr.snapshot.layers import Layers

__all__ = ["Change", "ContainerLayers", "Layers"]
