"""BuildKit's interfaces, for clients that build through them: buildx, Compose, docker's CLI.

wire.py, http2.py and grpc.py are the protocols, messages.py what is said in them. sessions.py
keeps the connections on which clients are called, files.py takes directories from them;
attributes.py reads what a client wants, frontend.py has it built, progress.py tells how it goes,
outputs.py gives the result out; control.py and bridge.py are the services that clients call.
Nothing of it is loaded before the first client comes: see ``Door``.
May import: dockerfile, build, image, registry, snapshot's tar, http, spec, errors, ids, units.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knarr.buildkit.gateway import Gateway
    from knarr.dockerfile.service import BuildService
    from knarr.image import Exchange, ImageService


class Door:
    """Stands for the gateway until somebody comes; one for the daemon."""

    def __init__(
        self,
        builds: BuildService,
        images: ImageService,
        exchange: Callable[[], Exchange],
        run_root: Path,
    ) -> None:
        self._rooms = (builds, images)
        self._exchange = exchange
        self._run_root = run_root
        self._gateway: Gateway | None = None

    def open(self) -> Gateway:
        if self._gateway is None:
            from knarr.buildkit.gateway import Gateway

            self._gateway = Gateway(*self._rooms, self._exchange(), self._run_root / "buildkit")
        return self._gateway
