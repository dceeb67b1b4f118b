"""What can be done about a project: one small value each, with what must have been done before.

A plan is made of these; ``apply.py`` carries them out; ``plan`` and ``--dry-run`` show them.
"""

from typing import Any, ClassVar, Final

from knarr.compose.changes import Change
from knarr.compose.update_policy import UpdatePolicy
from knarr.compose.value import Value

CREATED: Final = "all created"  # the key of the point after which containers start


class Action(Value, kw_only=True):
    """A step. key: its name within the plan.  after: keys that come before it."""

    key: str
    after: frozenset[str] = frozenset()

    resource: ClassVar[str] = ""  # what kind of thing it is about
    doing: ClassVar[str] = ""  # as progress shows it: Creating
    done: ClassVar[str] = ""  # Created

    @property
    def subject(self) -> str:
        """What it is about, as progress shows it: ``Container app-web-1``."""
        return f"{self.resource} {self.name}"

    @property
    def name(self) -> str:
        return ""

    @property
    def service_name(self) -> str:
        return ""


class Checkpoint(Action, kw_only=True):
    """Nothing but an order: what comes after waits for what comes before."""


class PullImage(Action, kw_only=True):
    image: str
    services: tuple[str, ...]
    platform: str = ""
    optional: bool = False  # it can be built instead

    resource: ClassVar[str] = "Image"
    doing: ClassVar[str] = "Pulling"
    done: ClassVar[str] = "Pulled"

    @property
    def name(self) -> str:
        return self.image


class BuildImage(Action, kw_only=True):
    service: str
    image: str
    unless_present: bool = False  # a pull before it may have brought the image

    resource: ClassVar[str] = "Image"
    doing: ClassVar[str] = "Building"
    done: ClassVar[str] = "Built"

    @property
    def name(self) -> str:
        return self.image

    @property
    def service_name(self) -> str:
        return self.service


class RemoveImage(Action, kw_only=True):
    image: str

    resource: ClassVar[str] = "Image"
    doing: ClassVar[str] = "Removing"
    done: ClassVar[str] = "Removed"

    @property
    def name(self) -> str:
        return self.image


class CreateNetwork(Action, kw_only=True):
    network: str  # its key in the file
    full_name: str

    resource: ClassVar[str] = "Network"
    doing: ClassVar[str] = "Creating"
    done: ClassVar[str] = "Created"

    @property
    def name(self) -> str:
        return self.full_name


class RemoveNetwork(Action, kw_only=True):
    full_name: str
    id: str

    resource: ClassVar[str] = "Network"
    doing: ClassVar[str] = "Removing"
    done: ClassVar[str] = "Removed"

    @property
    def name(self) -> str:
        return self.full_name


class Disconnect(Action, kw_only=True):
    """Takes a container off a network that is about to be replaced."""

    container: str
    network_id: str
    full_name: str

    resource: ClassVar[str] = "Container"
    doing: ClassVar[str] = "Disconnecting"
    done: ClassVar[str] = "Disconnected"

    @property
    def name(self) -> str:
        return self.container


class CreateVolume(Action, kw_only=True):
    volume: str
    full_name: str

    resource: ClassVar[str] = "Volume"
    doing: ClassVar[str] = "Creating"
    done: ClassVar[str] = "Created"

    @property
    def name(self) -> str:
        return self.full_name


class RemoveVolume(Action, kw_only=True):
    full_name: str

    resource: ClassVar[str] = "Volume"
    doing: ClassVar[str] = "Removing"
    done: ClassVar[str] = "Removed"

    @property
    def name(self) -> str:
        return self.full_name


class ContainerAction(Action, kw_only=True):
    """About one container of a service."""

    service: str
    container: str  # its name

    resource: ClassVar[str] = "Container"

    @property
    def name(self) -> str:
        return self.container

    @property
    def service_name(self) -> str:
        return self.service


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


class RollOut(Action, kw_only=True):
    """The containers of a service replaced a few at a time, each new one well before the next.

    policy: of this; back: of the way back when it fails.  to_before: to what each container was
    before, not to what the file says.  downtime: nobody answers meanwhile.
    """

    service: str
    steps: tuple[RecreateContainer, ...]
    policy: UpdatePolicy
    back: UpdatePolicy
    to_before: bool = False
    downtime: bool = False

    resource: ClassVar[str] = "Service"
    doing: ClassVar[str] = "Rolling out"
    done: ClassVar[str] = "Rolled out"

    @property
    def name(self) -> str:
        return self.service

    @property
    def service_name(self) -> str:
        return self.service


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


class Await(Action, kw_only=True):
    """Waits until a service is what those who depend on it ask."""

    service: str
    condition: str
    required: bool = True
    for_service: str = ""

    resource: ClassVar[str] = "Service"
    doing: ClassVar[str] = "Waiting"
    done: ClassVar[str] = "Healthy"

    @property
    def name(self) -> str:
        return self.service


class RunProvider(Action, kw_only=True):
    """Lets a program outside the engine bring its service up, or down."""

    service: str
    verb: str

    resource: ClassVar[str] = "Service"
    doing: ClassVar[str] = "Running"
    done: ClassVar[str] = "Done"

    @property
    def name(self) -> str:
        return self.service

    @property
    def service_name(self) -> str:
        return self.service


class Plan(Value, kw_only=True):
    """Actions in an order in which they could be carried out one by one."""

    project: str
    actions: tuple[Action, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()  # (service, container) that stay as they are
    warnings: tuple[str, ...] = ()

    @property
    def work(self) -> list[Action]:
        """The actions that change something."""
        return [each for each in self.actions if not isinstance(each, (Checkpoint, Await))]

    @property
    def empty(self) -> bool:
        return not self.work


def describe(action: Action) -> dict[str, Any]:
    """An action as ``plan --format json`` shows it."""
    shown: dict[str, Any] = {
        "action": type(action).__name__,
        "resource": action.resource,
        "name": action.name,
    }
    if action.service_name:
        shown["service"] = action.service_name
    if isinstance(action, RecreateContainer):
        shown["downtime"] = action.was_running
        shown["changes"] = _changes(action)
    if isinstance(action, RollOut):
        shown["downtime"] = action.downtime
        shown["order"] = action.policy.order
        shown["parallelism"] = action.policy.at_once(len(action.steps))
        shown["containers"] = [
            {"name": each.container, "changes": _changes(each)} for each in action.steps
        ]
    return shown


def _changes(action: RecreateContainer) -> list[dict[str, str]]:
    return [
        {"attribute": each.attribute, "old": each.old, "new": each.new} for each in action.changes
    ]
