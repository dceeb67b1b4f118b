"""The gateway: the services that clients call on ``/grpc``, and their sessions."""

from collections.abc import AsyncIterator
from pathlib import Path

from knarr.buildkit import bridge, control, grpc
from knarr.buildkit.attributes import asked_outputs, output, wishes_of
from knarr.buildkit.caches import Caches
from knarr.buildkit.frontend import Frontend
from knarr.buildkit.http2 import Connection
from knarr.buildkit.jobs import Jobs
from knarr.buildkit.outputs import Outputs
from knarr.buildkit.sessions import Sessions
from knarr.buildkit.streamed import streamed
from knarr.dockerfile.request import BuildRequest
from knarr.dockerfile.service import BuildService
from knarr.errors import InvalidArgument
from knarr.http.message import ByteSink, ByteSource
from knarr.image import Exchange, ImageService
from knarr.spec.docker.progress import Progress


class Gateway:
    """One for the daemon. ``folder`` is the gateway's own, in the run root."""

    def __init__(
        self, builds: BuildService, images: ImageService, exchange: Exchange, folder: Path
    ) -> None:
        self.sessions = Sessions()
        jobs = Jobs()
        frontend = self._frontend = Frontend(builds, folder)
        outputs = self._outputs = Outputs(builds, images, exchange, folder)
        self._bridge = bridge.Bridge(jobs, self.sessions, frontend, images)
        self._control = control.Control(
            jobs, self.sessions, outputs, self._bridge, Caches(builds.cache)
        )
        self._serve = grpc.service({**self._control.methods(), **self._bridge.methods()})

    async def talk(self, source: ByteSource, sink: ByteSink) -> None:
        """One client on ``/grpc``, until it goes; what it has under way ends with it."""
        await Connection(source, sink, client=False, serve=self._serve).run()

    async def build(
        self, request: BuildRequest, session: str, outputs_json: str
    ) -> AsyncIterator[Progress]:
        """``POST /build?version=2``. Raises NotFound without the session, InvalidArgument."""
        if not session:
            raise InvalidArgument("version=2 of the builder needs a session: open one first")
        client = await self.sessions.find(session)  # one that is refused before it came would wait
        exporters = asked_outputs(outputs_json, request.tags)
        for each in exporters:
            output(each.type, each.attrs)  # refused before anything is done
        return streamed(wishes_of(request), exporters, client, self._frontend, self._outputs)
