"""The control interface: builds, how they go, and what the builder is."""

import asyncio
from collections.abc import Mapping
from typing import Final

from knarr.buildkit import grpc
from knarr.buildkit.bridge import Bridge, refuse_graphs
from knarr.buildkit.caches import Caches
from knarr.buildkit.jobs import Job, Jobs
from knarr.buildkit.messages import (
    BridgeSolve,
    Empty,
    Info,
    Serving,
    SolveRequest,
    SolveResponse,
    StatusRequest,
    UsageRequest,
    Workers,
)
from knarr.buildkit.outputs import Outputs
from knarr.buildkit.sessions import Sessions
from knarr.buildkit.workers import version, worker
from knarr.errors import Unsupported

_SERVICE: Final = "/moby.buildkit.v1.Control"
_TOLD_S: Final = 3.0  # for which the end of a build's story is kept for its reader


class Control:
    """One for the daemon."""

    def __init__(
        self, jobs: Jobs, sessions: Sessions, outputs: Outputs, bridge: Bridge, caches: Caches
    ) -> None:
        self._caches = caches
        self._jobs = jobs
        self._sessions = sessions
        self._outputs = outputs
        self._bridge = bridge

    def methods(self) -> Mapping[str, grpc.Method]:
        return {
            f"{_SERVICE}/Solve": grpc.unary(SolveRequest, self._solve),
            f"{_SERVICE}/Status": self._status,
            f"{_SERVICE}/DiskUsage": grpc.unary(UsageRequest, self._caches.usage),
            f"{_SERVICE}/Prune": self._caches.prune,
            f"{_SERVICE}/Info": grpc.unary(Empty, self._info),
            f"{_SERVICE}/ListWorkers": grpc.unary(Empty, self._workers),
            f"{_SERVICE}/ListenBuildHistory": self._history,
            f"{_SERVICE}/UpdateBuildHistory": grpc.unary(Empty, self._nothing),
            "/grpc.health.v1.Health/Check": grpc.unary(Empty, self._healthy),
        }

    async def _solve(self, asked: SolveRequest, _: grpc.Call) -> SolveResponse:
        refuse_graphs(
            BridgeSolve(definition=asked.definition, frontend_inputs=asked.frontend_inputs)
        )
        for each in asked.cache.exports if asked.cache else ():
            if each.type != "inline":
                raise Unsupported(
                    f"caches of type {each.type} are not given out here: inline is known,"
                    " and knarr build --cache-to"
                )
        job = Job.of(asked)
        await self._jobs.add(job)
        try:
            await self._bring_about(job)
            response = await self._given_out(job)
        finally:
            job.record.end()
            asyncio.get_running_loop().call_later(_TOLD_S, self._jobs.remove, job)
        return SolveResponse(exporter_response=response)

    async def _bring_about(self, job: Job) -> None:
        """By the frontend that is named, or by the client over the bridge."""
        if job.request.frontend:
            await self._bridge.solve(job, job.request.frontend, job.request.frontend_attrs)
            return
        returned = await job.returned
        if returned.error is not None and returned.error.code:
            raise grpc.Status(returned.error.code, returned.error.message, returned.error.details)

    async def _given_out(self, job: Job) -> dict[str, str]:
        if not job.image:
            return {}  # a question about the Dockerfile
        session = await self._sessions.find(job.request.session)
        return await self._outputs.give_out(job, session)

    async def _status(self, call: grpc.Call) -> None:
        asked = await call.receive(StatusRequest)
        job = await self._jobs.find(asked.ref if asked else "")
        async for response in job.record.follow():
            await call.send(response)

    async def _info(self, _: Empty, __: grpc.Call) -> Info:
        return Info(version=version())

    async def _workers(self, _: Empty, __: grpc.Call) -> Workers:
        return Workers(record=[worker()])

    async def _history(self, _: grpc.Call) -> None:
        """Builds that are over are not kept: an empty stream, which then ends."""

    async def _nothing(self, _: Empty, __: grpc.Call) -> Empty:
        return Empty()

    async def _healthy(self, _: Empty, __: grpc.Call) -> Serving:
        return Serving(status=1)
