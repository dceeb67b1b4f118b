"""The operations that a build is made of, as frozen values; what carries them out is elsewhere.

May import: spec, errors, ids.
"""

from knarr.build.ops.copy import Copy, Selection
from knarr.build.ops.execute import (
    BindMount,
    CacheMount,
    Execute,
    Mount,
    SecretMount,
    Sharing,
    SshMount,
    TmpfsMount,
)
from knarr.build.ops.layer import MakeDirectory, Merge, Squash, Stored
from knarr.build.ops.source import Context, Git, Http, Image, InlineFile, InlineFiles, Scratch

__all__ = [
    "BindMount",
    "CacheMount",
    "Context",
    "Copy",
    "Execute",
    "Git",
    "Http",
    "Image",
    "InlineFile",
    "InlineFiles",
    "MakeDirectory",
    "Merge",
    "Mount",
    "Scratch",
    "SecretMount",
    "Selection",
    "Sharing",
    "Squash",
    "SshMount",
    "Stored",
    "TmpfsMount",
]
