"""The store kept in order: checked and repaired, synced to the disk, kept from filling it.

A check (fsck.py) surveys rows and files (survey.py), judges them (judging.py, pure), reads every
byte (reading.py), and puts right what it can (repair.py). syncing.py brings to the disk what came
in; pressure.py gives up what can be fetched or made again; converting.py takes layers from one
snapshotter to the other.
May import: image, registry, snapshot, content, store, events, spec, errors, ids.
"""

from typing import TYPE_CHECKING

from knarr.later import door

if TYPE_CHECKING:
    from knarr.upkeep.fsck import Check
    from knarr.upkeep.service import Upkeep
    from knarr.upkeep.survey import Holders
else:
    __getattr__ = door(
        __name__,
        {
            "fsck": "Check",
            "service": "Upkeep",
            "survey": "Holders",
        },
    )

__all__ = ["Check", "Holders", "Upkeep"]
