"""Tar archives as bytes: members read from a buffer or a stream, headers written, nothing touched.

Names are bytes. Read: ustar, PAX, GNU (long names, base-256 numbers, sparse files), old v7.
Written: ustar, with a PAX header where a value does not fit.

Source: POSIX.1-2008 pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual,
"Basic Tar Format" and "Storing Sparse Files"; star's SCHILY.xattr keywords.
"""

from knarr.snapshot.tar.header import END, Member, formatted, padding
from knarr.snapshot.tar.reader import LIMITS, Limits, TarStream, bounded, members

__all__ = [
    "END", "LIMITS", "Limits", "Member", "TarStream", "bounded", "formatted", "members", "padding",
]  # fmt: skip
