"""Platforms as people write them: ``linux/arm64/v8``. Source: OCI image specification."""

from __future__ import annotations

from knarr.client.lean import Final
from knarr.errors import InvalidArgument

_SYSTEMS: Final = (
    "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd",
    "openbsd", "plan9", "solaris", "wasip1", "windows",
)  # fmt: skip
_MACHINES: Final = {
    "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386",
    "armhf": "arm", "armel": "arm", "amd64": "amd64", "arm64": "arm64", "386": "386", "arm": "arm",
    "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x", "loong64": "loong64",
    "mips64le": "mips64le", "mips64": "mips64", "wasm": "wasm",
}  # fmt: skip


def platform_of(
    text: str, *, said: str = "error parsing specified platform: "
) -> dict[str, str] | None:
    """The platform's parts; None for an empty text. Raises InvalidArgument in Docker's words.

    said: what comes before the reason; each of docker's commands has its own.
    """
    if not text:
        return None
    words = text.lower().split("/")
    if len(words) == 1:
        if words[0] in _SYSTEMS:
            return {"os": words[0]}
        if words[0] in _MACHINES:
            return {"architecture": _MACHINES[words[0]], "os": "linux"}
        raise InvalidArgument(
            f'{said}"{text}": unknown operating system or architecture: invalid argument'
        )
    if len(words) > 3 or not all(words):
        raise InvalidArgument(f'{said}"{text}": cannot parse platform specifier: invalid argument')
    platform = {"architecture": _MACHINES.get(words[1], words[1]), "os": words[0]}
    return platform | ({"variant": words[2]} if len(words) == 3 else {})


def platforms_of(texts: tuple[str, ...], *, said: str) -> list[dict[str, str]]:
    """The same of a flag that may be repeated and takes comma-separated lists."""
    words = [word for text in texts for word in text.split(",") if word]
    return [platform for word in words if (platform := platform_of(word, said=said))]
