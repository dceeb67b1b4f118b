import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.registry.server.problems import Problem
from knarr.registry.server.routes import (
    Blob,
    Catalog,
    Check,
    Manifest,
    Page,
    Place,
    Referrers,
    Tags,
    Upload,
    Uploads,
    place_of,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/v2/", Check()),
        ("/v2/_catalog", Catalog()),
        ("/v2/a/tags/list", Tags("a")),
        ("/v2/a/b/c/manifests/1.0", Manifest("a/b/c", "1.0")),
        (f"/v2/a/manifests/{DIGEST}", Manifest("a", DIGEST)),
        (f"/v2/a/b/blobs/{DIGEST}", Blob("a/b", DIGEST)),
        ("/v2/a/b/blobs/uploads/", Uploads("a/b")),
        ("/v2/a/b/blobs/uploads/xyz", Upload("a/b", "xyz")),
        (f"/v2/a/referrers/{DIGEST}", Referrers("a", DIGEST)),
        ("/v2/manifests/manifests/tags", Manifest("manifests", "tags")),
        ("/v2/tags/list/tags/list", Tags("tags/list")),
        ("/v2/blobs/uploads/blobs/uploads/", Uploads("blobs/uploads")),
        ("/repository/a/b:1", Page("a/b", "1")),
        ("/", Page()),
        ("/v3/", None),
        ("/v2/a/unknown/x", None),
    ],
)
def test_a_path_means_a_place(path: str, place: Place | None) -> None:
    assert place_of(path) == place


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v2/UPPER/tags/list", "NAME_INVALID"),
        ("/v2/../etc/tags/list", "NAME_INVALID"),
        ("/v2//tags/list", "NAME_INVALID"),
        (f"/v2/{'a' * 256}/tags/list", "NAME_INVALID"),
        ("/v2/a/manifests/.hidden", "TAG_INVALID"),
        (f"/v2/a/manifests/{'t' * 129}", "TAG_INVALID"),
        ("/v2/a/manifests/sha256:zz", "DIGEST_INVALID"),
        ("/v2/a/manifests/sha512:" + "a" * 128, "MANIFEST_UNKNOWN"),
        ("/v2/a/blobs/sha256:../../x", None),
        ("/v2/a/blobs/x", "DIGEST_INVALID"),
        (f"/v2/a/b/blobs/{DIGEST.upper()}", "DIGEST_INVALID"),
    ],
)
def test_what_cannot_be_a_name_is_refused(path: str, code: str | None) -> None:
    if code is None:
        assert place_of(path) is None
        return
    with pytest.raises(Problem) as caught:
        place_of(path)
    assert caught.value.code == code


@given(st.text(max_size=80))
def test_no_path_breaks_the_reader(path: str) -> None:
    for prefix in ("", "/v2/", "/repository/"):
        with contextlib.suppress(Problem):
            place_of(prefix + path)
