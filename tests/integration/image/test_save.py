import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from knarr.errors import NotFound
from knarr.reference import Reference
from support import images
from support.dockers import docker_daemon
from support.rooms import Rooms

LAYERS = (
    images.layer({"etc": None, "etc/motd": b"ahoy", "big": b"b" * 3_000_000}),
    images.layer({".wh.big": b"", "etc/motd": b"changed"}),
)
CONFIG = images.document(LAYERS, {"Cmd": ["sh"]})
OTHER = images.document(LAYERS[:1], {"Cmd": ["other"]})


async def joined(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])


@pytest.fixture
async def loaded(rooms: Rooms) -> Rooms:
    await rooms.load(images.docker_archive(LAYERS, CONFIG, ("app:1", "app:2")))
    await rooms.load(images.docker_archive(LAYERS[:1], OTHER, ("other:1",)))
    return rooms


@pytest.mark.needs("root")
async def test_what_was_saved_is_loaded_elsewhere_with_the_same_digests(
    loaded: Rooms, tmp_path: Path
) -> None:
    archive = await joined(loaded.images.save(["app:1", "other:1"]))
    elsewhere = Rooms(tmp_path / "elsewhere")
    messages = await elsewhere.load(archive)
    said = [each.stream for each in messages if each.stream]
    assert said == ["Loaded image: app:1\n", "Loaded image: other:1\n"]
    for name in ("app:1", "other:1"):
        assert elsewhere.images.resolve(name).id == loaded.images.resolve(name).id
    assert await joined(elsewhere.images.save(["app:1", "other:1"])) == archive
    elsewhere.close()


@pytest.mark.needs("root")
async def test_the_layers_are_the_bytes_that_came(loaded: Rooms) -> None:
    archive = await joined(loaded.images.save(["app"]))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for layer in LAYERS:
            blob = tar.extractfile(f"blobs/sha256/{images.digest(layer)[7:]}")
            assert blob is not None
            assert blob.read() == layer
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        (entry,) = json.load(manifest)
    assert entry["RepoTags"] == ["app:1", "app:2"]
    assert entry["Config"] == f"blobs/sha256/{images.digest(CONFIG)[7:]}"


@pytest.mark.needs("root")
async def test_the_size_is_known_before_the_first_byte(loaded: Rooms) -> None:
    archive = await joined(loaded.images.save(["app:1"]))
    assert loaded.images.save_size_bytes(["app:1"]) == len(archive)


@pytest.mark.needs("root")
async def test_an_image_called_by_its_id_is_saved_without_a_name(
    loaded: Rooms, tmp_path: Path
) -> None:
    image = loaded.images.resolve("app:1")
    archive = await joined(loaded.images.save([image.id[7:19]]))
    elsewhere = Rooms(tmp_path / "elsewhere")
    assert (await elsewhere.load(archive))[-1].stream == f"Loaded image ID: {image.id}\n"
    elsewhere.close()


@pytest.mark.needs("root")
async def test_an_unknown_name_is_refused_before_the_first_byte(loaded: Rooms) -> None:
    with pytest.raises(NotFound, match="No such image: nothing:latest"):
        loaded.images.save(["app:1", "nothing"])


@pytest.mark.needs("root", "skopeo")
async def test_skopeo_reads_it_in_both_forms(loaded: Rooms, tmp_path: Path) -> None:
    file = tmp_path / "app.tar"
    file.write_bytes(await joined(loaded.images.save(["app:1"])))
    for form in (f"docker-archive:{file}", f"oci-archive:{file}"):
        target = tmp_path / "copy"
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "-q", form, f"dir:{target}"],
            check=True, capture_output=True,
        )  # fmt: skip
        manifest = json.loads((target / "manifest.json").read_bytes())
        assert manifest["config"]["digest"] == images.digest(CONFIG)
        shutil.rmtree(target)


@pytest.mark.needs("root", "skopeo")
async def test_what_skopeo_writes_is_loaded(rooms: Rooms, tmp_path: Path) -> None:
    source = tmp_path / "source.tar"
    source.write_bytes(images.docker_archive(LAYERS, CONFIG, ("app:1",)))
    for form, name in (("oci-archive", "docker.io/library/sk:1"), ("docker-archive", "sk:2")):
        target = tmp_path / f"{form}.tar"
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "-q",
             f"docker-archive:{source}", f"{form}:{target}:{name}"],
            check=True, capture_output=True,
        )  # fmt: skip
        await rooms.load(target.read_bytes())
        image = rooms.images.resolve(Reference.parse(name).familiar)
        assert image.document.rootfs.diff_ids == tuple(map(images.digest, LAYERS))


@pytest.fixture
def podman() -> Iterator[Callable[..., str]]:
    """A podman of its own. Its folders have short names: it takes 50 characters at most."""
    folder = Path(tempfile.mkdtemp(prefix="knp"))

    def run(*words: str | Path, check: bool = True) -> str:
        argv = ["podman", "--root", folder / "root", "--runroot", folder / "run", *words]
        done = subprocess.run(list(map(str, argv)), check=check, capture_output=True, text=True)
        return done.stdout.strip()

    yield run
    run("rmi", "-a", "-f", check=False)
    subprocess.run(["umount", folder / "root" / "overlay"], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.needs("root", "podman")
async def test_podman_loads_it_and_what_podman_saves_is_loaded(
    loaded: Rooms, podman: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "app.tar"
    file.write_bytes(await joined(loaded.images.save(["app:1"])))
    podman("load", "-q", "-i", file)
    image = podman("image", "inspect", "--format", "{{.Id}}", "docker.io/library/app:1")
    assert f"sha256:{image}" == images.digest(CONFIG)
    for form in ("docker-archive", "oci-archive"):
        back = tmp_path / f"{form}.tar"
        podman("save", "-q", "--format", form, "-o", back, "docker.io/library/app:1")
        elsewhere = Rooms(tmp_path / form)
        await elsewhere.load(back.read_bytes())
        kept = elsewhere.images.resolve("app:1")
        assert kept.document.rootfs.diff_ids == tuple(map(images.digest, LAYERS))
        elsewhere.close()


@pytest.mark.needs("root", "dockerd", "docker")
async def test_docker_loads_it_and_what_docker_saves_is_loaded(
    loaded: Rooms, tmp_path: Path
) -> None:
    archive = await joined(loaded.images.save(["app", "other:1"]))
    with docker_daemon() as docker:
        said = docker("load", stdin=archive)
        assert {"Loaded image: app:1", "Loaded image: app:2"} <= set(said.splitlines())
        assert docker.inspect("app:2")["Id"] == images.digest(CONFIG)
        assert docker.inspect("other:1")["Id"] == images.digest(OTHER)
        docker("save", "-o", tmp_path / "docker.tar", "app", "other:1")
    elsewhere = Rooms(tmp_path / "elsewhere")
    await elsewhere.load((tmp_path / "docker.tar").read_bytes())
    for name, config in (("app:1", CONFIG), ("app:2", CONFIG), ("other:1", OTHER)):
        assert elsewhere.images.resolve(name).id == images.digest(config)
    elsewhere.close()
