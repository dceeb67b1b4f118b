"""The gateway: the services that clients call on ``/grpc``, and their sessions."""

from pathlib import Path

from knarr.buildkit import bridge, control, grpc
from knarr.buildkit.caches import Caches
from knarr.buildkit.frontend import Frontend
from knarr.buildkit.http2 import Connection
from knarr.buildkit.jobs import Jobs
from knarr.buildkit.outputs import Outputs
from knarr.buildkit.sessions import Sessions
from knarr.dockerfile.service import BuildService
from knarr.http.message import ByteSink, ByteSource
from knarr.image import Exchange, ImageService


class Gateway:
    """One for the daemon. ``folder`` is the gateway's own, in the run root."""

    def __init__(
        self, builds: BuildService, images: ImageService, exchange: Exchange, folder: Path
    ) -> None:
        self.sessions = Sessions()
        jobs = Jobs()
        frontend = Frontend(builds, folder)
        outputs = Outputs(builds, images, exchange, folder)
        self._bridge = bridge.Bridge(jobs, self.sessions, frontend, images)
        self._control = control.Control(
            jobs, self.sessions, outputs, self._bridge, Caches(builds.cache)
        )
        self._serve = grpc.service({**self._control.methods(), **self._bridge.methods()})

    async def talk(self, source: ByteSource, sink: ByteSink) -> None:
        """One client on ``/grpc``, until it goes; what it has under way ends with it."""
        await Connection(source, sink, client=False, serve=self._serve).run()
