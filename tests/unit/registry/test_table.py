import pytest

from knarr.errors import Forbidden, InvalidArgument
from knarr.reference import Reference
from knarr.registry.table import RegistryTable, table_of
from knarr.spec.docker.registries import Mirror, RegistryRule, RegistrySettings

DIGEST = "sha256:" + "a" * 64


def table(*rules: RegistryRule, **settings: tuple[str, ...]) -> RegistryTable:
    return table_of(RegistrySettings(registries=rules, **settings))


def places(of: RegistryTable, name: str) -> list[str]:
    endpoints = of.pull_endpoints(Reference.parse(name))
    return [f"{each.host}/{each.repository}{'?' if each.insecure else ''}" for each in endpoints]


def test_docker_io_is_a_name_for_another_machine() -> None:
    (endpoint,) = table().pull_endpoints(Reference.parse("debian"))
    assert (endpoint.host, endpoint.repository) == ("registry-1.docker.io", "library/debian")
    assert endpoint.domain == "docker.io"


def test_dockers_mirrors_serve_docker_io_alone_and_are_never_pushed_to() -> None:
    mirrored = table(registry_mirrors=("https://m.example/", "http://n.example:5000"))
    assert places(mirrored, "debian") == [
        "m.example/library/debian",
        "n.example:5000/library/debian?",
        "registry-1.docker.io/library/debian",
    ]
    assert places(mirrored, "ghcr.io/a/b") == ["ghcr.io/a/b"]
    assert not mirrored.push_endpoint(Reference.parse("debian")).mirror


def test_a_login_is_for_the_host_that_is_asked() -> None:
    rule = RegistryRule(prefix="ghcr.io/team", location="inner.example/copies")
    mirrored = table(rule, registry_mirrors=("https://m.example",))
    assert mirrored.pull_endpoints(Reference.parse("debian"))[0].domain == "m.example"
    assert mirrored.push_endpoint(Reference.parse("ghcr.io/team/app")).domain == "inner.example"


def test_the_longest_prefix_wins_and_ends_at_a_slash() -> None:
    rules = table(
        RegistryRule(prefix="ghcr.io", location="a.example/all"),
        RegistryRule(prefix="ghcr.io/team", location="b.example"),
        RegistryRule(prefix="*.corp.example", location="c.example/corp"),
    )
    assert places(rules, "ghcr.io/x/y") == ["a.example/all/x/y"]
    assert places(rules, "ghcr.io/team/app") == ["b.example/app"]
    assert places(rules, "ghcr.io/teams/app") == ["a.example/all/teams/app"]
    assert places(rules, "dev.corp.example/app") == ["c.example/corp/app"]


def test_a_mirror_may_serve_digests_only() -> None:
    rule = RegistryRule(
        prefix="quay.io",
        mirrors=(Mirror(location="m.example/quay", pull="digest-only"),),
    )
    assert places(table(rule), "quay.io/a/b:1") == ["quay.io/a/b"]
    assert places(table(rule), f"quay.io/a/b@{DIGEST}") == ["m.example/quay/a/b", "quay.io/a/b"]


def test_what_is_blocked_is_refused_but_for_its_mirrors() -> None:
    blocked = table(RegistryRule(prefix="docker.io", blocked=True))
    with pytest.raises(Forbidden, match=r"docker\.io is blocked"):
        places(blocked, "debian")
    rule = RegistryRule(prefix="docker.io", blocked=True, mirrors=(Mirror(location="m.example"),))
    assert places(table(rule), "debian") == ["m.example/library/debian"]
    with pytest.raises(Forbidden):
        table(rule).push_endpoint(Reference.parse("debian"))


@pytest.mark.parametrize(
    ("host", "insecure"),
    [
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("app.localhost", True),
        ("10.1.2.3:5000", True),
        ("10.2.0.1:5000", False),
        ("plain.example:80", True),
        ("plain.example", False),
        ("localhost.example", False),
        ("example.com", False),
    ],
)
def test_plain_http_is_for_loopback_and_what_is_configured(host: str, insecure: bool) -> None:
    some = table(insecure_registries=("10.1.0.0/16", "plain.example:80"))
    assert some.is_insecure(host) is insecure


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"registry_mirrors": ("ftp://m.example",)}, "unsupported scheme"),
        ({"registry_mirrors": ("https://m.example/path",)}, "path, query, or fragment"),
        ({"registry_mirrors": ("https://user:pw@m.example",)}, "username/password not allowed"),
        ({"insecure_registries": ("10.0.0.0/99",)}, "is not valid"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    settings: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        table(**settings)
