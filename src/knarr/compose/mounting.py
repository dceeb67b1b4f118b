"""Mounts of a service in the engine's words.

A plain bind or named volume goes to ``Binds``, as Compose has it: only there does the engine create
a missing directory of the host. What has options goes to ``Mounts``.
"""

from typing import Any

from knarr.compose.attribute import Scene, host, host_config
from knarr.spec.docker.container import (
    BindOptions,
    ContainerCreate,
    ImageOptions,
    Mount,
    TmpfsOptions,
    VolumeOptions,
)


def with_volume(volume: dict[str, Any], body: ContainerCreate, scene: Scene) -> ContainerCreate:
    """One entry of ``volumes``."""
    declared = scene.project.volumes.get(volume.get("source", ""), {})
    source = str(declared.get("name", volume.get("source", "")))
    if not source and volume["target"] in scene.inherited:
        source = scene.inherited[volume["target"]]  # the volume of the container before
    elif is_plain(volume):
        binds = (*host(body).binds, f"{source}:{volume['target']}:{_bind_options(volume)}")
        return host_config(body, binds=binds)
    return with_mount(mount_of(volume, source), body)


def with_mount(mount: Mount, body: ContainerCreate) -> ContainerCreate:
    return host_config(body, mounts=(*host(body).mounts, mount))


def has_target(body: ContainerCreate, target: str) -> bool:
    """Whether something is mounted there already."""
    binds = [bind.split(":")[1] for bind in host(body).binds]
    return target in (*binds, *(mount.target for mount in host(body).mounts))


def is_plain(volume: dict[str, Any]) -> bool:
    """Whether source, target and a few words say it all."""
    match volume.get("type"):
        case "bind":
            bind = volume.get("bind")
            return bind is None or (
                bind.get("create_host_path", False)
                and not bind.get("propagation")
                and not bind.get("recursive")
            )
        case "volume":
            options = volume.get("volume") or {}
            return bool(volume.get("source")) and not any(
                options.get(name) for name in ("labels", "subpath", "nocopy")
            )
    return False


def _bind_options(volume: dict[str, Any]) -> str:
    words = ["ro" if volume.get("read_only") else "rw"]
    if selinux := (volume.get("bind") or {}).get("selinux"):
        words.append(selinux)
    return ",".join(words)


def mount_of(volume: dict[str, Any], source: str) -> Mount:
    kind = volume.get("type", "")
    bind, named, tmpfs, image = (
        volume.get(name) if kind == name else None for name in ("bind", "volume", "tmpfs", "image")
    )
    return Mount(
        type=kind,
        source=source,
        target=volume["target"],
        read_only=volume.get("read_only", False),
        consistency=volume.get("consistency", ""),
        bind_options=None if bind is None else _bind(bind),
        volume_options=None if named is None else _volume(named),
        tmpfs_options=None if tmpfs is None else _tmpfs(tmpfs),
        image_options=None if image is None else ImageOptions(subpath=image.get("subpath", "")),
    )


def _bind(options: dict[str, Any]) -> BindOptions:
    recursive = options.get("recursive", "")
    return BindOptions(
        propagation=options.get("propagation", ""),
        create_mountpoint=options.get("create_host_path", False),
        non_recursive=recursive == "disabled",
        read_only_non_recursive=recursive == "writable",
        read_only_force_recursive=recursive == "readonly",
    )


def _volume(options: dict[str, Any]) -> VolumeOptions:
    return VolumeOptions(
        no_copy=options.get("nocopy", False),
        labels=options.get("labels", {}),
        subpath=options.get("subpath", ""),
    )


def _tmpfs(options: dict[str, Any]) -> TmpfsOptions:
    return TmpfsOptions(size_bytes=int(options.get("size", 0)), mode=int(options.get("mode", 0)))
