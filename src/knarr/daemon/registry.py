"""The registry that the daemon itself serves: from the engine's store, for this machine."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from knarr.content import BlobStore
from knarr.store import Database

_log = logging.getLogger("knarr.daemon")


@asynccontextmanager
async def serving_registry(address: str, db: Database, blobs: BlobStore) -> AsyncIterator[None]:
    """For the length of a block; nothing without an address.

    Raises InvalidArgument for one that other machines reach: logins and TLS are for a registry of
    its own, ``knarr registry serve``.
    """
    if not address:
        yield
        return
    from knarr.registry.server.serve import served
    from knarr.registry.server.settings import settings_of

    async with served(settings_of(["--listen", address]), db, blobs) as url:
        _log.info("serving a registry on %s", url)
        yield
