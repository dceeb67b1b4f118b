"""Directories from a client that keeps to the protocol, and from some that do not."""

import io
import tarfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from knarr.build.context import SpooledArchive
from knarr.buildkit import grpc
from knarr.buildkit.files import (
    DATA,
    DIFF_COPY,
    DIRECTORY,
    ERROR,
    FIN,
    REQUEST,
    STAT,
    SYMLINK,
    Wanted,
    archive_of,
    read_files,
)
from knarr.buildkit.messages import Packet, Stat
from knarr.buildkit.sessions import Session
from knarr.errors import InvalidArgument, KnarrError, Unavailable
from knarr.snapshot.tar import END
from support.h2 import serving

File = tuple[Stat, bytes]


def _file(path: str, content: bytes = b"", mode: int = 0o644, **more: object) -> File:
    stat = Stat(path=path, mode=mode, size=len(content), mtime_ns=10**18, **more)  # type: ignore[arg-type]
    return stat, content


@asynccontextmanager
async def sending(
    files: Sequence[File], tell: Callable[[dict[str, str]], None] = lambda _: None
) -> AsyncIterator[Session]:
    """A session whose client sends these, each content in two pieces, the last asked first."""

    async def diff_copy(call: grpc.Call) -> None:
        tell(dict(call.metadata))
        for stat, _ in files:
            await call.send(Packet(type=STAT, stat=stat))
        await call.send(Packet(type=STAT))
        while (packet := await call.receive(Packet)) is not None:
            if packet.type == FIN:
                await call.send(Packet(type=FIN))
                return
            assert packet.type == REQUEST
            content = files[packet.id][1]
            for piece in (content[:3], content[3:]):
                if piece:
                    await call.send(Packet(type=DATA, id=packet.id, data=piece))
            await call.send(Packet(type=DATA, id=packet.id))

    async with serving({DIFF_COPY: diff_copy}) as client:
        yield Session(client, frozenset({DIFF_COPY}))


async def _archive(session: Session, prefix: str = "") -> bytes:
    pieces = [piece async for piece in archive_of(session, Wanted(name="context"), prefix)]
    return b"".join(pieces) + END


async def test_a_directory_comes_whole_as_a_tar() -> None:
    files = [
        _file("a", b"content of a"),
        _file("bin", mode=DIRECTORY | 0o755),
        _file("bin/tool", b"#!/bin/sh\n", mode=0o755 | 1 << 23),
        _file("bin/twin", mode=0o755, link="bin/tool"),
        _file("empty"),
        _file("link", mode=SYMLINK | 0o777, link="../outside"),
        _file("socket", mode=1 << 24 | 0o777),
        *(_file(f"many/{n}", b"%d" % n * 1000) for n in range(300)),
    ]
    async with sending(files) as session:
        raw = await _archive(session)
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        names = tar.getnames()
        assert names[:6] == ["a", "bin", "bin/tool", "bin/twin", "empty", "link"]
        assert len(names) == 306
        assert tar.getmember("bin/tool").mode == 0o4755
        assert tar.getmember("bin/twin").islnk()
        assert tar.getmember("link").linkname == "../outside"
        for stat, content in files:
            if content:
                taken = tar.extractfile(stat.path)
                assert taken is not None
                assert taken.read() == content


async def test_what_is_wanted_is_told_and_odd_names_travel_encoded() -> None:
    told: list[dict[str, str]] = []
    wanted = Wanted(name="context", exclude=("*.md", "größe"))
    async with sending([], told.append) as session:
        assert [piece async for piece in archive_of(session, wanted)] == []
    assert told[0]["dir-name"] == "context"
    assert told[0]["exclude-patterns-encoded"] == "1"
    assert told[0]["exclude-patterns"] == "gr%C3%B6%C3%9Fe"  # the last of two


async def test_small_files_are_read_by_name() -> None:
    async with sending([_file("Dockerfile", b"FROM scratch\n")]) as session:
        assert await read_files(session, "dockerfile", ["Dockerfile"]) == {
            "Dockerfile": "FROM scratch\n"
        }
    async with sending([_file("Dockerfile", b"x" * (5 << 20))]) as session:
        with pytest.raises(InvalidArgument, match="too large for what it is"):
            await read_files(session, "dockerfile", ["Dockerfile"])


@pytest.mark.parametrize("path", ["../up", "a/../../up", "/../up", ".."])
@pytest.mark.parametrize("prefix", ["", ".knarr-build/contexts/other"])
async def test_names_that_climb_are_refused(path: str, prefix: str) -> None:
    async with sending([_file(path, b"x")]) as session:
        with pytest.raises(InvalidArgument, match="forbidden path"):
            await _archive(session, prefix)
    async with sending([_file("a", link=path)]) as session:
        with pytest.raises(InvalidArgument, match="forbidden path"):
            await _archive(session, prefix)


async def test_a_link_and_a_file_behind_it_stay_inside_the_archive(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    files = [
        _file("way", mode=SYMLINK | 0o777, link=str(tmp_path / "outside")),
        _file("way/planted", b"x"),
    ]
    async with sending(files) as session:
        raw = io.BytesIO(await _archive(session))
    with SpooledArchive(tmp_path / "spooled") as spooled:
        spooled.receive(lambda: raw.read(1000))
        assert "way/planted" in spooled.tree.entries
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("sent", [b"", b"shor", b"much longer than it was said"])
async def test_a_file_of_another_size_than_was_said_is_refused(sent: bytes) -> None:
    stat, _ = _file("grows", b"said.")
    async with sending([(stat, sent)]) as session:
        with pytest.raises(Unavailable, match="grows changed or could not be read"):
            await _archive(session)


async def test_content_that_nobody_asked_for_is_refused() -> None:
    async def pushy(call: grpc.Call) -> None:
        await call.send(Packet(type=STAT, stat=_file("a", b"12345")[0]))
        await call.send(Packet(type=STAT))
        while True:
            await call.send(Packet(type=DATA, id=7, data=b"x" * 1000))

    async with serving({DIFF_COPY: pushy}) as client:
        with pytest.raises(InvalidArgument, match="not asked for"):
            await _archive(Session(client, frozenset({DIFF_COPY})))


async def test_what_the_client_could_not_do_is_told() -> None:
    async def failing(call: grpc.Call) -> None:
        await call.send(Packet(type=ERROR, data=b"open secret: permission denied"))

    async def refusing(_: grpc.Call) -> None:
        raise grpc.Status(grpc.NOT_FOUND, 'no access allowed to dir "context"')

    async def leaving(call: grpc.Call) -> None:
        await call.send(Packet(type=STAT, stat=_file("a")[0]))

    for method, sentence in (
        (failing, "could not send context: open secret: permission denied"),
        (refusing, 'no access allowed to dir "context"'),
        (leaving, "the client broke off sending context"),
    ):
        async with serving({DIFF_COPY: method}) as client:
            with pytest.raises(KnarrError, match=sentence):
                await _archive(Session(client, frozenset({DIFF_COPY})))
