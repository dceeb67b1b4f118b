"""A container's mounts as its runtime makes them: the kernel's, somebody's, the network's files.

Source: OCI runtime-spec, config.md, "Mounts"; mount(8), mount_setattr(2) on id-mapped mounts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from knarr.container.mounts import ordered
from knarr.container.tmpfs import DEFAULT_PROPAGATION, tmpfs_options
from knarr.errors import InvalidArgument, Unsupported
from knarr.kernel.owners import Owners
from knarr.spec.docker.container import HostConfig
from knarr.spec.oci import runtime as oci
from knarr.spec.record import MountPlan

ROOT: Final = oci.User(uid=0, gid=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFiles:
    """Where on the host the container's own hosts, hostname and resolv.conf are; empty for none."""

    hosts: str = ""
    hostname: str = ""
    resolv_conf: str = ""

    def by_destination(self) -> dict[str, str]:
        places = {
            "/etc/resolv.conf": self.resolv_conf,
            "/etc/hostname": self.hostname,
            "/etc/hosts": self.hosts,
        }
        return {place: source for place, source in places.items() if source}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What is at a mount's source on the host: a directory or not, and whose."""

    is_folder: bool = True
    uid: int = 0
    gid: int = 0


_FOLDER: Final = SourceFacts()
_ID_LAST: Final = 2**32 - 2  # the very last number means "nobody in particular"


def kernel_mounts(host: HostConfig, *, writable_cgroups: bool) -> tuple[oci.Mount, ...]:
    """/proc, /dev, /sys and what lies beneath them, before anything that somebody asked for."""
    fixed = ("nosuid", "noexec", "nodev")
    sys_options = fixed if host.privileged else (*fixed, "ro")
    cgroup_options = fixed if writable_cgroups else ("ro", *fixed)
    shm = (*fixed, "mode=1777", f"size={host.shm_size}")
    pts = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
    dev = ("nosuid", "strictatime", "mode=755", "size=65536k")
    return (
        _kernel("/proc", "proc", "proc", fixed),
        _kernel("/dev", "tmpfs", "tmpfs", dev),
        _kernel("/dev/pts", "devpts", "devpts", pts),
        _kernel("/sys", "sysfs", "sysfs", sys_options),
        _kernel("/sys/fs/cgroup", "cgroup", "cgroup", cgroup_options),
        _kernel("/dev/mqueue", "mqueue", "mqueue", fixed),
        *(() if host.ipc_mode == "none" else (_kernel("/dev/shm", "tmpfs", "shm", shm),)),
    )


def _kernel(destination: str, kind: str, source: str, options: tuple[str, ...]) -> oci.Mount:
    return oci.Mount(destination=destination, type=kind, source=source, options=options)


def runtime_mounts(
    plans: Sequence[MountPlan],
    host: HostConfig,
    files: NetworkFiles,
    *,
    shm_source: str = "",
    writable_cgroups: bool = False,
    recursive_read_only: bool = True,
    sources: Mapping[str, SourceFacts] | None = None,
    user: oci.User = ROOT,
    owners: Owners | None = None,
) -> tuple[oci.Mount, ...]:
    """What the runtime mounts, in this order: the kernel's, somebody's, then the network's files.

    A mount of somebody's own takes the place of ours. plans: all of them located.
    shm_source: the directory of a shared /dev/shm, for the modes shareable, host and container.
    sources: facts about each source; a file cannot be made read-only recursively by crun.
    user: who the container's process is, for mounts whose owners are exchanged.
    owners: of its user namespace, which has no right to mount the queues of the host.
    Raises Unsupported where a tree must be read-only and this kernel cannot do it, and for owners
    that would have to be exchanged twice.
    """
    if any(plan.force_recursive_read_only for plan in plans) and not recursive_read_only:
        raise Unsupported("recursive read-only mounts need Linux 5.12")
    if owners is not None and any(plan.id_map for plan in plans):
        raise Unsupported(
            "a mount with idmap (U) needs the host's own users: add --userns=host, or give the"
            f" source to user {owners.root[0]}, who is root in the container"
        )
    taken = {plan.destination for plan in plans}
    if owners is not None and host.ipc_mode == "host":
        taken.add("/dev/mqueue")
    kept = (
        _shared_shm(mount, shm_source) if mount.destination == "/dev/shm" and shm_source else mount
        for mount in kernel_mounts(host, writable_cgroups=writable_cgroups)
        if mount.destination not in taken
        and not ("/dev" in taken and mount.destination.startswith("/dev/"))
    )
    somebodys = (
        _somebodys(plan, (sources or {}).get(plan.source, _FOLDER), user, recursive_read_only)
        for plan in ordered(plans)
    )
    rights = ("ro",) if host.readonly_rootfs else ()
    ours = (
        oci.Mount(
            destination=destination,
            type="bind",
            source=source,
            options=("rbind", *rights, DEFAULT_PROPAGATION),
        )
        for destination, source in files.by_destination().items()
        if destination not in taken
    )
    return (*_read_only_where(host, kept), *somebodys, *ours)


def _somebodys(
    plan: MountPlan, facts: SourceFacts, user: oci.User, recursive_read_only: bool
) -> oci.Mount:
    planned = _runtime_mount(plan, recursive=recursive_read_only and facts.is_folder)
    return _id_mapped(planned, plan, facts, user)


def _shared_shm(mount: oci.Mount, source: str) -> oci.Mount:
    return oci.Mount(
        destination=mount.destination,
        type="bind",
        source=source,
        options=("rbind", DEFAULT_PROPAGATION),
    )


def _read_only_where(host: HostConfig, mounts: Iterable[oci.Mount]) -> Iterable[oci.Mount]:
    """With a read-only root the kernel's mounts are too, but for those that programs live by."""
    live = ("/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    for mount in mounts:
        if host.readonly_rootfs and mount.destination not in live and "ro" not in mount.options:
            yield replace(mount, options=(*mount.options, "ro"))
        else:
            yield mount


def _runtime_mount(plan: MountPlan, *, recursive: bool) -> oci.Mount:
    if plan.kind == "tmpfs":
        return oci.Mount(
            destination=plan.destination, type="tmpfs", source="tmpfs", options=tmpfs_options(plan)
        )
    options = ["rbind" if plan.recursive else "bind"]
    if plan.read_only:
        whole = recursive and plan.recursive_read_only
        options.append("rro" if whole else "ro")
    options.append(plan.propagation or DEFAULT_PROPAGATION)
    return oci.Mount(
        destination=plan.destination, type="bind", source=plan.source, options=tuple(options)
    )


def exchanged(outside: int, inside: int) -> tuple[oci.IdMapping, ...]:
    """The map by which files of ``outside`` are shown as those of ``inside``, and the other way.

    All other numbers stay. Empty where there is nothing to exchange. What a container writes as
    ``inside`` then belongs to ``outside`` on the host.
    """
    if outside == inside:
        return ()
    low, high = sorted((outside, inside))
    spans = ((0, low - 1), (low + 1, high - 1), (high + 1, _ID_LAST))
    kept = (
        oci.IdMapping(container_id=first, host_id=first, size=last - first + 1)
        for first, last in spans
        if last >= first
    )
    return (
        oci.IdMapping(container_id=outside, host_id=inside, size=1),
        oci.IdMapping(container_id=inside, host_id=outside, size=1),
        *kept,
    )


def _id_mapped(
    planned: oci.Mount, plan: MountPlan, facts: SourceFacts, user: oci.User
) -> oci.Mount:
    """The mount with owners exchanged: the source's on the host, the process's in the container."""
    uids, gids = exchanged(facts.uid, user.uid), exchanged(facts.gid, user.gid)
    if not plan.id_map or not (uids or gids):
        return planned
    same = (oci.IdMapping(container_id=0, host_id=0, size=_ID_LAST + 1),)
    return replace(
        planned,
        options=(*planned.options, "idmap"),
        uid_mappings=uids or same,
        gid_mappings=gids or same,
    )


def root_propagation(plans: Iterable[MountPlan]) -> str:
    """What the root must be, so that mounts can pass to (shared) or from (slave) the host."""
    wanted = {plan.propagation.removeprefix("r") for plan in plans}
    if "shared" in wanted:
        return "shared"
    return "rslave" if "slave" in wanted else ""


def check_propagation(propagation: str, source: str, mountinfo: str) -> None:
    """Whether mounts can pass between the host and a bind of ``source``, a path without links.

    mountinfo: the text of /proc/self/mountinfo. Raises InvalidArgument in Docker's words.
    """
    needed = {"shared": ("shared:",), "slave": ("shared:", "master:")}
    marks = needed.get(propagation.removeprefix("r"))
    if marks is None:
        return
    place, tags = _mount_of(source, mountinfo)
    if not any(tag.startswith(marks) for tag in tags):
        what = "a shared" if len(marks) == 1 else "a shared or slave"
        raise InvalidArgument(f"path {source} is mounted on {place} but it is not {what} mount")


def _mount_of(path: str, mountinfo: str) -> tuple[str, tuple[str, ...]]:
    """The mount point that a path is in, and its optional tags; of several there, the last."""
    place, tags = "/", tuple[str, ...]()
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        point = fields[4].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(place):
            place, tags = point, tuple(fields[6 : fields.index("-")])
    return place, tags
