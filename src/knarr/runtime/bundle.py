"""A bundle on disk: config.json for the OCI runtime, and the limits that are not its business."""

from pathlib import Path

import msgspec

from knarr.errors import Unsupported
from knarr.kernel.cgroups import DeviceRate, DeviceRule, Limits
from knarr.runtime.oci import OciRuntime
from knarr.spec.document import encode
from knarr.spec.oci.runtime import Mount, Process, Resources, Spec, ThrottleDevice

CONFIG: str = "config.json"


def write_bundle(folder: Path, spec: Spec, runtime: OciRuntime) -> None:
    """Write ``config.json``; without control groups where the keeper sees to those."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / CONFIG).write_bytes(encode(spec_for(spec, runtime)))


def write_process(path: Path, process: Process) -> None:
    path.write_bytes(encode(process))


def spec_for(spec: Spec, runtime: OciRuntime) -> Spec:
    """What ``runtime`` gets to read."""
    if any(mount.uid_mappings for mount in spec.mounts):
        spec = _with_id_maps(spec, runtime)
    if not runtime.enters:
        return spec
    linux = msgspec.structs.replace(spec.linux, resources=None, cgroups_path="")
    return msgspec.structs.replace(spec, linux=linux)


def _with_id_maps(spec: Spec, runtime: OciRuntime) -> Spec:
    """Owners of mounts exchanged in crun's own way, which it had before the specification.

    Raises Unsupported for another runtime: runc before 1.2 would pass over the maps in silence.
    """
    if Path(runtime.program).name != "crun":
        raise Unsupported(f"mounts with idmap need crun: {runtime.name} is in use")
    mounts = tuple(_with_id_map(mount) for mount in spec.mounts)
    return msgspec.structs.replace(spec, mounts=mounts)


def _with_id_map(mount: Mount) -> Mount:
    if not mount.uid_mappings:
        return mount
    uids, gids = (
        "#".join(f"{each.container_id}-{each.host_id}-{each.size}" for each in mappings)
        for mappings in (mount.uid_mappings, mount.gid_mappings)
    )
    option = f"idmap=uids={uids};gids={gids}"
    options = tuple(option if each == "idmap" else each for each in mount.options)
    return msgspec.structs.replace(mount, options=options, uid_mappings=(), gid_mappings=())


def limits_of(resources: Resources | None) -> Limits:
    """The same limits, for those who write control group files themselves."""
    if resources is None:
        return Limits()
    limits = Limits(
        pids=resources.pids.limit if resources.pids else None,
        huge_pages={each.page_size: each.limit for each in resources.hugepage_limits},
        devices=tuple(
            DeviceRule(rule.allow, rule.type, rule.major, rule.minor, rule.access)
            for rule in resources.devices
        ),
        unified=resources.unified,
    )
    return _with_io(_with_cpu(_with_memory(limits, resources), resources), resources)


def _with_memory(limits: Limits, resources: Resources) -> Limits:
    if (memory := resources.memory) is None:
        return limits
    return limits._replace(
        memory_bytes=memory.limit,
        memory_reservation_bytes=memory.reservation,
        memory_swap_bytes=memory.swap,
        memory_swappiness=memory.swappiness,
        oom_kill_disable=memory.disable_oom_killer,
    )


def _with_cpu(limits: Limits, resources: Resources) -> Limits:
    if (cpu := resources.cpu) is None:
        return limits
    return limits._replace(
        cpu_shares=cpu.shares,
        cpu_quota_us=cpu.quota,
        cpu_period_us=cpu.period,
        cpu_realtime_runtime_us=cpu.realtime_runtime,
        cpu_realtime_period_us=cpu.realtime_period,
        cpus=cpu.cpus,
        memory_nodes=cpu.mems,
    )


def _with_io(limits: Limits, resources: Resources) -> Limits:
    if (io := resources.block_io) is None:
        return limits
    return limits._replace(
        io_weight=io.weight,
        io_weight_devices=tuple(
            DeviceRate(each.major, each.minor, each.weight)
            for each in io.weight_device
            if each.weight is not None
        ),
        read_bytes=_rates(io.throttle_read_bps_device),
        write_bytes=_rates(io.throttle_write_bps_device),
        read_operations=_rates(io.throttle_read_iops_device),
        write_operations=_rates(io.throttle_write_iops_device),
    )


def _rates(devices: tuple[ThrottleDevice, ...]) -> tuple[DeviceRate, ...]:
    return tuple(DeviceRate(each.major, each.minor, each.rate) for each in devices)
