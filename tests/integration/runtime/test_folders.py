"""What the keeper clears away, and what it must not."""

from pathlib import Path

import pytest

from knarr.keeper.files import remove_folder
from knarr.kernel import mount

pytestmark = pytest.mark.needs("namespaces")


def test_a_folder_goes_with_all_in_it_but_links_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    folder = tmp_path / "folder"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "file").write_text("x")
    (folder / "link").symlink_to(tmp_path / "kept")
    remove_folder(str(folder))
    remove_folder(str(folder))
    assert not folder.exists()
    assert (tmp_path / "kept" / "file").exists()


def test_what_is_mounted_in_a_folder_loses_nothing(tmp_path: Path) -> None:
    root = tmp_path / "container" / "rootfs"
    root.mkdir(parents=True)
    (tmp_path / "container" / "config.json").write_text("{}")
    mount.mount("none", str(root), "tmpfs")
    try:
        (root / "bin").mkdir()
        (root / "bin" / "sh").write_text("x")
        remove_folder(str(tmp_path / "container"))
        assert (root / "bin" / "sh").exists()
        assert not (tmp_path / "container" / "config.json").exists()
    finally:
        mount.unmount(str(root))
    remove_folder(str(tmp_path / "container"))
    assert not (tmp_path / "container").exists()
