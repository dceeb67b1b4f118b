"""EXPOSE."""

import re
from dataclasses import dataclass
from typing import Final, Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line
from knarr.dockerfile.stage import Stage
from knarr.errors import InvalidArgument

_PORTS: Final = re.compile(r"(\d+)(?:-(\d+))?")
_PROTOCOLS: Final = frozenset({"tcp", "udp", "sctp"})
_HIGHEST: Final = 65535


@instruction("EXPOSE")
@dataclass(frozen=True, slots=True)
class Expose(Plain):
    """Ports that the container listens on: ``80``, ``53/udp``, ``8000-8010/tcp``.

    Source: Dockerfile reference, "EXPOSE".
    """

    ports: tuple[str, ...]

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        ports = line.words()
        if not ports:
            raise line.error("EXPOSE requires at least one argument")
        return cls(ports)

    def lower(self, stage: Stage) -> Stage:
        words = [word for port in self.ports for word in stage.expansion(port).words]
        exposed = sorted(port for word in words for port in exposed_ports(word))
        before = stage.config.exposed_ports or {}
        stage = stage.configured(exposed_ports={**before, **{port: {} for port in exposed}})
        return stage.noted(f"EXPOSE [{' '.join(exposed)}]")

    def expanded(self) -> tuple[str, ...]:
        return self.ports


def exposed_ports(text: str) -> list[str]:
    """The ports of one word, each as ``PORT/PROTOCOL``. Raises InvalidArgument.

    An address and host ports in front, as in ``-p``, are accepted and mean nothing here.
    """
    ports, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in _PROTOCOLS:
        raise InvalidArgument(f"invalid proto: {protocol}")
    container_ports = ports.rpartition(":")[2]
    match = _PORTS.fullmatch(container_ports)
    if match is None:
        raise InvalidArgument(f"invalid containerPort: {container_ports or text}")
    first, last = int(match[1]), int(match[2] or match[1])
    if last > _HIGHEST or first > last:
        raise InvalidArgument(f"invalid containerPort: {container_ports}")
    return [f"{port}/{protocol}" for port in range(first, last + 1)]
