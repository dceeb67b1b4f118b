"""Between the two forms: ``POST /build?version=2`` with a session, as docker's CLI before 23 asks.

The request has the classic endpoint's query; the files come over the session, and the answer is a
stream of JSON in which BuildKit's status messages travel as base64.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from knarr.buildkit.attributes import Wishes
from knarr.buildkit.frontend import Frontend
from knarr.buildkit.jobs import Job
from knarr.buildkit.messages import Exporter, SolveRequest
from knarr.buildkit.outputs import Outputs
from knarr.buildkit.sessions import Session
from knarr.errors import KnarrError
from knarr.ids import new_hex
from knarr.spec.docker.progress import ImageID, Progress

_TRACE: Final = "moby.buildkit.trace"
_IMAGE: Final = "moby.image.id"


async def streamed(
    wanted: Wishes,
    exporters: list[Exporter],
    session: Session,
    frontend: Frontend,
    outputs: Outputs,
) -> AsyncIterator[Progress]:
    """The build; closing the stream ends it."""
    job = Job.of(SolveRequest(ref=new_hex(), exporters=exporters))

    async def work() -> None:
        try:
            job.image = await frontend.build(wanted, session, job.display)
            job.display.finish()
            await outputs.give_out(job, session)
        except BaseException as error:
            job.display.finish(str(error))
            raise
        finally:
            job.record.end()

    working = asyncio.create_task(work())
    try:
        async for response in job.record.follow():
            if not wanted.request.quiet:
                yield Progress(id=_TRACE, aux=response.encode())
        await working
        yield Progress(id=_IMAGE, aux=ImageID(id=job.image))
        if wanted.request.quiet:
            yield Progress(stream=f"{job.image}\n")
    except KnarrError as error:
        yield Progress.failed(str(error))
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
