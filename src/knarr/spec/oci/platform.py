"""Platforms: ``linux/arm64/v8``, in the forms people write and the one that is compared.

Source: OCI image-spec, image-index.md, "platform"; containerd's normalisation of names.
"""

import platform as machine
from collections.abc import Iterable
from typing import Final

from knarr.errors import InvalidArgument
from knarr.spec.oci.image import ImageDocument, Platform

_ARCHITECTURES: Final = {
    "x86_64": "amd64", "x86-64": "amd64", "i386": "386", "i486": "386", "i586": "386",
    "i686": "386", "aarch64": "arm64", "armhf": "arm/v7", "armel": "arm/v6", "armv7l": "arm/v7",
    "armv6l": "arm/v6", "armv8l": "arm64", "ppc64el": "ppc64le", "loongarch64": "loong64",
}  # fmt: skip
_OPERATING_SYSTEMS: Final = {"macos": "darwin"}
_KNOWN_ARCHITECTURES: Final = frozenset({
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64",
    "ppc64le", "riscv64", "s390x", "wasm",
})  # fmt: skip
_KNOWN_SYSTEMS: Final = frozenset({
    "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd",
    "openbsd", "plan9", "solaris", "wasip1", "windows",
})  # fmt: skip
_IMPLIED_VARIANT: Final = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


def parse_platform(text: str) -> Platform:
    """``linux/amd64``, ``arm64``, ``linux/arm/v7``: what ``--platform`` takes.

    A part left out is the machine's. Raises InvalidArgument in Docker's words.
    """
    parts = text.lower().split("/")
    if not all(parts) or len(parts) > 3:
        raise InvalidArgument(
            f"{text!r} is an invalid OS or architecture, platform specifier must be of the form"
            " [<os>[/<architecture>[/<variant>]]]".replace("'", '"')
        )
    if len(parts) == 1:
        return _single(parts[0])
    variant = parts[2] if len(parts) == 3 else ""
    return normalized(Platform(os=parts[0], architecture=parts[1], variant=variant))


def _single(word: str) -> Platform:
    here = machine_platform()
    if _OPERATING_SYSTEMS.get(word, word) in _KNOWN_SYSTEMS:
        return normalized(Platform(os=word, architecture=here.architecture))
    if _ARCHITECTURES.get(word, word).partition("/")[0] in _KNOWN_ARCHITECTURES:
        return normalized(Platform(os=here.os, architecture=word))
    raise InvalidArgument(f'"{word}": unknown operating system or architecture: invalid argument')


def normalized(given: Platform) -> Platform:
    """With one spelling for each architecture; a variant that is implied is left out."""
    architecture = _ARCHITECTURES.get(given.architecture.lower(), given.architecture.lower())
    architecture, _, implied = architecture.partition("/")
    variant = given.variant.lower() or implied
    if variant.isdigit():
        variant = f"v{variant}"
    if variant == _IMPLIED_VARIANT.get(architecture) and architecture != "arm":
        variant = ""
    if architecture == "arm" and not variant:
        variant = "v7"
    system = given.os.lower()
    return Platform(
        architecture=architecture,
        os=_OPERATING_SYSTEMS.get(system, system) or "linux",
        variant=variant,
        os_version=given.os_version,
        os_features=given.os_features,
    )


def machine_platform() -> Platform:
    """Of the machine this runs on."""
    return normalized(Platform(os="linux", architecture=machine.machine()))


def platform_of(document: ImageDocument) -> Platform:
    """What an image says that it runs on."""
    return Platform(
        os=document.os,
        architecture=document.architecture,
        variant=document.variant,
        os_version=document.os_version,
    )


def platform_text(given: Platform) -> str:
    """``linux/arm64/v8``, as it is shown: an implied variant of arm64 is named."""
    shown = given.variant or ("v8" if given.architecture == "arm64" else "")
    return "/".join(part for part in (given.os, given.architecture, shown) if part)


def suits(wanted: Platform, offered: Platform) -> int | None:
    """How far ``offered`` is from ``wanted``: 0 is the same, None means it does not run there.

    A machine runs what was made for an older variant of it: arm/v7 runs arm/v6, amd64/v3 runs
    amd64. 32-bit images are not taken for a 64-bit machine unless they are asked for.
    """
    want, offer = normalized(wanted), normalized(offered)
    if (want.os, want.architecture) != (offer.os, offer.architecture):
        return None
    if want.os_version and offer.os_version and want.os_version != offer.os_version:
        return None
    want_level, offer_level = _level(want), _level(offer)
    if want_level is None or offer_level is None:
        return 0 if want.variant == offer.variant else None
    return want_level - offer_level if offer_level <= want_level else None


def best(wanted: Platform, offered: Iterable[Platform | None]) -> int | None:
    """Index of the offer that suits best, the first of equals; None when nothing does."""
    ranked = [
        (distance, index)
        for index, each in enumerate(offered)
        if each is not None and (distance := suits(wanted, each)) is not None
    ]
    return min(ranked)[1] if ranked else None


def _level(given: Platform) -> int | None:
    variant = given.variant or _IMPLIED_VARIANT.get(given.architecture, "v0")
    digits = variant.removeprefix("v")
    return int(digits) if digits.isdecimal() else None
