"""Platforms as people write them: ``linux/arm64``, ``amd64``, ``linux/arm/v7``.

Source: containerd platforms, as the Dockerfile reference's platform ARGs have them.
"""

import platform as machine
import sys
from typing import Final

from knarr.errors import InvalidArgument
from knarr.spec.oci.image import Platform

_ARCHITECTURES: Final = {
    "x86_64": ("amd64", ""), "x86-64": ("amd64", ""), "amd64": ("amd64", ""),
    "i386": ("386", ""), "i686": ("386", ""), "386": ("386", ""),
    "aarch64": ("arm64", ""), "arm64": ("arm64", ""),
    "armhf": ("arm", "v7"), "armel": ("arm", "v6"), "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"), "arm": ("arm", ""),
}  # fmt: skip
_OTHERS: Final = frozenset({"ppc64le", "s390x", "riscv64", "mips64le", "mips64", "loong64", "wasm"})
_SYSTEMS: Final = frozenset({"linux", "windows", "darwin", "freebsd", "wasip1"})


def parse_platform(text: str) -> Platform:
    """``OS[/ARCH[/VARIANT]]`` or ``ARCH``, what is left out being this machine's."""
    parts = text.strip().lower().split("/")
    if not all(parts) or len(parts) > 3:
        raise InvalidArgument(f'"{text}" is an invalid component of "{text}": platform specifier')
    here = host_platform()
    if len(parts) == 1 and parts[0] not in _SYSTEMS:
        return _normal(here.os, parts[0], "", text)
    if len(parts) == 1:
        return _normal(parts[0], here.architecture, here.variant, text)
    return _normal(parts[0], parts[1], parts[2] if len(parts) == 3 else "", text)


def _normal(system: str, architecture: str, variant: str, text: str) -> Platform:
    if architecture not in _ARCHITECTURES and architecture not in _OTHERS:
        raise InvalidArgument(f'"{text}": unknown operating system or architecture')
    architecture, implied = _ARCHITECTURES.get(architecture, (architecture, ""))
    variant = variant or implied
    if architecture == "arm64" and variant in {"8", "v8"}:
        variant = ""
    elif architecture == "arm":
        variant = f"v{variant.removeprefix('v')}" if variant else "v7"
    return Platform(os=system, architecture=architecture, variant=variant)


def host_platform() -> Platform:
    """What this machine runs natively."""
    architecture, variant = _ARCHITECTURES.get(machine.machine().lower(), (machine.machine(), ""))
    return Platform(os=sys.platform, architecture=architecture, variant=variant)


def platform_text(platform: Platform) -> str:
    return "/".join(filter(None, (platform.os, platform.architecture, platform.variant)))
