"""Which way of naming layers a kernel knows; the ways themselves are in integration/snapshot."""

import errno
from collections.abc import Iterator
from typing import Self

import pytest

from knarr.kernel import mount
from knarr.snapshot import overlay


class Overlay:
    """A kernel whose overlayfs knows ``keys``; None: it looks at them only when it is made."""

    keys: set[str] | None

    def __init__(self, kind: str) -> None:
        assert kind == "overlay"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def text(self, name: str, value: str) -> None:
        if self.keys is not None and name not in self.keys:
            raise OSError(errno.EINVAL, f"overlay: Unknown parameter '{name}'")


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    overlay.knows_lowerdir_append.cache_clear()
    yield
    overlay.knows_lowerdir_append.cache_clear()


@pytest.mark.parametrize(
    ("keys", "knows"),
    [
        pytest.param(None, False, id="6.1"),
        pytest.param({"lowerdir", "upperdir", "xino"}, False, id="6.5"),
        pytest.param({"lowerdir", "lowerdir+", "xino"}, True, id="6.7"),
    ],
)
def test_layers_go_one_by_one_only_where_the_kernel_means_it(
    monkeypatch: pytest.MonkeyPatch, keys: set[str] | None, knows: bool
) -> None:
    monkeypatch.setattr(Overlay, "keys", keys, raising=False)
    monkeypatch.setattr(mount, "Filesystem", Overlay)
    assert overlay.knows_lowerdir_append() is knows
