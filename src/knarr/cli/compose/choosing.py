"""Which container of a service is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knarr.compose.observed import is_one_off, number_of, service_of
from knarr.compose.observing import containers_of
from knarr.errors import NotFound
from knarr.spec.docker.container import ContainerSummary

if TYPE_CHECKING:
    from knarr.cli.compose.call import Call


def container_of(
    call: Call, service: str, index: int = 0, *, running: bool = True, one_offs: bool = True
) -> ContainerSummary:
    """The one of that number, else the first; containers of ``run`` come last.

    Raises NotFound in Compose's words.
    """
    found = [
        each
        for each in containers_of(call.engines, call.name())
        if service_of(each) == service
        and (not running or each.state == "running")
        and (one_offs or not is_one_off(each))
        and (not index or number_of(each) == index)
    ]
    if not found:
        which = f" container #{index}" if index else ""
        raise NotFound(f'service "{service}" is not running{which}')
    return min(found, key=lambda each: (is_one_off(each), number_of(each)))
