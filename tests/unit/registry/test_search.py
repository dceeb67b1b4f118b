import pytest

from knarr.errors import InvalidArgument
from knarr.registry.search import _Filter, split_term
from knarr.spec.docker.image import ImageSearchResult


@pytest.mark.parametrize(
    ("term", "domain", "words"),
    [
        ("nginx", "docker.io", "nginx"),
        ("library/nginx", "docker.io", "nginx"),
        ("owner/app", "docker.io", "owner/app"),
        ("docker.io/nginx", "docker.io", "nginx"),
        ("index.docker.io/library/nginx", "docker.io", "nginx"),
        ("localhost:5000/app", "localhost:5000", "app"),
        ("localhost/app", "localhost", "app"),
        ("registry.example/team/app", "registry.example", "team/app"),
    ],
)
def test_a_term_may_begin_with_a_registry(term: str, domain: str, words: str) -> None:
    assert split_term(term) == (domain, words)


def test_a_term_with_a_scheme_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="should not have a scheme"):
        split_term("https://registry.example/app")


def test_filters_are_dockers() -> None:
    popular = ImageSearchResult(name="a", star_count=10, is_official=True)
    some = _Filter.read({"stars": ["3", "5"], "is-official": ["true"]})
    assert some.admits(popular)
    assert not some.admits(ImageSearchResult(name="b", star_count=4, is_official=True))
    assert not some.admits(ImageSearchResult(name="c", star_count=9))
    for wrong in ({"stars": ["many"]}, {"is-official": ["perhaps"]}, {"color": ["blue"]}):
        with pytest.raises(InvalidArgument, match="invalid filter"):
            _Filter.read(wrong)
