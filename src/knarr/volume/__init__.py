"""Volumes: data that outlives a container, and the ways to mount it.

The verbs are in service.py, values in model.py, what the options of the driver ``local`` mean in
options.py, copying whole trees in copy.py.
May import: snapshot (packing and extracting), content, store, events, kernel, spec, errors, ids.
"""

from knarr.volume.model import Volume
from knarr.volume.service import VolumeService

__all__ = ["Volume", "VolumeService"]
