"""The endpoints of volumes, asked as the server asks them."""

import io
import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from knarr.api import import_routes
from knarr.api.router import Router
from knarr.events import EventBus
from knarr.http.message import Request, Response
from knarr.services import Engine
from knarr.store import Database
from knarr.volume import VolumeService

pytestmark = pytest.mark.needs("root")


class Sent:
    """The body of a request."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content

    async def read(self, limit_bytes: int = 4 << 20) -> bytes:
        return self._content


class Client:
    def __init__(self, root: Path) -> None:
        import_routes()
        self.db = Database(root / "knarr.db", EventBus())
        self.volumes = VolumeService(db=self.db, data_root=root / "data", run_root=root / "run")
        self.volumes.restore((), ())
        self._router = Router(cast("Engine", SimpleNamespace(volumes=self.volumes)))

    async def ask(self, method: str, target: str, body: bytes = b"") -> tuple[int, Any]:
        """Status and answer: JSON decoded, other bytes as they are."""
        path, _, query = target.partition("?")
        request = Request(
            method=method, path=path, raw_query=query, headers={}, body=cast("Any", Sent(body))
        )
        answer = await self._router(request)
        assert isinstance(answer, Response)
        if isinstance(answer.body, bytes):
            content = answer.body
        else:
            content = b"".join([bytes(piece) async for piece in cast("Any", answer.body)])
        if answer.headers.get("Content-Type") == "application/json":
            return answer.status, json.loads(content)
        return answer.status, content


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    yield client
    client.db.close()


async def test_a_volume_lives(client: Client) -> None:
    status, made = await client.ask("POST", "/volumes/create", b'{"Name":"data","Labels":null}')
    assert status == 201
    assert made == {
        "Name": "data",
        "Driver": "local",
        "Mountpoint": str(client.volumes.get("data").mountpoint),
        "CreatedAt": made["CreatedAt"],
        "Labels": None,
        "Scope": "local",
        "Options": None,
    }
    assert await client.ask("GET", "/v1.41/volumes/data") == (200, made)
    assert await client.ask("GET", "/volumes") == (200, {"Volumes": [made], "Warnings": None})
    assert (await client.ask("DELETE", "/volumes/data"))[0] == 204
    assert await client.ask("GET", "/volumes/data") == (
        404,
        {"message": "get data: no such volume"},
    )
    assert (await client.ask("DELETE", "/volumes/data?force=1"))[0] == 204


async def test_refusals_have_dockers_status(client: Client) -> None:
    client.volumes.found_or_created("data")
    client.volumes.hold("data", "c" * 64)
    assert await client.ask("DELETE", "/volumes/data") == (
        409,
        {"message": f"remove data: volume is in use - [{'c' * 64}]"},
    )
    assert (await client.ask("POST", "/volumes/create", b'{"Name":"!!"}'))[0] == 400
    assert (await client.ask("GET", '/volumes?filters={"colour":["red"]}'))[0] == 400
    assert (await client.ask("PUT", "/volumes/data?version=1", b"{}"))[0] == 503


async def test_prune_of_old_clients_takes_named_volumes_too(client: Client) -> None:
    client.volumes.found_or_created("named")
    assert (await client.ask("POST", "/v1.51/volumes/prune"))[1]["VolumesDeleted"] == []
    _, pruned = await client.ask("POST", "/v1.41/volumes/prune")
    assert pruned == {"VolumesDeleted": ["named"], "SpaceReclaimed": 0}


async def test_a_volume_is_copied_renamed_exported_and_imported(client: Client) -> None:
    volume, _ = client.volumes.found_or_created("data")
    (Path(volume.mountpoint) / "file").write_text("x")
    assert (await client.ask("POST", "/volumes/data/copy?to=second"))[0] == 201
    assert (await client.ask("POST", "/volumes/second/rename?to=third"))[0] == 204
    assert (await client.ask("POST", "/volumes/data/rename"))[0] == 400
    status, content = await client.ask("GET", "/volumes/third/archive")
    assert status == 200
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getnames() == [".", "./file"]
    assert (await client.ask("PUT", "/volumes/fourth/archive", content))[0] == 201
    assert (Path(client.volumes.get("fourth").mountpoint) / "file").read_text() == "x"
    assert (await client.ask("GET", "/volumes/none/archive"))[0] == 404
