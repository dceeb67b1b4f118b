"""Heredocs as a tree of files."""

import hashlib
from collections.abc import Iterator, Sequence

from knarr.build.ops import InlineFile
from knarr.build.tree import Entry, each_entry, implied_directory
from knarr.snapshot.tar import Member, header


class InlineTree:
    """Files whose content stands in the Dockerfile; all in one folder, all of root's."""

    def __init__(self, files: Sequence[InlineFile]) -> None:
        self._content = {file.name: file.text.encode() for file in files}
        self._modes = {file.name: file.mode for file in files}

    def entry(self, path: str) -> Entry | None:
        if not path:
            return implied_directory("")
        content = self._content.get(path)
        if content is None:
            return None
        member = Member(path.encode(), header.REGULAR, self._modes[path], 0, 0, len(content), 0)
        return Entry(path, member, hashlib.sha256(content).digest())

    def names(self, path: str) -> list[str]:
        return [] if path else sorted(self._content)

    def listed(self, path: str) -> list[Entry]:
        return each_entry(self, path)

    def read(self, entry: Entry) -> Iterator[bytes]:
        yield self._content[entry.path]
