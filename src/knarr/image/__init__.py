"""Images: names for a config and a chain of layers; load, save, import, tag, remove, history.

The verbs are in service.py, which image a name means in catalogue.py, archives in archives.py (what
comes in: receive.py, then archive.py; what goes out: save.py), lists in showing.py, removal in
removing.py and its rules in removal.py, several platforms in platforms.py and index_rows.py, pull
and push in exchange.py (what comes in: landing.py; what goes out: shipping.py), what is only looked
at in registries in remotes.py, a look into images in looking.py and layering.py, who shares what in
sharing.py.
May import: registry, snapshot, content, store, events, spec, errors, ids.
"""

from typing import TYPE_CHECKING

from knarr.later import door

if TYPE_CHECKING:
    from knarr.image.bases import BasePuller
    from knarr.image.bootstrap import Bootstrap
    from knarr.image.derive import derived
    from knarr.image.exchange import Exchange
    from knarr.image.imported import Import
    from knarr.image.model import Image, ImageUser, ImageUsers, LayerForm, NewImage, NoUsers
    from knarr.image.platforms import machine
    from knarr.image.remotes import Remotes
    from knarr.image.service import ImageService, new_name
else:
    __getattr__ = door(
        __name__,
        {
            "bases": "BasePuller",
            "bootstrap": "Bootstrap",
            "derive": "derived",
            "exchange": "Exchange",
            "imported": "Import",
            "model": "Image ImageUser ImageUsers LayerForm NewImage NoUsers",
            "platforms": "machine",
            "remotes": "Remotes",
            "service": "ImageService new_name",
        },
    )

__all__ = [
    "BasePuller",
    "Bootstrap",
    "Exchange",
    "Image",
    "ImageService",
    "ImageUser",
    "ImageUsers",
    "Import",
    "LayerForm",
    "NewImage",
    "NoUsers",
    "Remotes",
    "derived",
    "machine",
    "new_name",
]
