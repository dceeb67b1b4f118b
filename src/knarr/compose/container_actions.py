"""What can be done about the containers of a service."""

from typing import ClassVar

from knarr.compose.actions import ServiceAction
from knarr.compose.changes import Change
from knarr.compose.update_policy import UpdatePolicy


class ContainerAction(ServiceAction, kw_only=True):
    """About one container of a service."""

    container: str  # its name

    resource: ClassVar[str] = "Container"

    @property
    def name(self) -> str:
        return self.container


class CreateContainer(ContainerAction, kw_only=True):
    number: int

    doing: ClassVar[str] = "Creating"
    done: ClassVar[str] = "Created"


class RecreateContainer(ContainerAction, kw_only=True):
    """A new container in the place of one that is not what its service says any more.

    replaced: the old one's id.  inherit: keep its anonymous volumes.  was_running: it is in use
    until then.
    """

    number: int
    replaced: str
    changes: tuple[Change, ...] = ()
    inherit: bool = True
    was_running: bool = False
    timeout: int | None = None

    doing: ClassVar[str] = "Recreate"
    done: ClassVar[str] = "Recreated"


class RollOut(ServiceAction, kw_only=True):
    """The containers of a service replaced a few at a time, each new one well before the next.

    policy: of this; back: of the way back when it fails.  to_before: to what each container was
    before, not to what the file says.  downtime: nobody answers meanwhile.
    """

    steps: tuple[RecreateContainer, ...]
    policy: UpdatePolicy
    back: UpdatePolicy
    to_before: bool = False
    downtime: bool = False

    doing: ClassVar[str] = "Rolling out"
    done: ClassVar[str] = "Rolled out"


class AdmitContainer(ContainerAction, kw_only=True):
    """Gives new connections to one that was drained, and stays after all."""

    id: str

    doing: ClassVar[str] = "Admitting"
    done: ClassVar[str] = "Admitted"


class RenameContainer(ContainerAction, kw_only=True):
    """container: its name from now on."""

    id: str

    doing: ClassVar[str] = "Renaming"
    done: ClassVar[str] = "Renamed"


class StartContainer(ContainerAction, kw_only=True):
    doing: ClassVar[str] = "Starting"
    done: ClassVar[str] = "Started"


class StopContainer(ContainerAction, kw_only=True):
    """drain_s: how long it may end what it has begun, where others can have what is new."""

    id: str
    timeout: int | None = None  # seconds; the container's own when None
    drain_s: int = 0

    doing: ClassVar[str] = "Stopping"
    done: ClassVar[str] = "Stopped"


class RemoveContainer(ContainerAction, kw_only=True):
    id: str
    volumes: bool = False  # the anonymous ones too

    doing: ClassVar[str] = "Removing"
    done: ClassVar[str] = "Removed"


class RestartContainer(ContainerAction, kw_only=True):
    id: str
    timeout: int | None = None

    doing: ClassVar[str] = "Restarting"
    done: ClassVar[str] = "Started"


class KillContainer(ContainerAction, kw_only=True):
    id: str
    signal: str = "SIGKILL"

    doing: ClassVar[str] = "Killing"
    done: ClassVar[str] = "Killed"


class PauseContainer(ContainerAction, kw_only=True):
    id: str

    doing: ClassVar[str] = "Pausing"
    done: ClassVar[str] = "Paused"


class UnpauseContainer(ContainerAction, kw_only=True):
    id: str

    doing: ClassVar[str] = "Unpausing"
    done: ClassVar[str] = "Unpaused"
