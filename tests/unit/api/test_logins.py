import pytest

from knarr.api.logins import logins_for_search, logins_of, named
from knarr.errors import InvalidArgument
from knarr.http.message import Request
from knarr.reference import Reference
from knarr.spec.docker.auth import AuthConfig, write_header

DIGEST = "sha256:" + "a" * 64


class _NoBody:
    async def read(self, limit_bytes: int = 0) -> bytes:
        return b""


def request(**login: str) -> Request:
    headers = {"x-registry-auth": write_header(AuthConfig(**login))} if login else {}
    return Request(method="POST", path="/", raw_query="", headers=headers, body=_NoBody())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "tag", "meant"),
    [
        ("debian", "", "debian"),
        ("debian:12", "", "debian:12"),
        ("debian", "12", "debian:12"),
        ("debian:11", "12", "debian:12"),
        ("debian", DIGEST, f"debian@{DIGEST}"),
        (f"debian@{DIGEST}", "", f"debian@{DIGEST}"),
    ],
)
def test_a_tag_may_come_apart_from_its_name(name: str, tag: str, meant: str) -> None:
    assert named(name, tag).familiar == meant


def test_a_tag_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        named("debian", "a b")
    with pytest.raises(InvalidArgument):
        named("debian", "x@" + DIGEST)


@pytest.mark.parametrize(
    ("server", "image", "shown"),
    [
        ("", "r.example/app", True),
        ("r.example", "r.example/app", True),
        ("https://r.example/v1/", "r.example/app", True),
        ("other.example", "r.example/app", False),
        ("https://index.docker.io/v1/", "debian", True),
        ("docker.io", "debian", True),
        ("https://index.docker.io/v1/", "r.example/app", False),
    ],
)
def test_a_login_is_for_the_registry_it_names(server: str, image: str, shown: bool) -> None:
    reference = Reference.parse(image)
    sent = request(username="anna", password="pw", serveraddress=server)
    login = logins_of(sent, reference).for_domain(reference.domain)
    assert bool(login) is shown


def test_without_a_login_there_is_none() -> None:
    assert not logins_of(request(), Reference.parse("debian")).for_domain("docker.io")
    found = logins_for_search(request(username="anna", password="pw"), "r.example/x")
    assert found.for_domain("r.example").username == "anna"
    assert not found.for_domain("docker.io")
