"""Everything that is mounted in a container: parsed, put together, ordered.

``-v``, ``--mount``, ``--tmpfs``, ``--volumes-from`` and the image's VOLUMEs become MountPlans; the
service finds or makes what each stands for (``located``), and they are kept with the container; at
the start they become the runtime's mounts.

Source: Engine API, HostConfig Binds, Mounts, Tmpfs, VolumesFrom; the sentences are Docker's.
"""

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from knarr.container.tmpfs import DEFAULT_PROPAGATION, PROPAGATIONS, tmpfs_options
from knarr.errors import InvalidArgument, Unsupported
from knarr.spec.docker.container import (
    BindOptions,
    ContainerConfig,
    DriverConfig,
    HostConfig,
    Mount,
    MountPoint,
    TmpfsOptions,
    VolumeOptions,
)
from knarr.spec.record import MountKind, MountPlan

_ID_MAPS: Final = ("idmap", "U")  # ours; U as podman's users write it
# In each group one word at most.
_MODES: Final = (
    ("rw", "ro"),
    ("z", "Z"),
    PROPAGATIONS,
    ("copy", "nocopy"),
    ("consistent", "cached", "delegated"),
    _ID_MAPS,
)


def is_mode(text: str) -> bool:
    """Whether ``text`` can be the third part of ``-v``: ``ro,z,rslave``."""
    words = text.split(",")
    return all(any(word in group for group in _MODES) for word in words) and all(
        sum(word in group for word in words) <= 1 for group in _MODES
    )


def parse_bind(text: str, volume_driver: str = "") -> MountPlan:
    """``SOURCE:DESTINATION[:MODE]``, ``NAME:DESTINATION[:MODE]``, ``DESTINATION``."""
    invalid = InvalidArgument(f"invalid volume specification: '{text}'")
    source, mode = "", ""
    match text.split(":"):
        case [destination]:
            pass
        case [source, destination] if not is_mode(destination):
            pass
        case [source, destination, mode]:
            if mode and not is_mode(mode):
                raise InvalidArgument(f"invalid mode: {mode}")
        case _:
            raise invalid
    if not text.partition(":")[0]:
        raise invalid
    kind: MountKind = "bind" if source.startswith("/") else "volume"
    try:
        _check_target(destination)
    except ValueError as error:
        reason = f'invalid mount config for type "{kind}": {error}'
        raise InvalidArgument(f"invalid volume specification: '{text}': {reason}") from error
    words = mode.split(",")
    bind = kind == "bind"
    return MountPlan(
        kind=kind,
        destination=posixpath.normpath(destination),
        source=posixpath.normpath(source) if bind else "",
        name="" if bind else source,
        driver="" if bind else volume_driver,
        mode=mode or ("" if bind or not source else "z"),
        read_only="ro" in words,
        propagation=_propagation(words) if bind else "",
        fill=not bind and "nocopy" not in words,
        id_map=any(word in words for word in _ID_MAPS),
        create_source=bind,
        anonymous=not bind and not source,
    )


def _propagation(words: Iterable[str]) -> str:
    return next((word for word in words if word in PROPAGATIONS), DEFAULT_PROPAGATION)


def parse_volumes_from(text: str) -> tuple[str, str]:
    """``CONTAINER[:MODE]`` as container and ``rw`` or ``ro``."""
    if not text:
        raise InvalidArgument("volumes-from specification cannot be an empty string")
    container, _, mode = text.partition(":")
    words = mode.split(",")
    barred = (*PROPAGATIONS, "copy", "nocopy")
    if mode and (not is_mode(mode) or any(word in barred for word in words)):
        raise InvalidArgument(f"invalid mode: {mode}")
    return container, "ro" if "ro" in words else "rw"


def parse_mount(mount: Mount, path_exists: Callable[[str], bool]) -> MountPlan:
    """One entry of HostConfig.Mounts.

    path_exists: whether the host has a path, for bind sources.
    """
    try:
        _check_options(mount)
        if not mount.target:
            raise ValueError("field Target must not be empty")
        _check_target(mount.target)
        match mount.type:
            case "bind":
                return _bind(mount, path_exists)
            case "volume":
                return _volume(mount)
            case "tmpfs":
                return _tmpfs(mount)
            case "image":
                return _image(mount)
            case "cluster" | "npipe":
                raise Unsupported(f"mounts of type {mount.type} are not supported")
            case _:
                raise ValueError("mount type unknown")
    except ValueError as error:
        raise InvalidArgument(f'invalid mount config for type "{mount.type}": {error}') from error


def _check_options(mount: Mount) -> None:
    for name, kind, given in (
        ("BindOptions", "bind", mount.bind_options),
        ("VolumeOptions", "volume", mount.volume_options),
        ("ImageOptions", "image", mount.image_options),
        ("TmpfsOptions", "tmpfs", mount.tmpfs_options),
    ):
        if given is not None and mount.type != kind:
            raise ValueError(f"field {name} must not be specified")


def _check_target(target: str) -> None:
    if posixpath.normpath(target) in ("/", "//", "."):
        raise ValueError("invalid specification: destination can't be '/'")
    if not target.startswith("/"):
        raise ValueError(f"invalid mount path: '{target}' mount path must be absolute")


def _bind(mount: Mount, path_exists: Callable[[str], bool]) -> MountPlan:
    options = mount.bind_options or BindOptions()
    if not mount.source:
        raise ValueError("field Source must not be empty")
    if options.propagation and options.propagation not in PROPAGATIONS:
        raise ValueError(f"invalid propagation mode: {options.propagation}")
    if not mount.source.startswith("/"):
        raise ValueError(f"invalid mount path: '{mount.source}' mount path must be absolute")
    if not options.create_mountpoint and not path_exists(mount.source):
        raise ValueError(f"bind source path does not exist: {mount.source}")
    _check_recursion(mount, options)
    return MountPlan(
        kind="bind",
        destination=posixpath.normpath(mount.target),
        source=posixpath.normpath(mount.source),
        read_only=mount.read_only,
        propagation=options.propagation or DEFAULT_PROPAGATION,
        recursive=not options.non_recursive,
        recursive_read_only=not options.read_only_non_recursive,
        force_recursive_read_only=options.read_only_force_recursive,
        id_map=options.id_map,
        create_source=options.create_mountpoint,
    )


def _check_recursion(mount: Mount, options: BindOptions) -> None:
    without, forced = options.read_only_non_recursive, options.read_only_force_recursive
    conflicts = {
        "!ReadOnly && BindOptions.ReadOnlyNonRecursive": without and not mount.read_only,
        "!ReadOnly && BindOptions.ReadOnlyForceRecursive": forced and not mount.read_only,
        "ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive": without and forced,
    }
    for what, holds in conflicts.items():
        if holds:
            raise ValueError(f"mount options conflict: {what}")


def _volume(mount: Mount) -> MountPlan:
    options = mount.volume_options or VolumeOptions()
    driver = options.driver_config or DriverConfig()
    if options.subpath:
        if not mount.source:
            raise ValueError("must not set Subpath when using anonymous volumes")
        _check_subpath(options.subpath, "volume")
    return MountPlan(
        kind="volume",
        destination=posixpath.normpath(mount.target),
        name=mount.source,
        driver=driver.name,
        driver_options=driver.options,
        labels=options.labels,
        mode="z",
        read_only=mount.read_only,
        subpath=options.subpath,
        fill=not options.no_copy,
        id_map=options.id_map,
        anonymous=not mount.source,
    )


def _check_subpath(subpath: str, of: str) -> None:
    normal = posixpath.normpath(subpath)
    if normal == ".." or normal.startswith(("/", "../")):
        raise ValueError(f"subpath must be a relative path within the {of}")


def _tmpfs(mount: Mount) -> MountPlan:
    if mount.source:
        raise ValueError("field Source must not be specified")
    return MountPlan(
        kind="tmpfs",
        destination=posixpath.normpath(mount.target),
        read_only=mount.read_only,
        options=",".join(_tmpfs_words(mount.tmpfs_options or TmpfsOptions())),
    )


def _tmpfs_words(options: TmpfsOptions) -> Iterable[str]:
    if options.mode:
        yield f"mode={options.mode:o}"
    if options.size_bytes:
        yield f"size={options.size_bytes}"
    for option in options.options:
        if not 1 <= len(option) <= 2:
            raise ValueError("invalid option array length")
        if option[0] not in ("exec", "noexec"):
            raise ValueError(f"invalid option: {option[0]}")
        yield "=".join(option)


def _image(mount: Mount) -> MountPlan:
    if not mount.source:
        raise ValueError("field Source must not be empty")
    subpath = mount.image_options.subpath if mount.image_options is not None else ""
    if subpath:
        _check_subpath(subpath, "image")
    return MountPlan(
        kind="image",
        destination=posixpath.normpath(mount.target),
        source=mount.source,
        read_only=True,
        propagation=DEFAULT_PROPAGATION,
        subpath=subpath,
    )


def requested_mounts(
    config: ContainerConfig,
    host: HostConfig,
    *,
    others: Mapping[str, Sequence[MountPlan]],
    path_exists: Callable[[str], bool],
) -> tuple[MountPlan, ...]:
    """All mounts of a new container, one per destination, in the order they are mounted.

    What comes later wins over what other containers lend; two of the client's own at one place are
    refused. An image's VOLUME gives way to everything.
    others: the mounts of each container that VolumesFrom names, by that name.
    Raises InvalidArgument in Docker's words.
    """
    lent = {plan.destination: plan for text in host.volumes_from for plan in _lent(text, others)}
    own: dict[str, MountPlan] = {}
    tmpfs = (
        MountPlan(kind="tmpfs", destination=_destination(place), options=options, listed=False)
        for place, options in host.tmpfs.items()
    )
    binds = (parse_bind(text, host.volume_driver) for text in host.binds)
    mounts = (parse_mount(mount, path_exists) for mount in host.mounts)
    for plan in (*tmpfs, *binds, *mounts):
        if plan.destination in own:
            raise InvalidArgument(f"Duplicate mount point: {plan.destination}")
        if plan.kind == "tmpfs":
            tmpfs_options(plan)
        own[plan.destination] = plan
    anonymous = (
        MountPlan(
            kind="volume",
            destination=_destination(place),
            driver=host.volume_driver,
            fill=True,
            anonymous=True,
        )
        for place in config.volumes
    )
    return ordered((({each.destination: each for each in anonymous} | lent) | own).values())


def _lent(text: str, others: Mapping[str, Sequence[MountPlan]]) -> Iterable[MountPlan]:
    container, mode = parse_volumes_from(text)
    for plan in others[container]:
        if plan.listed:
            read_only = plan.read_only or mode == "ro"
            yield replace(plan, read_only=read_only, fill=False)


def _destination(place: str) -> str:
    try:
        _check_target(place)
    except ValueError as error:
        raise InvalidArgument(str(error)) from error
    return posixpath.normpath(place)


def ordered(plans: Iterable[MountPlan]) -> tuple[MountPlan, ...]:
    """Parents before what lies beneath them."""
    return tuple(sorted(plans, key=lambda plan: (plan.destination.count("/"), plan.destination)))


def located(
    plan: MountPlan, source: str, *, name: str | None = None, driver: str | None = None
) -> MountPlan:
    """The same mount once it is known where its data is; for a volume which one it became."""
    return replace(
        plan,
        source=source,
        name=plan.name if name is None else name,
        driver=plan.driver if driver is None else driver,
    )


def mount_points(plans: Iterable[MountPlan]) -> tuple[MountPoint, ...]:
    """The mounts as inspect shows them; what ``--tmpfs`` made is in HostConfig alone."""
    return tuple(
        MountPoint(
            type=plan.kind,
            name=plan.name,
            source=plan.source,
            destination=plan.destination,
            driver=plan.driver,
            mode=plan.mode,
            rw=not plan.read_only,
            propagation=plan.propagation,
        )
        for plan in plans
        if plan.listed
    )
