"""Seccomp filters that crun compiled once, kept for all containers with the same profile.

To compile Docker's default profile takes crun as long as all the rest of a start. It takes a ready
filter from an annotation, and leaves the one that it made in its folder of the container; the
keeper copies that one away when the first container with a profile has started.
"""

import base64
import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec

from knarr.runtime.oci import OciRuntime
from knarr.spec.document import encode
from knarr.spec.oci.runtime import Spec

_ANNOTATION: Final = "run.oci.seccomp_bpf_data"  # crun's: base64 of the program, instead of rules
_COMPILED: Final = "seccomp.bpf"  # in crun's folder of a container


class CompiledFilters:
    """By a digest of the profile and of the program that compiled it."""

    def __init__(self, folder: Path) -> None:
        """folder: root's alone, and gone with a reboot: what lies there is loaded unseen."""
        self._folder = folder
        self._known: dict[str, str] = {}

    def apply(self, spec: Spec, runtime: OciRuntime, state: Path) -> tuple[Spec, list[str]]:
        """The spec with its filter, if there is one; else what to copy once it has started.

        state: the runtime's folder of this container.
        """
        profile = spec.linux.seccomp
        if profile is None or os.path.basename(runtime.program) != "crun":
            return spec, []
        key = _key(encode(profile), runtime.program)
        compiled = self._known.get(key) or self._recall(key)
        if compiled is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return spec, [str(state / _COMPILED), str(self._folder / key)]
        annotations = {**spec.annotations, _ANNOTATION: compiled}
        return msgspec.structs.replace(spec, annotations=annotations), []

    def _recall(self, key: str) -> str | None:
        try:
            program = (self._folder / key).read_bytes()
        except OSError:
            return None
        self._known[key] = base64.b64encode(program).decode()
        return self._known[key]


def _key(profile: bytes, program: str) -> str:
    there = os.stat(program)
    made_by = f"{program} {there.st_mtime_ns} {there.st_size}".encode()
    return hashlib.sha256(profile + made_by).hexdigest()
