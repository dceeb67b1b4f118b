import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.container.paths import absolute, base_name, go_mode


@pytest.mark.parametrize(
    ("path", "clean", "base"),
    [
        ("/etc", "/etc", "etc"),
        ("etc", "/etc", "etc"),
        ("/etc/", "/etc/", "etc"),
        ("/etc/.", "/etc/.", "."),
        ("/etc/../../usr//lib", "/usr/lib", "lib"),
        ("/", "/", "/"),
        ("", "/", "/"),
        ("/.", "/.", "."),
        ("../..", "/", "/"),
    ],
)
def test_paths_keep_what_they_end_in(path: str, clean: str, base: str) -> None:
    assert absolute(path) == clean
    assert base_name(clean) == base


@given(st.text(alphabet="ab./", max_size=12))
def test_no_path_climbs(path: str) -> None:
    clean = absolute(path)
    assert clean.startswith("/")
    assert ".." not in clean.split("/")


@pytest.mark.parametrize(
    ("mode", "bits"),
    [
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFDIR | 0o1777, 1 << 31 | 1 << 20 | 0o777),
        (stat.S_IFREG | 0o6755, 1 << 23 | 1 << 22 | 0o755),
        (stat.S_IFLNK | 0o777, 1 << 27 | 0o777),
        (stat.S_IFCHR | 0o666, 1 << 26 | 1 << 21 | 0o666),
    ],
)
def test_modes_as_go_numbers_them(mode: int, bits: int) -> None:
    assert go_mode(mode) == bits
