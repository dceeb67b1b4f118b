"""What --cache-from and --cache-to say."""

import pytest

from knarr.cli.building.caching import CachePlace, cache_targets
from knarr.errors import InvalidArgument, KnarrError, Unsupported


@pytest.mark.parametrize(
    ("text", "flag", "place"),
    [
        ("app:1", "cache-from", CachePlace("registry", "app:1")),
        ("type=registry,ref=r/app", "cache-from", CachePlace("registry", "r/app")),
        ("ref=r/app", "cache-to", CachePlace("registry", "r/app")),
        ("type=local,src=/c", "cache-from", CachePlace("local", folder="/c")),
        ("type=local,dest=/c,mode=max", "cache-to", CachePlace("local", folder="/c", whole=True)),
        ("type=inline", "cache-to", CachePlace("inline")),
        ("inline", "cache-to", CachePlace("inline")),
        ("inline", "cache-from", CachePlace("registry", "inline")),
    ],
)
def test_a_place_is_read(text: str, flag: str, place: CachePlace) -> None:
    assert CachePlace.parse(text, flag) == place


@pytest.mark.parametrize(
    ("text", "problem", "kind"),
    [
        ("type=gha", "--cache-to type=gha: knarr keeps caches of the types", Unsupported),
        ("type=local,src=/c", "--cache-to type=local needs dest=", InvalidArgument),
        ("type=registry", "needs ref=", InvalidArgument),
        ("type=inline,mode=all", 'mode is min or max, not "all"', InvalidArgument),
    ],
)
def test_what_cannot_be_is_refused(text: str, problem: str, kind: type[KnarrError]) -> None:
    with pytest.raises(kind, match=problem):
        CachePlace.parse(text, "cache-to")


def test_one_place_besides_the_image_itself() -> None:
    assert len(cache_targets(("type=inline", "type=local,dest=/c"))) == 2
    with pytest.raises(Unsupported, match="one place"):
        cache_targets(("type=registry,ref=r", "type=local,dest=/c"))
