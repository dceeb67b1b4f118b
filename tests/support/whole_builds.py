"""Dockerfiles as people have them: built by an engine, and the image told as text.

A case is a folder of ``tests/golden/build``:

    context/     the Dockerfile and its files
    case.json    may be missing:
                 base    busybox (default), or debian: made by `image bootstrap`, with apt
                 first   builds whose images the case stands on: lists of words for `build`
                 words   further words for `build`
                 peer    classic (default), buildkit, or why neither builder of Docker can do it
                 run     a command in the image, and ``says`` what it writes
                 skip    paths that no two builds have alike, as wildcards
    result       config, and each file that the base has not or has otherwise
"""

import fnmatch
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent.parent / "golden" / "build"
_SHOWN_CONTENT = 60
_ENGINES_OWN = (
    ".dockerenv", "dev", "dev/*", "proc", "sys", "etc", "etc/hosts", "etc/hostname",
    "etc/resolv.conf", "etc/mtab",
)  # fmt: skip
_APT_LEAVES = (
    "var/log/*", "var/cache/ldconfig/aux-cache", "var/cache/debconf/*", "var/lib/dpkg/*-old",
    "var/lib/apt/*", "var/cache/apt/*", "etc/*-", "etc/machine-id", "tmp/*", "root/.*",
    "var/cache/man/*", "etc/.pwd.lock", "etc/ssl/certs/*", "var/lib/systemd/*", "*.pyc",
    "var/lib/ucf/*",
)  # fmt: skip
_CONFIG = (
    "Cmd", "Entrypoint", "Env", "ExposedPorts", "Volumes", "WorkingDir", "User", "Labels",
    "OnBuild", "StopSignal", "Healthcheck", "Shell",
)  # fmt: skip

Files = Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """One Dockerfile with all that is needed to build it."""

    folder: Path
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def tag(self) -> str:
        return f"whole/{self.name}"

    @property
    def context(self) -> Path:
        return self.folder / "context"

    @property
    def base(self) -> str:
        return str(self.about.get("base", "busybox"))

    @property
    def peer(self) -> str:
        return str(self.about.get("peer", "classic"))

    @property
    def runs(self) -> bool:
        return "run" in self.about

    def builds(self) -> Iterator[list[str]]:
        """The words of each ``build``, the case's own last; to be run in the context."""
        for words in self.about.get("first", ()):
            yield [*words, "."]
        yield ["-t", self.tag, *self.about.get("words", ()), "."]

    def told(self, image: bytes, base: Files, config: Mapping[str, Any]) -> str:
        """The result, as text. ``image``: its file system as a tar."""
        skipped = (*self.about.get("skip", ()), *(_APT_LEAVES if self.base == "debian" else ()))
        lines = [f"{key} {value}" for key, value in _said_of(config).items()]
        files = listed(image)
        for path in sorted(files.keys() | base.keys()):
            if any(fnmatch.fnmatchcase(path, pattern) for pattern in skipped):
                continue
            if files.get(path) != base.get(path):
                lines.append(f"{path}: {files.get(path, 'gone')}")
        return "\n".join(lines) + "\n"


def cases(base: str) -> list[Case]:
    found = []
    for folder in sorted(each for each in GOLDEN.iterdir() if (each / "context").is_dir()):
        about = folder / "case.json"
        case = Case(folder, json.loads(about.read_text()) if about.exists() else {})
        if case.base == base:
            found.append(case)
    return found


def _said_of(config: Mapping[str, Any]) -> dict[str, str]:
    """What a config says, and not what it leaves empty."""
    said: dict[str, str] = {}
    for key in _CONFIG:
        value = config.get(key)
        if not value or (key == "WorkingDir" and value == "/"):
            continue
        said[key] = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return said


def listed(archive: bytes) -> dict[str, str]:
    """Each file of a file system's tar, with all but its times."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = {member.name.strip("/").removeprefix("./"): member for member in tar}
        return {
            path: _line(tar, member)
            for path, member in found.items()
            if path and not any(fnmatch.fnmatchcase(path, each) for each in _ENGINES_OWN)
        }


def _line(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    owner = f"{member.uid}:{member.gid}"
    if member.issym():
        return f"-> {member.linkname} {owner}"
    mode = f"{member.mode & 0o7777:04o} {owner}"
    if member.isdir():
        return f"dir {mode}"
    content = tar.extractfile(member)  # of a hard link, that of the file it is a name of
    if content is None:
        return f"kind {member.type!r} {mode}"
    raw = content.read()
    if len(raw) <= _SHOWN_CONTENT and raw.isascii():
        return f"{mode} {raw.decode()!r}"
    return f"{mode} {len(raw)} bytes {hashlib.sha256(raw).hexdigest()[:12]}"
