"""A large image of several layers and many files, made of what this machine has."""

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support import images

_LAYER_BYTES: Final = 90 << 20
_LAYER_FILES: Final = 7_000
_FILES: Final = 15_000  # at least so many in all
_ORIGINS: Final = (
    ("/usr/lib/python3.11", "/usr/lib/python3", "/usr/share/perl"),
    ("/usr/include", "/usr/share/vim", "/usr/share/i18n"),
    ("/usr/share/doc", "/usr/share/locale"),
    ("/usr/bin",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BigImage:
    layers: tuple[bytes, ...]
    entries: int

    @property
    def plain_bytes(self) -> int:
        return sum(map(len, self.layers))

    def archive(self, name: str) -> bytes:
        """As `docker save` writes it."""
        config = images.document(self.layers, {"Cmd": ["true"]})
        return images.docker_archive(self.layers, config, [name])


def big_image() -> BigImage:
    made = [_layer(origins) for origins in _ORIGINS]
    entries = sum(count for _, count in made)
    if entries < _FILES:
        made.append(_filler(_FILES - entries))
    return BigImage(layers=tuple(tar for tar, _ in made), entries=sum(count for _, count in made))


def _layer(origins: tuple[str, ...]) -> tuple[bytes, int]:
    buffer, count = io.BytesIO(), 0
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in _files(origins):
            tar.add(path, path.lstrip("/"), recursive=False, filter=_plain)
            count += 1
            if count >= _LAYER_FILES or buffer.tell() >= _LAYER_BYTES:
                break
    return buffer.getvalue(), count


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """As engines write their layers: whole seconds, owners by number."""
    entry.mtime = int(entry.mtime)
    entry.uname = entry.gname = ""
    return entry


def _files(origins: tuple[str, ...]) -> Iterator[str]:
    for origin in origins:
        for folder, folders, files in os.walk(origin):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(folder, name)
                kind = stat.S_IFMT(os.lstat(path).st_mode)
                if kind in (stat.S_IFREG, stat.S_IFLNK) and os.access(
                    path, os.R_OK, follow_symlinks=False
                ):
                    yield path


def _filler(count: int) -> tuple[bytes, int]:
    text = Path(__file__).read_bytes()
    files = {f"filler/{n % 100}/{n}": b"%d\n" % n + text for n in range(count)}
    return images.layer(files), count
