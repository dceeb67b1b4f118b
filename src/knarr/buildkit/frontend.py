"""A build for a client with a session: its files, its Dockerfile, and the builder at work."""

import asyncio
import base64
import json
import posixpath
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from knarr.buildkit import grpc
from knarr.buildkit.agents import Agents
from knarr.buildkit.attributes import Wishes
from knarr.buildkit.files import Transfer, Wanted, archive_of, read_files
from knarr.buildkit.messages import Bytes, Credentials, CredentialsRequest, Detail
from knarr.buildkit.progress import Display, Operation, sentence
from knarr.buildkit.sessions import Session
from knarr.dockerfile import bases_needed, parse_dockerfile
from knarr.dockerfile.check import Finding
from knarr.dockerfile.request import BuildRequest, GivenDockerfile
from knarr.dockerfile.service import BuildService
from knarr.dockerfile.source import Place
from knarr.errors import KnarrError, NotFound
from knarr.patterns import ignore_lines
from knarr.reference import Reference
from knarr.snapshot.tar import END
from knarr.spec.docker.auth import HUB_SERVER, AuthConfig
from knarr.units import human_size

_CREDENTIALS: Final = "/moby.filesync.v1.Auth/Credentials"
_SOURCE: Final = "github.com/moby/buildkit/errdefs.Source+json"
_HUB: Final = "docker.io"
_HUB_HOST: Final = "registry-1.docker.io"
_EXTRAS: Final = ".knarr-build/contexts"  # where the builder looks for named contexts
_TOLD_S: Final = 0.2  # between two words on how much of the context has come


class Failed(grpc.Status):
    """The build itself went wrong."""

    def __init__(self, message: str, details: Sequence[Detail] = ()) -> None:
        super().__init__(grpc.UNKNOWN, message, details)


@dataclass(frozen=True, slots=True)
class _Keeper:
    session: Session
    agents: Agents

    async def secret(self, identifier: str) -> bytes | None:
        return await self.session.secret(identifier)

    async def agent(self, identifier: str) -> Path | None:
        return await self.agents.socket(identifier)


class Frontend:
    """One for the daemon."""

    def __init__(self, builds: BuildService, folder: Path) -> None:
        self._builds = builds
        self._folder = folder

    async def build(self, wanted: Wishes, session: Session, display: Display) -> str:
        """The ID of the image. Raises Failed, and what else is wrong before it begins."""
        agents = Agents(session, self._folder)
        try:
            request = await self._request(wanted, session, display)
            request = replace(request, keeper=_Keeper(session, agents))
            return await self._built(request, _body(wanted, request, session, display), display)
        finally:
            await agents.close()

    async def answer(self, wanted: Wishes, session: Session, display: Display, call: str) -> str:
        """What the Dockerfile says of itself, as text."""
        request = await self._request(wanted, session, display)
        body = _body(wanted, request, session, display)
        async with aclosing(body):
            return await self._builds.answer(request, body, call)

    async def check(self, wanted: Wishes, session: Session, display: Display) -> list[Finding]:
        request = await self._request(wanted, session, display)
        body = _body(wanted, request, session, display)
        async with aclosing(body):
            return await self._builds.check(request, body)

    async def _request(self, wanted: Wishes, session: Session, display: Display) -> BuildRequest:
        request = wanted.request
        if not wanted.files.context and not wanted.files.named_dockerfile:
            return replace(request, logins=await logins(session, [_HUB]))
        given = await _given(wanted, session, display)
        return replace(request, given=given, logins=await logins(session, _domains(request, given)))

    async def _built(
        self, request: BuildRequest, body: AsyncIterator[bytes], display: Display
    ) -> str:
        image = ""
        try:
            stream = await self._builds.build(request, body)
        except KnarrError as error:
            place = getattr(error, "place", None)
            lines = (place.line, place.line) if isinstance(place, Place) else None
            raise _failed(request, str(error), lines) from error
        async with aclosing(stream) as documents:  # type: ignore[type-var]
            async for document in documents:
                if document.error:
                    raise _failed(request, document.error, display.failed_lines)
                if isinstance(document.aux, dict) and "ID" in document.aux:
                    image = document.aux["ID"]
                display.hear(document)
        return image


def _failed(request: BuildRequest, text: str, lines: tuple[int, int] | None) -> Failed:
    """With the lines of the Dockerfile in the form that clients show. Source: errdefs.proto."""
    if request.given is None or lines is None:
        return Failed(sentence(text))
    first, last = lines
    text = text.partition(f"\n{request.given.name}:{first}:")[0]  # else they would show them twice
    source = {
        "info": {
            "filename": request.given.name,
            "data": base64.b64encode(request.given.text.encode()).decode(),
        },
        "ranges": [{"start": {"line": first}, "end": {"line": last}}],
    }
    detail = Detail(type_url=_SOURCE, value=json.dumps(source).encode())
    return Failed(sentence(text), [detail])


async def _given(wanted: Wishes, session: Session, display: Display) -> GivenDockerfile:
    """The Dockerfile and its ignore file, from where the client has them."""
    path, files = wanted.request.dockerfile, wanted.files
    asked = [path, f"{path}.dockerignore"]
    if path == "Dockerfile":
        asked.append("dockerfile")
    with display.operation(
        f"[internal] load build definition from {posixpath.basename(path)}"
    ) as told:
        found = await read_files(session, files.dockerfile, asked)
        name = next((each for each in asked[::2] if each in found), None)
        if name is None:
            raise NotFound(f"failed to read dockerfile: open {path}: no such file or directory")
        told.state(f"transferring dockerfile: {human_size(len(found[name]))}")
    ignore = found.get(f"{path}.dockerignore")
    if ignore is None and files.context:
        with display.operation("[internal] load .dockerignore"):
            there = await read_files(session, files.context, [".dockerignore"])
            ignore = there.get(".dockerignore")
    return GivenDockerfile(name=name, text=found[name], ignore=ignore)


async def _body(
    wanted: Wishes, request: BuildRequest, session: Session, display: Display
) -> AsyncGenerator[bytes, None]:
    """The context as the builder takes it in: one archive, named contexts in a folder of it."""
    files = wanted.files
    if files.upload:
        with display.operation("[internal] load remote build context") as told:
            async for piece in _uploaded(session, files.upload):
                yield piece
            told.state("transferring context")
        return
    if files.context:
        ignore = request.given.ignore if request.given else None
        excluded = tuple(ignore_lines(ignore)) if ignore else ()
        with display.operation("[internal] load build context") as told:
            source = Wanted(name=files.context, exclude=excluded)
            async for piece in _told(told, session, source, ""):
                yield piece
    for name, folder in files.contexts.items():
        with display.operation(f"[context {name}] load from client") as told:
            source = Wanted(name=folder)
            async for piece in _told(told, session, source, f"{_EXTRAS}/{name}"):
                yield piece
    yield END


async def _told(
    told: Operation, session: Session, source: Wanted, prefix: str
) -> AsyncIterator[bytes]:
    """The files, while people see how much has come."""
    transfer, last = Transfer(), 0.0
    clock = asyncio.get_running_loop().time
    async for piece in archive_of(session, source, prefix, transfer):
        if clock() - last > _TOLD_S:
            last = clock()
            told.state("transferring context:", transfer.bytes, over=False)
        yield piece
    told.state("transferring context:", transfer.bytes)


async def _uploaded(session: Session, address: str) -> AsyncIterator[bytes]:
    """What the client read from its standard input."""
    parts = urlsplit(address)
    metadata = [("urlpath", parts.path), ("urlhost", parts.netloc)]
    async with session.call("/moby.upload.v1.Upload/Pull", metadata) as call:
        await call.stream.end()
        while (message := await call.receive(Bytes)) is not None:
            yield message.data
        await grpc.finished(call)


def _domains(request: BuildRequest, given: GivenDockerfile) -> list[str]:
    """Registries that the Dockerfile names; what is wrong with it is told when it is built."""
    try:
        needed = bases_needed(parse_dockerfile(given.text), request.options({}), {})
        return sorted({Reference.parse(each.reference).domain for each in needed})
    except KnarrError:
        return []


async def logins(session: Session, domains: list[str]) -> dict[str, AuthConfig]:
    """Who the client is at these registries, for those where it is somebody."""
    found: dict[str, AuthConfig] = {}
    for domain in domains if session.has(_CREDENTIALS) else ():
        host = _HUB_HOST if domain == _HUB else domain
        try:
            known = await session.ask(_CREDENTIALS, CredentialsRequest(host=host), Credentials)
        except grpc.Status:
            continue
        if known.username:
            login = AuthConfig(username=known.username, password=known.secret)
        elif known.secret:
            login = AuthConfig(identitytoken=known.secret)
        else:
            continue
        found[HUB_SERVER if domain == _HUB else domain] = login
    return found
