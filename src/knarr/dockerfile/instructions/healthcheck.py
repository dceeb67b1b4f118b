"""HEALTHCHECK."""

from dataclasses import dataclass
from typing import Final, Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line
from knarr.dockerfile.stage import Stage
from knarr.errors import InvalidArgument
from knarr.spec.docker.health import HealthConfig
from knarr.units import duration_ns

_TIMES: Final = ("interval", "timeout", "start-period", "start-interval")
_SHORTEST_NS: Final = 1_000_000


@instruction("HEALTHCHECK")
@dataclass(frozen=True, slots=True)
class Healthcheck(Plain):
    """How to ask the container whether it is well, or NONE to forget the base's way.

    Source: Dockerfile reference, "HEALTHCHECK".
    """

    health: HealthConfig

    @classmethod
    def parse(cls, line: Line) -> Self:
        kind, _, rest = line.rest.partition(" ")
        match kind.upper():
            case "":
                raise line.error("HEALTHCHECK requires at least one argument")
            case "NONE":
                line.no_flags()
                if rest.strip():
                    raise line.error("HEALTHCHECK NONE takes no arguments", line.rest_offset)
                return cls(HealthConfig(test=("NONE",)))
            case "CMD":
                return cls(_probe(line))
        raise line.error(
            f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)', line.rest_offset
        )

    def lower(self, stage: Stage) -> Stage:
        test = " ".join(self.health.test)
        return stage.configured(healthcheck=self.health).noted(f"HEALTHCHECK {test}")


def _probe(line: Line) -> HealthConfig:
    options = line.options(texts=(*_TIMES, "retries"))
    command = line.behind("CMD").command()
    if not command.words:
        raise line.error("Missing command after HEALTHCHECK CMD", line.rest_offset)
    kind = "CMD" if command.exec_form else "CMD-SHELL"
    times = {name: _time(line, name, options.texts.get(name, "")) for name in _TIMES}
    return HealthConfig(
        test=(kind, *command.words),
        interval=times["interval"],
        timeout=times["timeout"],
        start_period=times["start-period"],
        start_interval=times["start-interval"],
        retries=_retries(line, options.texts.get("retries", "")),
    )


def _time(line: Line, name: str, text: str) -> int:
    """Nanoseconds; 0, the engine's default, where the flag is missing."""
    if not text:
        return 0
    try:
        value = duration_ns(text)
    except InvalidArgument as error:
        raise line.error(str(error), line.flag_offset(name)) from error
    if value and value < _SHORTEST_NS:
        raise line.error(f'Interval "{name}" cannot be less than 1ms', line.flag_offset(name))
    return value


def _retries(line: Line, text: str) -> int:
    if not text:
        return 0
    try:
        value = int(text)
    except ValueError as error:
        raise line.error(
            f'--retries must be a number, not "{text}"', line.flag_offset("retries")
        ) from error
    if value < 0:
        raise line.error(f"--retries cannot be negative ({value})", line.flag_offset("retries"))
    return value
