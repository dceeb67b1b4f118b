"""Which OCI runtime works here, and called how: found by running a container with each.

Some refuse some machines: crun up to 1.8 wants nothing of version 2 control groups beside those of
version 1, when version 2 offers a controller. It works with that mount out of its sight.
"""

import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from knarr.errors import InvalidArgument, KnarrError, Unsupported
from knarr.kernel.cgroups import Layout
from knarr.runtime.keeper import Keeper
from knarr.runtime.model import Launch
from knarr.runtime.oci import OciRuntime
from knarr.spec.document import SnakeDocument, decode, encode
from knarr.spec.oci.runtime import (
    OCI_VERSION,
    Linux,
    Mount,
    Namespace,
    Process,
    Root,
    Spec,
    User,
)

IN_ORDER: Final = ("crun", "runc")  # the faster first
_SEARCH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_CACHE: Final = "runtimes.json"
# What a program of the host needs around it, in a root filesystem that is otherwise empty.
_SYSTEM_FOLDERS: Final = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/gnu")


class Attempt(SnakeDocument):
    """One way that was tried; ``problem`` is empty when it worked."""

    name: str
    program: str
    way: str
    problem: str = ""


class _Cached(SnakeDocument):
    """A verdict, and all that it depends on."""

    conditions: tuple[str, ...]
    working: tuple[OciRuntime, ...]
    attempts: tuple[Attempt, ...]


class Runtimes:
    """Those that work, the preferred first, and what was tried to find out."""

    def __init__(self, working: Iterable[OciRuntime], attempts: Iterable[Attempt]) -> None:
        self.working = tuple(working)
        self.attempts = tuple(attempts)

    @property
    def default(self) -> OciRuntime:
        """Raises Unsupported, with what was tried, when none works."""
        if self.working:
            return self.working[0]
        tried = "; ".join(f"{each.name} ({each.way}): {each.problem}" for each in self.attempts)
        raise Unsupported(
            f"no OCI runtime works on this machine. {tried or 'None is installed'}."
            " Install one: apt-get install crun"
        )

    def named(self, name: str) -> OciRuntime:
        """The runtime that ``--runtime`` names; without a name the default. InvalidArgument."""
        if not name:
            return self.default
        for runtime in self.working:
            if runtime.name == name:
                return runtime
        raise InvalidArgument(f"unknown or invalid runtime name: {name}")


async def probe(
    keeper: Keeper, run_root: Path, further: dict[str, str] | None = None, *, fresh: bool = False
) -> Runtimes:
    """Try crun, runc and the ``further`` programs by name, in all ways until one works.

    The verdict is kept in the run folder, and good until a program, the machine's mounts or the
    boot is another; ``fresh`` tries again regardless.
    """
    layout = Layout.of_this_machine()
    programs = {name: found for name in IN_ORDER if (found := shutil.which(name, path=_SEARCH))}
    programs |= further or {}
    conditions = tuple(_conditions(layout, programs))
    cache = run_root / _CACHE
    if not fresh and (known := _recall(cache)) is not None and known.conditions == conditions:
        return Runtimes(known.working, known.attempts)
    working, attempts = [], []
    for name, program in programs.items():
        for runtime in ways(name, program, layout):
            problem = await _try(keeper, runtime, run_root)
            attempt = Attempt(name=name, program=program, way=_describe(runtime), problem=problem)
            attempts.append(attempt)
            if not problem:
                working.append(runtime)
                break
    verdict = _Cached(conditions=conditions, working=tuple(working), attempts=tuple(attempts))
    _remember(cache, verdict)
    return Runtimes(working, attempts)


def ways(name: str, program: str, layout: Layout) -> tuple[OciRuntime, ...]:
    """How ``program`` may be called on a machine of this ``layout``, the best first. Pure.

    crun can be told to leave control groups alone, so the keeper enters them for it, which is
    faster; on version 2 its own way is fast, and it alone can limit devices there.
    """
    if os.path.basename(program) != "crun":
        return (OciRuntime(name=name, program=program),)
    crun = OciRuntime(name=name, program=program, log_format="text")
    if layout.version == 2:
        return (replace(crun, options=("--cgroup-manager=cgroupfs",)),)
    apart = replace(crun, options=("--cgroup-manager=disabled",), enters=True)
    if layout.unified is None:
        return (apart,)
    hidden = (layout.unified, os.path.dirname(layout.unified))
    return (apart, replace(apart, hidden=hidden))


def _describe(runtime: OciRuntime) -> str:
    groups = "control groups entered for it" if runtime.enters else "control groups by itself"
    return f"{groups}, {runtime.hidden[0]} hidden" if runtime.hidden else groups


async def _try(keeper: Keeper, runtime: OciRuntime, run_root: Path) -> str:
    """Why a container that does nothing fails; empty when it does not."""
    container_id = f"probe-{secrets.token_hex(6)}"
    rootfs = run_root / container_id
    try:
        spec = _trivial_spec(container_id, rootfs, keeper.layout)
        try:
            exit_ = await keeper.run(Launch(id=container_id, spec=spec, runtime=runtime))
        finally:
            await keeper.release(container_id)
    except KnarrError as error:
        return str(error)
    finally:
        shutil.rmtree(rootfs, ignore_errors=True)
    return "" if exit_.code == 0 else f"a container that does nothing ended with {exit_.code}"


def _trivial_spec(container_id: str, rootfs: Path, layout: Layout) -> Spec:
    """A container of the host's own ``true``, in an empty root with the host's libraries."""
    program = shutil.which("true", path=_SEARCH) or "/bin/true"
    mounts = [
        Mount(destination="/proc", type="proc", source="proc", options=("nosuid", "noexec")),
        Mount(destination="/dev", type="tmpfs", source="tmpfs", options=("nosuid", "mode=755")),
    ]
    for folder in _SYSTEM_FOLDERS:
        if os.path.islink(folder):
            (rootfs / folder[1:]).parent.mkdir(parents=True, exist_ok=True)
            (rootfs / folder[1:]).symlink_to(os.readlink(folder))
        elif os.path.isdir(folder):
            (rootfs / folder[1:]).mkdir(parents=True, exist_ok=True)
            options = ("rbind", "ro", "rprivate")
            mounts.append(Mount(destination=folder, type="bind", source=folder, options=options))
    kinds = ("pid", "network", "ipc", "uts", "mount", *(("cgroup",) if layout.version == 2 else ()))
    return Spec(
        oci_version=OCI_VERSION,
        process=Process(args=(program,), cwd="/", user=User(uid=0, gid=0)),
        root=Root(path=str(rootfs)),
        mounts=tuple(mounts),
        linux=Linux(
            namespaces=tuple(Namespace(type=kind) for kind in kinds),
            cgroups_path=f"/knarr/{container_id}",
        ),
    )


def _conditions(layout: Layout, programs: dict[str, str]) -> Iterable[str]:
    """Everything that a verdict depends on, as text."""
    yield _BOOT_ID.read_text().strip()
    yield f"{sorted(layout.controllers.items())} {layout.unified}"
    for name, program in programs.items():
        try:
            status = os.stat(program)
        except FileNotFoundError:
            yield f"{name} {program} missing"
        else:
            yield f"{name} {program} {status.st_mtime_ns} {status.st_size}"


def _recall(cache: Path) -> _Cached | None:
    try:
        return decode(cache.read_bytes(), _Cached)
    except (FileNotFoundError, InvalidArgument):
        return None


def _remember(cache: Path, verdict: _Cached) -> None:
    new = cache.with_suffix(".new")
    new.write_bytes(encode(verdict))
    new.rename(cache)
