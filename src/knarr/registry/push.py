"""Pushing: what is missing of an image goes up, several blobs at a time, its manifest last.

A blob that came from a registry goes as it came; a layer that has none yet is packed first, by the
image room, and counts as ready then.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar

from knarr.content import BlobStore
from knarr.ids import DiffId, Digest, short
from knarr.reference import Reference
from knarr.registry.cancellation import Cancellation
from knarr.registry.client import RegistryClient, referrers_tag
from knarr.registry.failures import Refused
from knarr.registry.manifests import Fetched, digest_of, subject_of
from knarr.registry.registries import Logins, Registries
from knarr.registry.threads import Speaker, Tell, all_or_first_error, in_thread
from knarr.registry.upload import Way, upload
from knarr.spec import encode
from knarr.spec.docker.progress import Progress, PushResult
from knarr.spec.oci.image import OCI_INDEX, Descriptor, Index

T = TypeVar("T")
_WORKERS: Final = 5


class OutgoingLayer(Protocol):
    """A layer of an image that is to be pushed: the image room, seen from here."""

    @property
    def diff_id(self) -> DiffId: ...

    @property
    def came(self) -> Digest | None:
        """The blob it must go as, since a manifest names it; None where any form will do."""
        ...

    @property
    def neighbours(self) -> Sequence[str]:
        """Repositories of the target's registry that are believed to have its blob."""
        ...

    def pack(self, cancellation: Cancellation) -> Descriptor:
        """Its blob, in the store and held there; made now if need be. Called from a thread."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What shall be in the repository when all is done.

    documents: from the layers' descriptors, in their order, to manifests: children before the index
    that names them; the last is what the tag stands for. blobs: others, from the store.
    """

    layers: Sequence[OutgoingLayer]
    configs: Sequence[Fetched]
    blobs: Sequence[Descriptor] = ()
    documents: Callable[[Sequence[Descriptor]], Sequence[Fetched]]

    @property
    def each_once(self) -> dict[tuple[DiffId, Digest | None], OutgoingLayer]:
        """Its layers without those that are there twice."""
        return {(layer.diff_id, layer.came): layer for layer in self.layers}


class Pusher:
    """Pushes from one content store. Its verbs are coroutines of the daemon's loop."""

    def __init__(self, registries: Registries, blobs: BlobStore, *, workers: int = _WORKERS):
        """workers: blobs at a time."""
        self._registries, self._blobs, self._workers = registries, blobs, workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="push")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def push(
        self, reference: Reference, logins: Logins, parcel: Parcel, tell: Tell
    ) -> PushResult:
        """Raises Unauthorized, Forbidden, Unavailable in Docker's words."""
        cancellation = Cancellation()
        target = self._registries.pusher(reference, logins, cancellation)
        tell(Progress(status=f"The push refers to repository [{reference.name}]"))
        layers = parcel.each_once
        for diff_id, _ in layers:
            tell(Progress.about(short(diff_id), "Preparing"))
        for diff_id, _ in list(layers)[self._workers :]:
            tell(Progress.about(short(diff_id), "Waiting"))
        work = [
            partial(_send_layer, target, self._blobs, layer, Speaker(short(diff_id), 0, tell))
            for (diff_id, _), layer in layers.items()
        ]
        work += [partial(_send_blob, target, self._blobs, each) for each in parcel.blobs]
        work += [partial(_send_config, target, self._blobs, each) for each in parcel.configs]
        sent = await all_or_first_error([self._run(each, cancellation) for each in work])
        packed = dict(zip(layers, sent, strict=False))
        documents = parcel.documents([packed[layer.diff_id, layer.came] for layer in parcel.layers])
        last = documents[-1]
        tag = reference.tag or last.digest
        await self._run(lambda: _put_all(target, documents, tag), cancellation)
        result = PushResult(tag=reference.tag, digest=last.digest, size=len(last.raw))
        for text in list(target.warnings):
            tell(Progress(status=f"Warning: {text}"))
        tell(Progress(status=f"{tag}: digest: {last.digest} size: {len(last.raw)}"))
        tell(Progress(aux=result))
        return result

    async def _run(self, work: Callable[[], T], cancellation: Cancellation) -> T:
        return await in_thread(lambda: _said(work), cancellation, self._threads)


def _send_layer(
    target: RegistryClient, blobs: BlobStore, layer: OutgoingLayer, say: Speaker
) -> Descriptor:
    descriptor = layer.pack(target.patience.cancellation)
    say.total_bytes = descriptor.size
    arrival = upload(
        target, blobs, descriptor, layer.neighbours, lambda count: say("Pushing", count)
    )
    match arrival.way:
        case Way.THERE:
            say("Layer already exists")
        case Way.MOUNTED:
            say(f"Mounted from {arrival.neighbour}")
        case Way.SENT:
            say("Pushed")
    return descriptor


def _send_blob(target: RegistryClient, blobs: BlobStore, blob: Descriptor) -> Descriptor:
    upload(target, blobs, blob, (), lambda _: None)
    return blob


def _send_config(target: RegistryClient, blobs: BlobStore, config: Fetched) -> Descriptor:
    blobs.put(config.raw, config.digest)
    try:
        upload(target, blobs, config.descriptor, (), lambda _: None)
    finally:
        blobs.unpin(config.digest)
    return config.descriptor


def _put_all(target: RegistryClient, documents: Sequence[Fetched], tag: str) -> None:
    for document in documents[:-1]:
        _put(target, document.digest, document)
    _put(target, tag, documents[-1])


def _put(target: RegistryClient, name: str, document: Fetched) -> None:
    tracked = target.put_manifest(name, document)
    subject = subject_of(document)
    if subject is not None and not tracked:
        _list_referrer(target, Digest(subject.digest), document)


def _list_referrer(target: RegistryClient, subject: Digest, document: Fetched) -> None:
    """Keep the list of referrers by hand, under a tag, for a registry that does not.

    Source: distribution-spec, "Pushing Manifests with Subject".
    """
    listed = target.tagged_referrers(subject)
    entry = document.as_referrer()
    if any(each.digest == entry.digest for each in listed):
        return
    raw = encode(Index(manifests=(*listed, entry)))
    index = Fetched(raw=raw, media_type=OCI_INDEX, digest=digest_of(raw))
    target.put_manifest(referrers_tag(subject), index)


def _said(work: Callable[[], T]) -> T:
    """A registry's refusal as Docker puts it on a push: in the registry's own words."""
    try:
        return work()
    except Refused as error:
        meaning = error.meaning()
        if error.refusal.has("DENIED", "UNAUTHORIZED") and error.refusal.text:
            raise type(meaning)(error.refusal.text) from error
        raise meaning from error
