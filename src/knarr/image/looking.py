"""Looking into images: their layers' files, how two differ. Reads the layers; changes nothing."""

import asyncio
import json
import os
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from knarr.errors import Unsupported
from knarr.image.catalogue import Catalogue
from knarr.image.layering import LayerWork, Merged, Node, compared
from knarr.image.model import Image
from knarr.snapshot import Layer, Layers
from knarr.snapshot.listing import Entry, listed
from knarr.spec.knarr.image import (
    ImageDifference,
    ImageLayers,
    ImageStep,
    PathDifference,
    SettingDifference,
    TouchedPath,
    WastedPath,
)
from knarr.spec.oci.platform import platform_of, platform_text

_PIECE: Final = 1 << 20
_WASTED_SHOWN: Final = 20


class Looking:
    """The verbs; the work is done in threads."""

    def __init__(self, layers: Layers, catalogue: Catalogue) -> None:
        self._layers, self._catalogue = layers, catalogue

    async def show(self, ref: str, *, files: bool = False) -> ImageLayers:
        """Each step of the image, and what its layer did. Raises NotFound.

        files: the paths too, not only how many.
        """
        image = self._catalogue.resolve(ref)
        layers = self._catalogue.layers(image)
        with self._layers.pinned(image.diff_ids):
            merged = await asyncio.to_thread(self._merged, image)
        wasted = sorted(merged.wasted.items(), key=lambda each: (-each[1][0], each[0]))
        return ImageLayers(
            id=image.id,
            names=tuple(each.familiar for each in image.tags),
            platform=platform_text(platform_of(image.document)),
            size=image.size_bytes,
            wasted=sum(size for size, _ in merged.wasted.values()),
            steps=tuple(_steps(image, layers, merged, files=files)),
            wasted_paths=tuple(
                WastedPath(path=_shown(path), size=size, times=times)
                for path, (size, times) in wasted[:_WASTED_SHOWN]
            ),
        )

    async def diff(self, before: str, after: str) -> ImageDifference:
        """How the second image differs from the first. Raises NotFound."""
        one, other = self._catalogue.resolve(before), self._catalogue.resolve(after)
        with self._layers.pinned((*one.diff_ids, *other.diff_ids)):
            files = await asyncio.to_thread(self._compared, one, other)
        shared = 0
        for left, right in zip(one.diff_ids, other.diff_ids, strict=False):
            if left != right:
                break
            shared += 1
        return ImageDifference(
            before=one.id,
            after=other.id,
            shared_layers=shared,
            before_layers=len(one.diff_ids),
            after_layers=len(other.diff_ids),
            before_size=one.size_bytes,
            after_size=other.size_bytes,
            settings=tuple(_settings(one, other)),
            files=tuple(files),
        )

    def _merged(self, image: Image) -> Merged:
        merged = Merged()
        try:
            for diff_id in image.diff_ids:
                merged.apply(listed(diff_id, self._layers.lower(diff_id)))
        except RecursionError as error:
            raise Unsupported(f"{image.id} has directories nested too deeply to show") from error
        return merged

    def _compared(self, one: Image, other: Image) -> list[PathDifference]:
        if one.diff_ids == other.diff_ids:
            return []
        trees: list[Node] = [self._merged(each).root for each in (one, other)]
        return [
            PathDifference(
                kind=each.kind,
                path=_shown(each.path),
                before=each.before_bytes,
                after=each.after_bytes,
                what=each.what,
            )
            for each in compared(trees[0], trees[1], self._same_content)
        ]

    def _same_content(self, one: Entry, other: Entry) -> bool:
        """Of two regular files; other kinds have none."""
        if one.content == other.content:
            return True
        if None in (one.content[0], other.content[0]):
            return True
        left, right = self._open(one), self._open(other)
        try:
            if os.fstat(left).st_size != os.fstat(right).st_size:
                return False
            while piece := os.read(left, _PIECE):
                if piece != os.read(right, len(piece)):
                    return False
            return True
        finally:
            os.close(left)
            os.close(right)

    def _open(self, entry: Entry) -> int:
        layer, path = entry.content
        assert layer is not None
        root = os.open(self._layers.lower(layer), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
        finally:
            os.close(root)


def _steps(
    image: Image, layers: Iterable[Layer], merged: Merged, *, files: bool
) -> Iterable[ImageStep]:
    """By the history; layers that it does not tell of come last, without an instruction."""
    rest = iter(zip(layers, merged.layers, strict=False))
    for step in image.document.history:
        pair = None if step.empty_layer else next(rest, None)
        plain = ImageStep(created_by=step.created_by, created=step.created)
        if pair is None:
            yield plain
            continue
        yield _with_layer(plain, *pair, files=files)
    for layer, work in rest:
        yield _with_layer(ImageStep(), layer, work, files=files)


def _with_layer(step: ImageStep, layer: Layer, work: LayerWork, *, files: bool) -> ImageStep:
    return msgspec.structs.replace(
        step,
        diff_id=layer.diff_id,
        size=layer.content_bytes,
        added=work.count("A"),
        changed=work.count("C"),
        removed=work.count("D"),
        wasted=work.wasted_bytes,
        files=tuple(
            TouchedPath(kind=each.kind, path=_shown(each.path), size=each.size)
            for each in work.touched
        )
        if files
        else (),
    )


def _settings(one: Image, other: Image) -> Iterable[SettingDifference]:
    left, right = _plain(one), _plain(other)
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name):
            yield SettingDifference(
                name=name, before=_json(left.get(name)), after=_json(right.get(name))
            )


def _plain(image: Image) -> dict[str, Any]:
    """The settings that somebody chose; environment and labels one by one."""
    plain: dict[str, Any] = msgspec.to_builtins(image.config)
    for name in ("Env", "Labels"):
        values = plain.pop(name, None) or ()
        pairs = values.items() if isinstance(values, dict) else (v.split("=", 1) for v in values)
        plain |= {f"{name}.{key}": value for key, *_, value in pairs}
    return {**plain, "Platform": platform_text(platform_of(image.document))}


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value)


def _shown(path: bytes) -> str:
    return "/" + os.fsdecode(path).encode("utf-8", "backslashreplace").decode()
