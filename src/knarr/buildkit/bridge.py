"""The bridge: a client that is its own frontend has parts solved and says what the result is.

So do buildx and Compose: they open a build without a definition, have the Dockerfile frontend
solve it, and return what came.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from knarr.buildkit import grpc
from knarr.buildkit.attributes import Wishes, wishes
from knarr.buildkit.frontend import Frontend
from knarr.buildkit.jobs import Job, Jobs
from knarr.buildkit.messages import (
    BridgeSolve,
    BridgeSolved,
    Capability,
    Empty,
    Pong,
    Ref,
    Result,
    ReturnRequest,
)
from knarr.buildkit.sessions import Sessions
from knarr.buildkit.workers import worker
from knarr.dockerfile.check import Finding
from knarr.errors import Unsupported
from knarr.image import ImageService

_SERVICE: Final = "/moby.buildkit.v1.frontend.LLBBridge"
_BUILD_ID: Final = "buildkit-controlapi-buildid"
_FRONTEND: Final = (
    "solve.base", "solve.inlinereturn", "resolveimage", "resolveimage.resolvemode", "return",
    "returnmap", "importcaches", "proto.refarray", "frontend.inputs", "gateway.solve.metadata",
    "frontend.caps", "gateway.solve.evaluate", "gateway.evaluate",
)  # fmt: skip
_SUBREQUESTS: Final = {"frontend.outline": "outline", "frontend.targets": "targets"}
_LINT: Final = "frontend.lint"


class Bridge:
    """One for the daemon."""

    def __init__(
        self, jobs: Jobs, sessions: Sessions, frontend: Frontend, images: ImageService
    ) -> None:
        self._jobs = jobs
        self._sessions = sessions
        self._frontend = frontend
        self._images = images

    def methods(self) -> Mapping[str, grpc.Method]:
        return {
            f"{_SERVICE}/Ping": grpc.unary(Empty, self._ping),
            f"{_SERVICE}/Solve": grpc.unary(BridgeSolve, self._solve),
            f"{_SERVICE}/Evaluate": grpc.unary(Empty, self._nothing),
            f"{_SERVICE}/Warn": grpc.unary(Empty, self._nothing),
            f"{_SERVICE}/Inputs": grpc.unary(Empty, self._nothing),
            f"{_SERVICE}/Return": grpc.unary(ReturnRequest, self._return),
        }

    async def _job(self, call: grpc.Call) -> Job:
        return await self._jobs.find(call.metadata.get(_BUILD_ID, ""))

    async def _ping(self, _: Empty, call: grpc.Call) -> Pong:
        await self._job(call)
        caps = [Capability(id=each, enabled=True) for each in _FRONTEND]
        return Pong(frontend=caps, workers=[worker()])

    async def _nothing(self, _: Empty, call: grpc.Call) -> Empty:
        await self._job(call)
        return Empty()

    async def _return(self, asked: ReturnRequest, call: grpc.Call) -> Empty:
        job = await self._job(call)
        if not job.returned.done():
            job.returned.set_result(asked)
        return Empty()

    async def _solve(self, asked: BridgeSolve, call: grpc.Call) -> BridgeSolved:
        job = await self._job(call)
        refuse_graphs(asked)
        attributes = {**job.request.frontend_attrs, **asked.frontend_opt}
        for each in asked.cache_imports:
            if each.type == "registry" and (ref := each.attrs.get("ref")):
                attributes["cache-from"] = ",".join(
                    filter(None, (attributes.get("cache-from"), ref))
                )
        return BridgeSolved(result=await self.solve(job, asked.frontend, attributes))

    async def solve(self, job: Job, frontend: str, attributes: Mapping[str, str]) -> Result:
        """Have it built. Raises Status, Unsupported, InvalidArgument."""
        wanted = wishes(frontend, attributes)
        wanted = replace(
            wanted,
            request=replace(wanted.request, tags=job.names, allow=tuple(job.request.entitlements)),
        )
        if wanted.call:
            return await self._answered(job, wanted)
        session = await self._sessions.find(job.request.session)
        try:
            job.image = await self._frontend.build(wanted, session, job.display)
        except BaseException as error:
            job.display.finish(str(error))
            raise
        job.display.finish()
        config = self._images.resolve(job.image).raw
        return Result(ref=Ref(id=job.image), metadata={"containerimage.config": config})

    async def _answered(self, job: Job, wanted: Wishes) -> Result:
        """A question about the Dockerfile. Source: BuildKit, frontend/subrequests."""
        session = await self._sessions.find(job.request.session)
        if wanted.call == _LINT:
            found = await self._frontend.check(wanted, session, job.display)
            return _texts("".join(f"{each.text}\n" for each in found), _linted(found))
        if wanted.call not in _SUBREQUESTS:
            raise Unsupported(f"no request {wanted.call} here: outline, targets, lint are known")
        text = await self._frontend.answer(wanted, session, job.display, _SUBREQUESTS[wanted.call])
        return _texts(text, {})


def refuse_graphs(asked: BridgeSolve) -> None:
    """Raises Unsupported for a build that is given as LLB."""
    if asked.definition is not None and asked.definition.operations:
        raise Unsupported(
            "knarr builds Dockerfiles, no LLB graphs: give the context as a folder or an address"
            " of git or the web, or use another builder (docker buildx create)"
        )
    if asked.frontend_inputs:
        raise Unsupported("the result of another build is no context here: build it to an image")


def _texts(text: str, document: object) -> Result:
    return Result(
        metadata={"result.txt": text.encode(), "result.json": json.dumps(document).encode()}
    )


def _linted(found: list[Finding]) -> dict[str, object]:
    warnings = [
        {
            "ruleName": each.rule.name,
            "description": each.rule.description,
            "url": each.rule.url,
            "detail": each.problem,
            "location": {"ranges": [_range(each)]},
        }
        for each in found
    ]
    return {"warnings": warnings, "sources": []}


def _range(each: Finding) -> dict[str, object]:
    logical = each.statement.line.logical
    return {"start": {"line": each.statement.place.line}, "end": {"line": logical.last_line}}
