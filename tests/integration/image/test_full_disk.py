import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from knarr.content import BlobStore, Budget
from knarr.content.partial import PartialBlob
from knarr.errors import KnarrError, Unavailable
from knarr.ids import Digest
from support import images
from support.rooms import Rooms

pytestmark = pytest.mark.needs("root", "namespaces")
SMALL = images.layer({"a": b"a" * 100_000})
LARGE = images.layer({"b": b"b" * 3_000_000})
SMALL_ARCHIVE = images.docker_archive((SMALL,), images.document((SMALL,), {}), ("small:1",))
LARGE_ARCHIVE = images.docker_archive((LARGE,), images.document((LARGE,), {}), ("large:1",))


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Rooms]:
    """A data root on a file system of 5 MB: the tar of the large image fits, its files do not."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "kn", tmp_path], check=True)
    rooms = Rooms(tmp_path / "data")
    yield rooms
    rooms.close()
    shutil.rmtree(tmp_path / "data")
    subprocess.run(["umount", "-l", tmp_path], check=True)


async def test_a_full_disk_refuses_the_image_and_keeps_what_was_there(narrow: Rooms) -> None:
    await narrow.load(SMALL_ARCHIVE)
    before = narrow.files()
    with pytest.raises(Unavailable, match="no space left on device"):
        await narrow.load(LARGE_ARCHIVE)
    assert narrow.files() == before
    image = narrow.images.resolve("small:1")
    assert (narrow.layers.lower(image.diff_ids[0]) / "a").stat().st_size == 100_000
    assert narrow.images.find("large:1") is None


def test_a_download_over_the_budget_is_called_off_and_its_beginning_given_up(
    tmp_path: Path,
) -> None:
    content = b"c" * 5000
    store = BlobStore(tmp_path, Budget(4000))
    with PartialBlob(store, Digest(images.digest(content)), len(content)) as partial:
        partial.write(content[:3000])
        with pytest.raises(KnarrError, match="disk budget of 4kB is used up") as caught:
            partial.write(content[3000:])
        assert not isinstance(caught.value, Unavailable)  # that would be tried again
    assert list((tmp_path / "blobs" / "partial").iterdir()) == []
