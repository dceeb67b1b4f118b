"""Records of our own that are kept as JSON columns: what a row's document holds."""

import msgspec

from knarr.spec.docker.container import (
    ContainerConfig,
    EndpointSettings,
    HostConfig,
    MountPoint,
)
from knarr.spec.docker.health import Health
from knarr.spec.document import SnakeDocument


class ContainerRecord(SnakeDocument):
    """What a container is, completed from its image at creation.

    image_name: as the client wrote it. diff_ids: the image's layers, lowest first.
    """

    config: ContainerConfig
    host: HostConfig
    image_name: str
    diff_ids: tuple[str, ...]
    platform: str = "linux"
    networks: dict[str, EndpointSettings] = msgspec.field(default_factory=dict)
    mounts: tuple[MountPoint, ...] = ()
    anonymous_volumes: tuple[str, ...] = ()


class ContainerState(SnakeDocument):
    """What the last run came to. Times are nanoseconds since the epoch, 0 for never.

    stopped_by_user: a stop or kill was asked for, so no restart policy applies.
    """

    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0
    restart_count: int = 0
    stopped_by_user: bool = False
    health: Health | None = None
