import pytest

from knarr.errors import InvalidArgument
from knarr.reference import Reference


@pytest.mark.parametrize(
    ("typed", "full", "familiar"),
    [
        ("debian", "docker.io/library/debian", "debian"),
        ("debian:12", "docker.io/library/debian:12", "debian:12"),
        ("owner/app", "docker.io/owner/app", "owner/app"),
        ("index.docker.io/library/debian", "docker.io/library/debian", "debian"),
        ("localhost:5000/app", "localhost:5000/app", "localhost:5000/app"),
        ("localhost/app:1", "localhost/app:1", "localhost/app:1"),
        ("ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1"),
    ],
)
def test_names_have_a_full_and_a_familiar_form(typed: str, full: str, familiar: str) -> None:
    reference = Reference.parse(typed)
    assert (str(reference), reference.familiar) == (full, familiar)


@pytest.mark.parametrize("typed", ["", "UPPER", "a b", "app:", "app@sha256:12", "/app", "a//b"])
def test_what_is_no_reference_is_refused(typed: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid reference format"):
        Reference.parse(typed)


def test_latest_is_filled_in_only_where_nothing_else_is_said() -> None:
    digest = "sha256:" + "a" * 64
    assert Reference.parse("debian").tagged().tag == "latest"
    assert Reference.parse(f"debian@{digest}").tagged().tag == ""
