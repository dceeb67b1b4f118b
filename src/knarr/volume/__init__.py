"""Volumes: data that outlives a container, and the ways to mount it.

The verbs are in service.py, values in model.py; data.py and copy.py handle the data itself,
options.py and local.py what ``-o`` mounts from elsewhere, subpaths.py parts, trash.py removals.
May import: snapshot (packing and extracting), content, store, events, kernel, spec, errors, ids.
"""

from knarr.volume.model import Volume
from knarr.volume.service import VolumeService

__all__ = ["Volume", "VolumeService"]
