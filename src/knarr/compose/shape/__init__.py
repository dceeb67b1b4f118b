"""Shapes: what may stand at a place of a compose file, what it becomes, how two become one.

base.py says what every shape can do; scalar.py has the single values, collection.py lists, maps and
objects, pairs.py what may be written as a mapping or as a list of ``KEY=VALUE``, path.py what names
a file. A service is one big shape, put together from its attributes.
"""

from knarr.compose.shape.base import Base, Form, Place, Shape, ShapeError
from knarr.compose.shape.collection import Either, Fields, ListOf, MapOf, Nullable
from knarr.compose.shape.pairs import Hosts, Options, Pairs
from knarr.compose.shape.path import BuildContextPath, FilePath, WatchedPath
from knarr.compose.shape.scalar import (
    Anything,
    Boolean,
    Command,
    Decimal,
    Duration,
    FileMode,
    Integer,
    Size,
    Text,
    Words,
)

__all__ = [
    "Anything",
    "Base",
    "Boolean",
    "BuildContextPath",
    "Command",
    "Decimal",
    "Duration",
    "Either",
    "Fields",
    "FileMode",
    "FilePath",
    "Form",
    "Hosts",
    "Integer",
    "ListOf",
    "MapOf",
    "Nullable",
    "Options",
    "Pairs",
    "Place",
    "Shape",
    "ShapeError",
    "Size",
    "Text",
    "WatchedPath",
    "Words",
]
