"""Where files come from: an image, a context, a repository, a URL, or the Dockerfile itself."""

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """Nothing at all."""

    kind: ClassVar[str] = "scratch"

    def describe(self) -> str:
        return "scratch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The file system of an image; known by its layers, whatever it is called.

    diff_ids: lowest first. time_ns: when it was made, nanoseconds since the epoch.
    """

    kind: ClassVar[str] = "image"
    reference: str = field(compare=False)
    diff_ids: tuple[str, ...]
    time_ns: int = field(default=0, compare=False)

    def describe(self) -> str:
        return f"image {self.reference}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A folder of the client's: the build context, or one that was given a name."""

    kind: ClassVar[str] = "context"
    name: str = "context"

    def describe(self) -> str:
        return "build context" if self.name == "context" else f"context {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """A repository at a commit, branch or tag."""

    kind: ClassVar[str] = "git"
    url: str
    ref: str = ""
    folder: str = ""  # the part of the tree that counts, the whole of it when empty
    keep_git_dir: bool = False
    submodules: bool = True
    checksum: str = ""  # the commit that ``ref`` must be, or its beginning

    def describe(self) -> str:
        return f"git {self.url}" + (f"#{self.ref}" if self.ref else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """One file from a web server."""

    kind: ClassVar[str] = "http"
    url: str
    file_name: str
    checksum: str = ""  # sha256:HEX that it must have

    def describe(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineFile:
    """A file whose content stands in the Dockerfile."""

    name: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineFiles:
    """Heredocs, as files of a folder of their own."""

    kind: ClassVar[str] = "inline"
    files: tuple[InlineFile, ...]

    def describe(self) -> str:
        return ", ".join(file.name for file in self.files)
