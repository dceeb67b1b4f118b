"""Builds that are under way, by the names that their clients gave them."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from knarr.buildkit.attributes import Output, output
from knarr.buildkit.messages import ReturnRequest, SolveRequest
from knarr.buildkit.progress import Display, Record
from knarr.errors import Conflict, InvalidArgument, NotFound

_WAIT_S: Final = 10.0  # for a build whose bridge or status is asked for first


@dataclass(slots=True, kw_only=True)
class Job:
    """One build from its client's request to its end. image: what came out, once it did.

    returned: what the client makes of it, where the client itself is the frontend.
    """

    request: SolveRequest
    outputs: tuple[Output, ...]
    record: Record = field(default_factory=Record)
    display: Display
    image: str = ""
    returned: "asyncio.Future[ReturnRequest]"

    @classmethod
    def of(cls, request: SolveRequest) -> "Job":
        """Raises Unsupported for an output that is none here."""
        record = Record()
        return cls(
            request=request,
            outputs=tuple(output(each.type, each.attrs) for each in request.outputs),
            record=record,
            display=Display(request.ref, record),
            returned=asyncio.get_running_loop().create_future(),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Under which the image is kept here."""
        named = (name for each in self.outputs if each.type == "image" for name in each.names)
        return tuple(dict.fromkeys(named))


class Jobs:
    """Those that are there now."""

    def __init__(self) -> None:
        self._known: dict[str, Job] = {}
        self._news = asyncio.Condition()

    async def add(self, job: Job) -> None:
        """Raises InvalidArgument, Conflict."""
        ref = job.request.ref
        if not ref:
            raise InvalidArgument("a build needs a ref")
        if ref in self._known:
            raise Conflict(f"build {ref} is under way already")
        self._known[ref] = job
        async with self._news:
            self._news.notify_all()

    def remove(self, job: Job) -> None:
        self._known.pop(job.request.ref, None)

    async def find(self, ref: str) -> Job:
        """Also one that is just about to come. Raises NotFound."""
        try:
            async with asyncio.timeout(_WAIT_S), self._news:
                await self._news.wait_for(lambda: ref in self._known)
        except TimeoutError:
            raise NotFound(f"no such job {ref}") from None
        return self._known[ref]
