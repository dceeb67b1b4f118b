"""Host ports and names that several containers have together. knarr's own: Docker has none."""

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


class ContainerTurn(Document):
    """Whether a container gets new connections. state: as of a PortBackend.

    shares_ports: ports of the host, not names only: "ready" then means that it was seen listening.
    """

    container: str
    state: str
    shares_ports: bool = False


class Drained(Document):
    """connections: how many a container still has that others have relieved of new ones."""

    connections: int = 0
