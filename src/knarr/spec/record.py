"""Records of our own that are kept as JSON columns: what a row's document holds."""

from typing import Literal

import msgspec

from knarr.spec.docker.container import ContainerConfig, EndpointSettings, HostConfig
from knarr.spec.docker.health import Health
from knarr.spec.document import SnakeDocument

MountKind = Literal["bind", "volume", "tmpfs", "image"]


class MountPlan(SnakeDocument):
    """One mount of a container, as it was asked for and then found or made.

    source: of a bind the host's path. Of a volume it is where its data is, once that is known;
    ``name`` says which volume, empty for one to be made. Of an image it is its ID, ``name`` what
    the client called it, ``layers`` its diff IDs, lowest first.
    mode: the third part of ``-v``, as typed. subpath: within the volume or image.
    fill: whether an empty volume gets what the image has at ``destination``.
    id_map: show files of the source's owner as the container's user's, and the other way round.
    create_source: make a missing bind source, as ``-v`` does.
    anonymous: made for this container alone, and removed with it by ``rm -v`` and ``--rm``.
    listed: among the mounts that inspect shows; what ``--tmpfs`` made is not.
    """

    kind: MountKind
    destination: str
    source: str = ""
    name: str = ""
    driver: str = ""
    driver_options: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    mode: str = ""
    read_only: bool = False
    propagation: str = ""
    recursive: bool = True
    recursive_read_only: bool = True
    force_recursive_read_only: bool = False
    options: str = ""
    subpath: str = ""
    layers: tuple[str, ...] = ()
    fill: bool = False
    id_map: bool = False
    create_source: bool = False
    anonymous: bool = False
    listed: bool = True


class ContainerRecord(SnakeDocument):
    """What a container is, completed from its image at creation.

    image_name: as the client wrote it. diff_ids: the image's layers, lowest first.
    networks: what was said of each, by name; the one of the network mode may be missing here.
    left_networks: the network mode's, once the container was taken off it.
    """

    config: ContainerConfig
    host: HostConfig
    image_name: str
    diff_ids: tuple[str, ...]
    platform: str = "linux"
    networks: dict[str, EndpointSettings] = msgspec.field(default_factory=dict)
    left_networks: tuple[str, ...] = ()
    mounts: tuple[MountPlan, ...] = ()


class ContainerState(SnakeDocument):
    """What the last run came to. Times are nanoseconds since the epoch, 0 for never.

    stopped_by_user: a stop or kill was asked for, so no restart policy applies.
    detach_keys: what its start said that detaches who says nothing else; empty for the usual ones.
    """

    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0
    restart_count: int = 0
    stopped_by_user: bool = False
    detach_keys: str = ""
    health: Health | None = None
