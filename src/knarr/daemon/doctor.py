"""`knarr doctor`: what this machine can do, what knarr chose, what would mend the rest."""

import asyncio
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from knarr.daemon.settings import Settings, settings_of
from knarr.errors import Unsupported
from knarr.kernel import mount, nftables
from knarr.kernel.cgroups import Layout
from knarr.runtime import Keeper, Runtimes, probe
from knarr.snapshot.overlay import Writable, mount_overlay

_KERNEL_NEEDED: Final = (5, 11)  # openat2, the new mount API, overlay options that we rely on
_SPARE_BYTES: Final = 1 << 30

USAGE: Final = """Usage:  knarr doctor

Try what containers need on this machine, and say what would mend what is missing
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was tried.

    needed: without it no container runs. mend: the one command that makes it work, if any.
    """

    name: str
    good: bool
    found: str
    needed: bool = True
    mend: str = ""


def main(argv: Sequence[str]) -> int:
    """0 when containers can run here, 1 when something that they need is missing."""
    if argv:
        print(USAGE, end="", file=sys.stdout if argv[0] in ("-h", "--help") else sys.stderr)
        return 0 if argv[0] in ("-h", "--help") else 125
    findings = []
    for check in _CHECKS:
        for finding in check():
            findings.append(finding)
            print(_line(finding), flush=True)
    lacking = [each for each in findings if each.needed and not each.good]
    print()
    if lacking:
        print(f"Containers cannot run here yet: {', '.join(each.name for each in lacking)}.")
        return 1
    print("Containers can run here.")
    return 0


def _line(finding: Finding) -> str:
    mark = "ok  " if finding.good else ("FAIL" if finding.needed else "miss")
    line = f"{mark}  {finding.name:<16} {finding.found}"
    if finding.good or not finding.mend:
        return line
    return f"{line}\n      mend it:         {finding.mend}"


def _machine() -> Iterator[Finding]:
    release = platform.release()
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2])
    yield Finding(
        name="Linux",
        good=sys.platform == "linux" and numbers >= _KERNEL_NEEDED,
        found=f"{release} on {platform.machine()}",
        mend=f"upgrade the kernel to {'.'.join(map(str, _KERNEL_NEEDED))} or newer",
    )
    yield Finding(
        name="root",
        good=os.geteuid() == 0,
        found="yes" if os.geteuid() == 0 else "no: the engine makes mounts and namespaces",
        mend="run it with sudo",
    )


def _overlay() -> Iterator[Finding]:
    """Tried by mounting one, in the way of containers' roots."""
    with tempfile.TemporaryDirectory(prefix="knarr-doctor-") as folder:
        lower, upper, work, merged = (Path(folder, name) for name in ("l", "u", "w", "m"))
        for each in (lower, upper, work, merged):
            each.mkdir()
        try:
            mount_overlay(merged, [lower], Writable(upper=upper, work=work))
            mount.unmount(str(merged))
        except OSError as error:
            yield Finding(
                name="overlayfs", good=False, found=str(error.strerror), mend="modprobe overlay"
            )
            return
    yield Finding(name="overlayfs", good=True, found="mounted one")


def _cgroups() -> Iterator[Finding]:
    layout = Layout.of_this_machine()
    kinds = {1: "version 1 (or hybrid)", 2: "version 2"}
    yield Finding(
        name="cgroups",
        good=layout.version in kinds,
        found=kinds.get(layout.version, "none are mounted"),
        mend="mount -t cgroup2 none /sys/fs/cgroup",
    )


def _runtimes() -> Iterator[Finding]:
    if os.geteuid() != 0:
        return
    tried = asyncio.run(_probe())
    for attempt in tried.attempts:
        yield Finding(
            name=attempt.name,
            good=not attempt.problem,
            needed=False,
            found=f"{attempt.program}, {attempt.way}: {attempt.problem or 'ran a container'}",
        )
    try:
        chosen = tried.default
    except Unsupported as error:
        yield Finding(name="OCI runtime", good=False, found=str(error), mend="apt-get install crun")
        return
    yield Finding(name="OCI runtime", good=True, found=f"chosen: {chosen.name} ({chosen.program})")


async def _probe() -> Runtimes:
    """With a keeper of its own, so that it works beside a running daemon and without one."""
    with tempfile.TemporaryDirectory(prefix="knarr-doctor-") as folder:
        keeper = Keeper(Path(folder))
        try:
            return await probe(keeper, Path(folder), fresh=True)
        finally:
            await keeper.end()


def _network() -> Iterator[Finding]:
    """Tried by adding a table of no consequence, and taking it away again."""
    table = f"knarr-doctor-{os.getpid()}"
    try:
        rules = nftables.NfTables.open()
        try:
            rules.commit([nftables.add_table(table)])
            rules.commit([nftables.remove_table(table)])
        finally:
            rules.close()
    except OSError as error:
        yield Finding(
            name="nftables",
            good=False,
            found=str(error.strerror),
            mend="modprobe nf_tables nft_chain_nat",
        )
    else:
        yield Finding(name="nftables", good=True, found="the kernel took a table")
    forward = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    yield Finding(
        name="forwarding",
        good=True,
        needed=False,
        found="on" if forward == "1" else "off: knarr turns it on with the first network",
    )


def _programs() -> Iterator[Finding]:
    for program, package, purpose in (
        ("mmdebstrap", "mmdebstrap", "image bootstrap"),
        ("ps", "procps", "top"),
        ("git", "git", "build contexts from repositories"),
    ):
        path = shutil.which(program)
        yield Finding(
            name=program,
            good=path is not None,
            needed=False,
            found=path or f"not installed: `{purpose}` needs it",
            mend=f"apt-get install {package}",
        )


def _disk() -> Iterator[Finding]:
    settings: Settings = settings_of([])
    folder = settings.data_root
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    yield Finding(
        name="disk",
        good=free > _SPARE_BYTES,
        needed=False,
        found=f"{free / 1e9:.1f} GB free for {settings.data_root}",
        mend="knarr system prune",
    )


_CHECKS: Final[Sequence[Callable[[], Iterator[Finding]]]] = (
    _machine, _overlay, _cgroups, _runtimes, _network, _programs, _disk,
)  # fmt: skip
