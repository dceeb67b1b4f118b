"""Images: names for a config and a chain of layers; load, save, import, tag, remove, history.

May import: snapshot, content, store, events, spec, errors, ids.
"""

from knarr.image.model import Image, ImageUser, ImageUsers, NoUsers
from knarr.image.service import ImageService

__all__ = ["Image", "ImageService", "ImageUser", "ImageUsers", "NoUsers"]
