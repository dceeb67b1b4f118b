"""What can be done about a project: one small value each, with what must have been done before.

Those about containers are in container_actions.py. A plan is made of these; ``apply.py`` carries
them out; ``plan`` and ``--dry-run`` show them.
"""

from typing import ClassVar, Final

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


class ServiceAction(Action, kw_only=True):
    """What is done for one service, and bears its name unless it is about a part of it."""

    service: str

    resource: ClassVar[str] = "Service"

    @property
    def name(self) -> str:
        return self.service

    @property
    def service_name(self) -> str:
        return self.service


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


class BuildImage(ServiceAction, kw_only=True):
    image: str
    unless_present: bool = False  # a pull before it may have brought the image

    resource: ClassVar[str] = "Image"
    doing: ClassVar[str] = "Building"
    done: ClassVar[str] = "Built"

    @property
    def name(self) -> str:
        return self.image


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


class RunProvider(ServiceAction, kw_only=True):
    """Lets a program outside the engine bring its service up, or down."""

    verb: str

    doing: ClassVar[str] = "Running"
    done: ClassVar[str] = "Done"


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
