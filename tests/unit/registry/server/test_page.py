from knarr.ids import Digest
from knarr.registry.server.describe import ImageView, RepositoryLine, Step, TagView
from knarr.registry.server.page import list_page, repository_page

DIGEST = Digest("sha256:" + "a" * 64)


def test_nothing_that_somebody_pushed_becomes_markup() -> None:
    evil = "<script>alert('x')</script>"
    step = Step(created_by=evil, created="", layer=DIGEST, size_bytes=10)
    image = ImageView(digest=DIGEST, media_type=evil, platform=evil, size_bytes=10, steps=(step,))
    tag = TagView(tag="1", digest=DIGEST, tagged_ns=0, images=(image,))
    page = repository_page("a/b", [tag])
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_repositories_are_listed_with_their_tags() -> None:
    line = RepositoryLine(name="team/app", tags=("1", "2"), size_bytes=3_400_000, updated_ns=10**18)
    page = list_page([line])
    assert "href='/repository/team/app'" in page
    assert "href='/repository/team/app:2'" in page
    assert "2001-09-09" in page
    assert "3.4MB" in page
