"""A file as a request's body, by both faces."""

import os
from pathlib import Path

import pytest

from knarr.cli.sources import file_pieces
from knarr.client import aio, blocking
from knarr.client.call import Lines
from knarr.client.endpoint import Endpoint
from knarr.client.file_body import FileBody
from knarr.errors import Unavailable
from support.fake_engine import Answer, FakeEngine, fake_engine

CONTENT = os.urandom(700_000)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.tar"
    path.write_bytes(CONTENT)
    return path


def opened(path: Path) -> FileBody:
    return FileBody(os.open(path, os.O_RDONLY))


def taken(fake: FakeEngine) -> bytes:
    asked = fake.asked[-1]
    assert asked.headers["content-length"] == str(len(asked.body))
    assert "transfer-encoding" not in asked.headers
    return asked.body


def test_a_file_is_sent_with_its_length(archive: Path) -> None:
    with fake_engine() as fake, blocking.Engine(Endpoint.parse(fake.host)) as engine:
        fake.answers["POST", "/images/load"] = Answer(body={})
        list(engine.lines(Lines("POST", "/images/load", body=opened(archive))))
        assert taken(fake) == CONTENT
        list(engine.lines(Lines("POST", "/images/load", body=opened(archive))))  # kept alive
        assert taken(fake) == CONTENT


async def test_so_it_is_by_the_other_face(archive: Path) -> None:
    with fake_engine() as fake:
        fake.answers["POST", "/images/load"] = Answer(body={})
        engine = aio.AsyncEngine(Endpoint.parse(fake.host))
        try:
            request: Lines[object] = Lines("POST", "/images/load", body=opened(archive))
            assert await engine.ask(request) == {}
        finally:
            await engine.close()
        assert taken(fake) == CONTENT


def test_an_open_file_is_sent_from_where_it_stands(archive: Path) -> None:
    descriptor = os.open(archive, os.O_RDONLY)
    os.lseek(descriptor, 5, os.SEEK_SET)
    assert b"".join(FileBody(descriptor)) == CONTENT[5:]


def test_a_file_that_shrinks_is_found_out(archive: Path) -> None:
    body = opened(archive)
    os.truncate(archive, 100)
    with (
        fake_engine() as fake,
        blocking.Engine(Endpoint.parse(fake.host)) as engine,
        pytest.raises(Unavailable, match="became shorter"),
    ):
        engine.open(Lines("POST", "/images/load", body=body))


def test_what_tells_no_size_is_read_to_its_end() -> None:
    assert b"".join(file_pieces("/proc/self/status")).startswith(b"Name:")
