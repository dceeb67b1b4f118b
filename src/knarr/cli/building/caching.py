"""``--cache-from`` and ``--cache-to``: caches in registries, in folders, and in the image itself.

The engine knows images only; a cache in a folder is the image's OCI layout there.
"""

from __future__ import annotations

import os
from itertools import count
from typing import Final, NamedTuple

from knarr.cli.building.layouts import Lent, sound
from knarr.cli.cli import Cli
from knarr.client.calls import images
from knarr.errors import InvalidArgument, NotFound, Unsupported

_TYPES: Final = ("registry", "local", "inline")
_numbers: Final = count()  # builds beside each other keep their caches apart


class CachePlace(NamedTuple):
    """Where a cache is. ref: of an image. folder: of a layout. whole: steps of all stages.

    name: what the engine is to call the image of the cache until it is where it belongs.
    """

    type: str
    ref: str = ""
    folder: str = ""
    whole: bool = False
    name: str = ""

    @classmethod
    def parse(cls, text: str, flag: str) -> CachePlace:
        """``type=registry,ref=NAME``, ``type=local,src=DIR``, or a name alone."""
        if text == "inline" and flag == "cache-to":
            return cls("inline")
        if "=" not in text:
            return cls("registry", text)
        fields = dict(pair.partition("=")[::2] for pair in text.split(","))
        kind = fields.get("type", "registry")
        if kind not in _TYPES:
            raise Unsupported(
                f"--{flag} type={kind}: knarr keeps caches of the types {', '.join(_TYPES)}"
            )
        where = "src" if flag == "cache-from" else "dest"
        needed = {"registry": "ref", "local": where}.get(kind, "")
        if needed and not fields.get(needed):
            raise InvalidArgument(f"--{flag} type={kind} needs {needed}=")
        mode = fields.get("mode", "min")
        if mode not in {"min", "max"}:
            raise InvalidArgument(f'--{flag}: mode is min or max, not "{mode}"')
        return cls(kind, fields.get("ref", ""), fields.get(where, ""), mode == "max")


def cache_sources(cli: Cli, texts: tuple[str, ...], lent: Lent, *, knarr: bool) -> tuple[str, ...]:
    """Images that tell of steps; those in folders are lent to the engine for this build."""
    places = [CachePlace.parse(each, "cache-from") for text in texts for each in _split(text)]
    if not knarr and any(place.type == "local" for place in places):
        raise Unsupported("--cache-from type=local needs knarr's own engine: this is another one")
    refs = []
    for place in places:
        if place.type != "local":
            refs.append(place.ref)
        elif os.path.exists(os.path.join(place.folder, "index.json")):
            refs.append(lent.layout(place.folder))
        else:
            cli.warn(f"WARNING: no cache in {place.folder} yet")
    return tuple(refs)


def _split(text: str) -> list[str]:
    """Names may come several in one flag."""
    return [text] if "=" in text else [each for each in text.split(",") if each]


def cache_targets(texts: tuple[str, ...]) -> tuple[CachePlace, ...]:
    places = tuple(CachePlace.parse(text, "cache-to") for text in texts)
    if len([place for place in places if place.type != "inline"]) > 1:
        raise Unsupported("--cache-to: one place besides the image itself")
    return tuple(
        place._replace(name=f"knarr-cache-{os.getpid()}-{next(_numbers)}") for place in places
    )


def keep_cache(cli: Cli, place: CachePlace) -> None:
    """Send the cache's image where it belongs; the engine has no more need of it."""
    name = place.name
    try:
        if place.type == "registry":
            _pushed(cli, name, place.ref)
            return
        os.makedirs(place.folder, exist_ok=True)
        with cli.engine.open(images.save((name,))) as answer:
            from knarr.cli.copying.unpack import unpack

            unpack(answer.pieces(), place.folder, None, content=True, keep_owners=False)
    finally:
        cli.engine.ask(images.remove(name, force=True))


def _pushed(cli: Cli, name: str, ref: str) -> None:
    """Under the name that it has in the registry; an image here that is called so keeps it."""
    from knarr.cli.credentials import header_for
    from knarr.reference import Reference

    reference = Reference.parse(ref).tagged()
    before = _identity(cli, ref)
    cli.engine.ask(images.tag(name, reference.name, tag=reference.tag))
    try:
        auth = header_for(cli, reference.domain)
        request = images.push(reference.name, tag=reference.tag, auth=auth)
        for _ in sound(cli.engine.lines(request)):
            pass
    finally:
        if before:
            cli.engine.ask(images.tag(before, reference.name, tag=reference.tag))
        else:
            cli.engine.ask(images.remove(str(reference)))


def _identity(cli: Cli, ref: str) -> str:
    try:
        return str(cli.engine.ask(images.inspect(ref))["Id"])
    except NotFound:
        return ""
