"""Host ports that several containers have together. knarr's own: Docker has none."""

from knarr.spec.document import Document


class PortBackend(Document):
    """One of the containers behind a port. state: "ready", "waiting" or "draining"."""

    container: str
    address: str
    port: int
    state: str


class SharedPort(Document):
    """A port of the host that the containers of ``group`` share."""

    group: str
    protocol: str
    host_ip: str
    host_port: int
    containers: tuple[PortBackend, ...] = ()


class Drained(Document):
    """connections: how many a container still has that others have relieved of new ones."""

    connections: int = 0
