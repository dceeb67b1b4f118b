"""Whether a container that was just started is well: healthy, or at least there and listening."""

import time
from typing import Final

from knarr.client.calls import containers, ports
from knarr.compose.engine import Engines
from knarr.errors import KnarrError
from knarr.spec.docker.container import ContainerInspect
from knarr.spec.docker.shared_ports import ContainerTurn

_STEP_S: Final = 0.1
_SETTLE_S: Final = 1.0  # that a container must last about which nothing else can be known
_PATIENCE_S: Final = 60.0  # until one without a health check listens
_LINES: Final = 10  # of its output, when it is not well


class Wellness:
    """Asks the engine again and again. shares_ports: it tells who listens."""

    def __init__(self, engines: Engines, shares_ports: bool) -> None:
        self._engines = engines
        self._shares_ports = shares_ports

    def wait(self, identifier: str, monitor_s: float, patience_s: float | None) -> None:
        """Until it is well and has been for ``monitor_s``. patience_s: until it is well at all.

        Raises KnarrError, with the end of its output, when it is not and will not be.
        """
        began = time.monotonic()
        well_since: float | None = None
        while True:
            has_check, well = self._look(identifier)
            listens = None if has_check else self._listens(identifier)
            if well and listens is not False:
                now = time.monotonic()
                well_since = now if well_since is None else well_since
                needed = monitor_s if has_check or listens else max(monitor_s, _SETTLE_S)
                if now - well_since >= needed:
                    return
            else:
                well_since = None
                limit = patience_s if has_check or patience_s else _PATIENCE_S
                if limit is not None and time.monotonic() - began > limit:
                    word = "is not healthy" if has_check else "does not listen on its ports"
                    raise self._unwell(identifier, f"it {word} after {limit:g}s")
            time.sleep(_STEP_S)

    def _look(self, identifier: str) -> tuple[bool, bool]:
        """Whether it has a health check, and whether it is well as far as that goes."""
        found = self._engines.ask(containers.inspect(identifier), ContainerInspect)
        state = found.state
        if state is None:
            return False, False
        if found.restart_count or state.status not in ("created", "running"):
            raise self._unwell(identifier, f"it ended with exit code {state.exit_code}")
        if state.health is None or state.health.status in ("", "none"):
            return False, state.status == "running"
        if state.health.status == "unhealthy":
            said = state.health.log[-1].output.strip() if state.health.log else ""
            raise self._unwell(identifier, "it is unhealthy" + (f" ({said})" if said else ""))
        return True, state.health.status == "healthy"

    def _listens(self, identifier: str) -> bool | None:
        """None where nobody knows: it shares nothing, or the engine does not tell."""
        if not self._shares_ports:
            return None
        turns = self._engines.ask(ports.turns(), tuple[ContainerTurn, ...])
        own = next((each for each in turns if each.container == identifier), None)
        if own is None or (own.state == "ready" and not own.shares_ports):
            return None
        return own.state == "ready"

    def _unwell(self, identifier: str, reason: str) -> KnarrError:
        output = b"".join(self._output(identifier)).decode(errors="replace").strip()
        return KnarrError(reason + (f"; its last words:\n{output}" if output else ""))

    def _output(self, identifier: str) -> list[bytes]:
        try:
            request = containers.logs(identifier, tail=_LINES)
            return [data for _, data in self._engines.engine.output(request)]
        except KnarrError:
            return []
