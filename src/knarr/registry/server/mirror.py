"""A pull-through cache: what is asked for and not here is fetched from where it comes from.

Manifests by digest and blobs never change, and are fetched once. What a tag stands for is asked
again when the last answer has grown old; when the origin does not answer, the last answer serves.
A blob goes to who asked while it still arrives; who asks meanwhile reads along.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from knarr.content import Blob, BlobStore
from knarr.content.partial import Follower, PartialBlob
from knarr.errors import KnarrError, Unauthorized, Unavailable
from knarr.http.message import Request, Response, Sized
from knarr.ids import Digest, is_digest
from knarr.reference import Reference
from knarr.registry.cancellation import Cancellation
from knarr.registry.client import RegistryClient
from knarr.registry.download import download
from knarr.registry.failures import Refused
from knarr.registry.registries import Logins, Registries
from knarr.registry.server import rows
from knarr.registry.server.manifests import pushed
from knarr.registry.server.problems import Problem
from knarr.registry.server.registry import Registry

_THREADS: Final = 32
_PIECE: Final = 256 << 10
_log = logging.getLogger("knarr.registry")


class Mirror:
    """Keeps a Registry filled from its origins. Lives in the loop; the network is for threads."""

    def __init__(
        self,
        registry: Registry,
        blobs: BlobStore,
        registries: Registries,
        origins: Sequence[str],
        logins: Logins,
        *,
        fresh_s: float,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """origins: names of registries, ``docker.io`` or ``HOST[:PORT]``. What is in the first has
        the same name here, what is in another begins with that one's name.

        fresh_s: for so long what a tag stands for is not asked again.
        """
        self._registry, self._blobs, self._registries = registry, blobs, registries
        self._origins, self._logins = tuple(origins), logins
        self._fresh_ns, self._clock_ns = round(fresh_s * 1e9), clock_ns
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="mirror")
        self._cancellation = Cancellation()
        self._clients: dict[str, RegistryClient] = {}
        self._arriving: dict[Digest, asyncio.Task[PartialBlob]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        self._cancellation.call_off()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._threads.shutdown(wait=False, cancel_futures=True)

    # -- manifests -------------------------------------------------------------------------------

    def local_name(self, name: str, ns: str) -> str:
        """What a repository is called here. ns: its registry, where the client names one apart.

        Raises Problem for a registry that this is no cache of.
        """
        if ns in ("", self._origins[0]):
            return name
        if ns not in self._origins or ":" in ns:
            raise Problem("NAME_UNKNOWN", f"this is no cache of {ns}")
        return f"{ns}/{name}"

    async def refresh(self, name: str, reference: str) -> None:
        """See to it that the manifest is here, and not too old. Raises Problem if it cannot be."""
        if is_digest(reference):
            if rows.manifest(self._registry.db, name, Digest(reference)) is None:
                await self._asked(lambda: self._fetch(name, reference))
            return
        known = rows.tagged(self._registry.db, name, reference)
        if known and known.tagged_ns > self._clock_ns() - self._fresh_ns:
            return
        try:
            digest = known.digest if known else None
            await self._asked(lambda: self._update(name, reference, digest))
        except (Unavailable, Unauthorized) as error:
            if known is None:
                raise
            _log.warning("%s:%s is as before, nobody tells otherwise: %s", name, reference, error)

    async def _asked(self, question: Callable[[], Callable[[], None]]) -> None:
        """Ask the origin in a thread, then do in the loop what follows from its answer."""
        loop = asyncio.get_running_loop()
        try:
            outcome = await loop.run_in_executor(self._threads, question)
        except Refused as error:
            raise _passed_on(error) from error
        outcome()

    def _update(self, name: str, tag: str, known: Digest | None) -> Callable[[], None]:
        """In a thread: a HEAD costs the caller nothing of what registries count as pulls."""
        if known is not None:
            now = self._client(name).manifest_descriptor(tag)
            if now is not None and now.digest == known:
                return lambda: self._confirm(name, tag, known)
        return self._fetch(name, tag)

    def _fetch(self, name: str, reference: str) -> Callable[[], None]:
        fetched = self._client(name).manifest(reference, name)
        manifest, judged = pushed(fetched.raw, fetched.media_type, reference)
        tags = [] if is_digest(reference) else [reference]
        return lambda: self._registry.store_manifest(name, manifest, judged, tags, whole=False)

    def _confirm(self, name: str, tag: str, digest: Digest) -> None:
        with self._registry.db.transaction() as tx:
            rows.put_tag(tx, name, tag, digest, self._clock_ns())

    # -- blobs -----------------------------------------------------------------------------------

    async def passing(self, name: str, digest: Digest, request: Request) -> Response | None:
        """A blob that is not here yet, as it arrives; None when it is here (now)."""
        if rows.linked_size(self._registry.db, name, digest) is not None:
            return None
        loop = asyncio.get_running_loop()
        client = self._client(name)
        size = await loop.run_in_executor(self._threads, client.blob_size, digest)
        if size is None:
            raise Problem("BLOB_UNKNOWN", detail={"digest": digest})
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        if request.method == "HEAD":
            return Response(headers={**headers, "Content-Length": str(size)})
        partial = await self._arrival(name, digest, size, client)
        if not request.headers.get("range"):
            with contextlib.suppress(Unavailable):  # then it has just arrived
                pieces = _Following(partial.follow(), self._threads)
                return Response(headers=headers, body=Sized(count=size, pieces=pieces))
        await loop.run_in_executor(self._threads, _wait_for_all, partial)
        await self._settled()
        return None

    async def _arrival(
        self, name: str, digest: Digest, size: int, client: RegistryClient
    ) -> PartialBlob:
        """The blob under way: begun now, or by somebody before."""
        if digest in self._arriving:
            return await self._arriving[digest]
        loop = asyncio.get_running_loop()
        self._arriving[digest] = loop.create_task(self._open(digest, size))
        partial = await self._arriving[digest]
        task = loop.create_task(self._bring(name, partial, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return partial

    async def _open(self, digest: Digest, size: int) -> PartialBlob:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, PartialBlob, self._blobs, digest, size)
        except BaseException:
            del self._arriving[digest]
            raise

    async def _bring(self, name: str, partial: PartialBlob, client: RegistryClient) -> None:
        def work() -> Blob:
            with partial:
                download([client], partial, lambda _: None)
                return partial.commit()

        loop = asyncio.get_running_loop()
        try:
            blob = await loop.run_in_executor(self._threads, work)
            self._registry.link(name, blob)
            self._blobs.unpin(blob.digest)
        except KnarrError as error:
            _log.warning("%s of %s did not arrive: %s", partial.digest, name, error)
        finally:
            del self._arriving[partial.digest]

    async def _settled(self) -> None:
        """Let the rows of what has just arrived be written."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _client(self, name: str) -> RegistryClient:
        if name not in self._clients:
            clients = self._registries.pullers(
                self._reference(name), self._logins, self._cancellation
            )
            self._clients[name] = clients[-1]
        return self._clients[name]

    def _reference(self, name: str) -> Reference:
        """Where a repository of ours comes from."""
        for origin in self._origins[1:]:
            if name.startswith(f"{origin}/"):
                return Reference.parse(name)
        return Reference.parse(f"{self._origins[0]}/{name}")


class _Following:
    """The pieces of a blob as it arrives; closed by whoever sends them, also before the first."""

    def __init__(self, follower: Follower, threads: ThreadPoolExecutor) -> None:
        self._follower, self._threads = follower, threads

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        loop = asyncio.get_running_loop()
        piece = await loop.run_in_executor(self._threads, self._follower.read, _PIECE)
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._follower.close()


def _wait_for_all(partial: PartialBlob) -> None:
    with contextlib.suppress(KnarrError):
        partial.wait_beyond(partial.size_bytes)


def _passed_on(error: Refused) -> KnarrError:
    """The origin's refusal as our own: what it does not have we do not have."""
    if error.refusal.status == 404:
        return Problem("MANIFEST_UNKNOWN")
    return error.meaning()
