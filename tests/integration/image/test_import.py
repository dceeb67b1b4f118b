import gzip
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from knarr.errors import InvalidArgument, KnarrError, NotFound, Unsupported
from knarr.image import Bootstrap, Import
from knarr.reference import Reference
from knarr.spec.oci.image import Platform
from support import images
from support.rooms import Rooms, chunks

pytestmark = pytest.mark.needs("root")
TAR = images.layer({"etc": None, "etc/motd": b"ahoy"})


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
async def test_a_root_filesystem_becomes_an_image_of_one_layer(
    rooms: Rooms, pack: Callable[[bytes], bytes]
) -> None:
    wanted = Import(
        name=Reference.parse("mine:1"),
        message="by hand",
        platform=Platform(os="linux", architecture="arm64"),
        edit=lambda config: msgspec.structs.replace(config, cmd=("sh",)),
    )
    (message,) = [each async for each in rooms.images.import_(chunks(pack(TAR)), wanted)]
    shown = rooms.images.inspect("mine:1")
    assert message.status == shown.id
    assert shown.comment == "by hand"
    assert shown.architecture == "arm64"
    assert shown.config is not None
    assert shown.config.cmd == ("sh",)
    assert shown.rootfs is not None
    assert shown.rootfs.layers == (images.digest(TAR),)
    assert [each.comment for each in rooms.images.history("mine:1")] == ["by hand"]
    assert rooms.told() == ["import"]


async def test_without_a_name_it_is_known_by_its_id(rooms: Rooms) -> None:
    (message,) = [each async for each in rooms.images.import_(chunks(TAR), Import())]
    assert rooms.images.inspect(message.status).comment == "Imported from -"
    assert rooms.images.inspect(message.status).repo_tags == ()


@pytest.mark.parametrize("archive", [b"no archive at all" * 100, TAR[:700]])
async def test_what_is_no_archive_is_refused_and_leaves_nothing(
    rooms: Rooms, archive: bytes
) -> None:
    with pytest.raises(InvalidArgument):
        async for _ in rooms.images.import_(chunks(archive), Import()):
            pass
    assert rooms.files() == {"layers/tmp"}
    assert rooms.events == []


async def test_nothing_at_all_is_an_archive_of_nothing(rooms: Rooms) -> None:
    (message,) = [each async for each in rooms.images.import_(chunks(b""), Import())]
    shown = rooms.images.inspect(message.status)
    assert shown.rootfs is not None
    assert shown.rootfs.layers == (images.digest(bytes(1024)),)


@pytest.fixture
def web() -> Iterator[str]:
    """A server with an archive whole, cut short, and behind another name."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/root.tar")
                self.end_headers()
            elif self.path in ("/root.tar", "/short.tar"):
                self.send_response(200)
                self.send_header("Content-Length", str(len(TAR)))
                self.end_headers()
                self.wfile.write(TAR if self.path == "/root.tar" else TAR[:600])
            else:
                self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["root.tar", "moved"])
async def test_an_archive_is_fetched(rooms: Rooms, web: str, path: str) -> None:
    wanted = Import(name=Reference.parse("far:1"), origin=f"{web}/{path}")
    messages = [each async for each in await rooms.images.import_from(f"{web}/{path}", wanted)]
    shown = rooms.images.inspect("far:1")
    assert messages[0].status == f"Downloading from http://{web}/{path}"
    assert messages[-1].status == shown.id
    assert shown.comment == f"Imported from {web}/{path}"
    assert shown.rootfs is not None
    assert shown.rootfs.layers == (images.digest(TAR),)


async def test_what_is_not_there_is_told_before_anything_else(rooms: Rooms, web: str) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await rooms.images.import_from(f"http://{web}/nowhere", Import())
    for source in ("ftp://example.org/a.tar", "http:///a.tar"):
        with pytest.raises(InvalidArgument, match="invalid source"):
            await rooms.images.import_from(source, Import())


async def test_an_archive_that_is_cut_short_makes_no_image(rooms: Rooms, web: str) -> None:
    with pytest.raises(KnarrError, match="failed to load"):
        async for _ in await rooms.images.import_from(f"{web}/short.tar", Import()):
            pass
    assert rooms.files() == {"layers/tmp"}
    assert rooms.events == []


MMDEBSTRAP = """#!/bin/sh
[ -d "$TMPDIR" ] || exit 9
echo "I: epoch $SOURCE_DATE_EPOCH" >&2
echo "I: $*" >&2
cat %s
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for mmdebstrap: what it is told, what it writes, how it ends."""
    (tmp_path / "layer.tar").write_bytes(TAR)
    program = tmp_path / "bin" / "mmdebstrap"
    program.parent.mkdir()
    program.write_text(MMDEBSTRAP % (tmp_path / "layer.tar"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    return program


WANTED = Bootstrap(tag=Reference.parse("debian:bookworm"), suite="bookworm", include=("curl",))


async def test_a_base_image_is_made_from_packages(rooms: Rooms, program: Path) -> None:
    scratch = rooms.root / "scratch"
    said = [each async for each in rooms.images.bootstrap(WANTED, scratch)]
    assert said[0].status == "epoch 1700000000"
    assert said[1].status.startswith("--variant=minbase --format=tar --include=curl")
    assert said[-1].stream == "Made image: debian:bookworm\n"
    image = rooms.images.resolve("debian:bookworm")
    assert image.diff_ids == (images.digest(TAR),)
    assert image.config.cmd == ("bash",)
    assert os.listdir(scratch) == []


async def test_when_it_fails_its_last_words_are_told_and_nothing_is_left(
    rooms: Rooms, program: Path
) -> None:
    program.write_text("#!/bin/sh\necho 'E: no such suite' >&2; echo x; exit 3\n")
    with pytest.raises(KnarrError, match=r"exit code 3:\nE: no such suite"):
        async for _ in rooms.images.bootstrap(WANTED, rooms.root / "scratch"):
            pass
    assert rooms.files() == {"layers/tmp"}


async def test_without_mmdebstrap_it_is_said_how_to_get_it(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="apt-get install mmdebstrap"):
        async for _ in rooms.images.bootstrap(WANTED, rooms.root / "scratch"):
            pass
