"""The images that builds stand on, pulled. What speaks with registries is loaded by then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from knarr.reference import Reference
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.progress import Progress
from knarr.spec.oci.image import Platform

if TYPE_CHECKING:
    from knarr.image.exchange import Exchange


class BasePuller:
    """Pulls as whoever asked for the build."""

    def __init__(self, exchange: Callable[[], Exchange]) -> None:
        self._exchange = exchange

    async def pull(
        self, reference: Reference, platform: Platform, logins: Mapping[str, AuthConfig]
    ) -> AsyncIterator[Progress]:
        from knarr.registry import Logins

        exchange, wanted = self._exchange(), reference.tagged()
        found = await exchange.find(wanted, Logins(by_server=logins), platform)
        async with aclosing(exchange.pull(found)) as lines:
            async for line in lines:
                yield line
