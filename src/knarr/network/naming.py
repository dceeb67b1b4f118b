"""Which containers have a nameserver, and what it may tell them."""

import logging
from collections.abc import Collection
from functools import partial

from knarr.errors import KnarrError
from knarr.ids import ContainerId
from knarr.network import rows
from knarr.network.hostfiles import HostResolvConf
from knarr.network.model import Member
from knarr.network.nameserver import Client, Nameserver, Sockets
from knarr.network.registry import NetworkRegistry
from knarr.network.resolv import forwarders
from knarr.store import Database

_log = logging.getLogger("knarr.network")


class Naming:
    """Nameservers of containers on networks of one's own; without ``sockets`` there are none."""

    def __init__(
        self,
        db: Database,
        registry: NetworkRegistry,
        nameserver: Nameserver,
        sockets: Sockets | None,
        resolv_conf: HostResolvConf,
    ) -> None:
        self._db = db
        self._registry = registry
        self._nameserver = nameserver
        self._sockets = sockets
        self._resolv_conf = resolv_conf

    async def serve(self, member: Member) -> None:
        """A nameserver for a container on a network of one's own; once."""
        endpoints = self._registry.of(member.id)
        own = any(not self._registry[each.network].is_predefined for each in endpoints)
        if not own or self._sockets is None or self._nameserver.serves(member.id):
            return
        client = Client(
            view=partial(self._registry.view, member.id),
            forwarders=lambda: forwarders(self._resolv_conf.own(), member.dns_servers),
        )
        try:
            await self._nameserver.serve(member.id, self._sockets, client)
        except OSError as error:
            raise KnarrError(f"failed to set up container networking: {error}") from error

    async def serve_again(self, member: Member, alive: Collection[ContainerId]) -> None:
        """After a restart: the sockets went with the daemon before."""
        if member.id not in alive:
            with self._db.transaction() as tx:
                rows.remove_member(tx, member.id)
            return
        try:
            await self.serve(member)
        except KnarrError as error:
            _log.warning("container %s has no nameserver: %s", member.name, error)
