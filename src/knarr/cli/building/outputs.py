"""``--output``: what a build is to leave besides the image, or how that is to be called.

Source: buildx reference, "output"; BuildKit README, "Output".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from knarr.cli.create.fields import csv_fields
from knarr.errors import InvalidArgument, Unsupported

_STORED: Final = frozenset({"image", "registry", "cacheonly"})
_ARCHIVES: Final = frozenset({"oci", "docker"})
_FILES: Final = frozenset({"local", "tar"})
_ANNOTATION: Final = "annotation"
_YES: Final = frozenset({"true", "1"})
_NO: Final = frozenset({"false", "0"})
# Already so, or without a meaning where the image is in the engine's store: any value will do.
_WITHOUT_EFFECT: Final = frozenset({
    "oci-mediatypes", "unpack", "store", "name-canonical", "dangling-name-prefix",
    "rewrite-timestamp", "source-date-epoch", "platform-split",
})  # fmt: skip


class Output(NamedTuple):
    """One ``--output``. names: of the image. annotations: as ``--annotation`` has them.

    as_folder: an image layout that is not packed into an archive.
    """

    type: str
    destination: str = ""
    push: bool = False
    names: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    as_folder: bool = False

    @classmethod
    def parse(cls, text: str) -> Output:
        """``type=tar,dest=x.tar``, a folder, or ``-``.

        Raises InvalidArgument; Unsupported for what would go unnoticed.
        """
        if "=" not in text:
            return cls("tar", "-") if text == "-" else cls("local", text)
        fields = dict(_field(each) for each in csv_fields(text))
        kind = fields.pop("type", "")
        if kind not in _STORED | _ARCHIVES | _FILES:
            raise InvalidArgument(
                f'unknown exporter "{kind}"' if kind else "type is required for output"
            )
        destination = fields.pop("dest", "")
        as_folder = fields.pop("tar", "true") in _NO
        if as_folder and (kind not in _ARCHIVES or not destination):
            raise InvalidArgument(f"tar=false is for type=oci,dest=FOLDER: {text}")
        if kind == "local" and not destination:
            raise InvalidArgument("dest is required for local output")
        if kind in {"tar", "oci"} and not destination:
            destination = "-"
        names = tuple(name for name in fields.pop("name", "").split(",") if name)
        if names and kind in _FILES:
            raise InvalidArgument(f"name= is an image's: type={kind} writes files alone")
        push = fields.pop("push", "") in _YES or kind == "registry"
        annotations = tuple(_annotation(fields, name) for name in [*fields] if _says(name))
        _refuse_rest(fields)
        return cls(kind, destination, push, names, annotations, as_folder)


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidArgument(f"invalid value {text}: --output takes NAME=VALUE, with commas")
    return name.strip().lower() if not _says(name.strip()) else name.strip(), value


def _says(name: str) -> bool:
    return name.startswith(_ANNOTATION) and "." in name


def _annotation(fields: dict[str, str], name: str) -> str:
    """``annotation-manifest[linux/amd64].KEY`` as ``manifest[linux/amd64]:KEY=VALUE``."""
    where, _, key = name.removeprefix(_ANNOTATION).partition(".")
    value = fields.pop(name)
    where = where.removeprefix("-")
    if where.startswith("["):
        where = f"manifest{where}"
    return f"{where}:{key}={value}" if where else f"{key}={value}"


def _refuse_rest(fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        if name in _WITHOUT_EFFECT:
            continue
        if name == "push-by-digest":
            if value in _NO:
                continue
            raise Unsupported("push-by-digest is not known here: push by a name")
        if name in {"compression", "compression-level", "force-compression"}:
            raise Unsupported(
                f"--output {name}={value}: an archive has plain layers, a push compresses them as"
                " the daemon's settings say: leave it out"
            )
        raise InvalidArgument(f'unknown attribute "{name}" of --output')
