from collections.abc import Mapping

import pytest

from knarr.buildkit.attributes import Output, asked_outputs, output, wishes, wishes_of
from knarr.buildkit.messages import Exporter
from knarr.dockerfile.request import BuildRequest
from knarr.errors import InvalidArgument, Unsupported


def test_what_buildx_sends_becomes_a_request() -> None:
    wanted = wishes(
        "dockerfile.v0",
        {
            "filename": "docker/Dockerfile.web",
            "target": "web",
            "build-arg:A": "1",
            "label:org.x": "y",
            "platform": "linux/amd64",
            "add-hosts": "db=10.0.0.1,v6=[::1]",
            "shm-size": "67108864",
            "ulimit": "nofile=1024:2048,nproc=9",
            "force-network-mode": "host",
            "image-resolve-mode": "pull",
            "no-cache": "",
            "cgroup-parent": "/x",
            "cache-imports": '[{"Type":"registry","Attrs":{"ref":"r/cache"}},{"Type":"gha"}]',
            "context:base": "docker-image://busybox",
            "context:shared::linux/amd64": "local:shared",
        },
    )
    request = wanted.request
    assert request.dockerfile == "docker/Dockerfile.web"
    assert (request.target, request.platform, request.network) == ("web", "linux/amd64", "host")
    assert (request.build_args, request.labels) == ({"A": "1"}, {"org.x": "y"})
    assert request.hosts == {"db": "10.0.0.1", "v6": "::1"}
    assert request.resources.shm_bytes == 64 << 20
    assert request.resources.ulimits == (("nofile", 1024, 2048), ("nproc", 9, 9))
    assert request.resources.cgroup_parent == "/x"
    assert request.no_cache
    assert request.pull
    assert request.cache_from == ("r/cache",)
    assert request.contexts == {"base": "docker-image://busybox"}
    assert wanted.files.contexts == {"shared": "shared"}
    assert request.extras
    assert wanted.files.context == "context"


def test_nothing_asked_for_is_a_plain_build() -> None:
    wanted = wishes("dockerfile.v0", {})
    assert wanted.request.dockerfile == "Dockerfile"
    assert not wanted.request.no_cache
    assert not wanted.request.extras
    assert wishes("dockerfile.v0", {"no-cache": "a,b"}).request.no_cache_filter == ("a", "b")


def test_a_context_comes_from_elsewhere_or_from_standard_input() -> None:
    git = wishes("dockerfile.v0", {"context": "https://host/repo.git#main"})
    assert (git.request.remote, git.files.context) == ("https://host/repo.git#main", "")
    given = wishes("dockerfile.v0", {"context": "http://buildkit-session/abc"})
    assert (given.request.remote, given.files.context) == ("", "")
    assert given.files.upload == "http://buildkit-session/abc"


@pytest.mark.parametrize(
    ("attributes", "kind", "sentence"),
    [
        ({"platform": "linux/amd64,linux/arm64"}, Unsupported, "docker manifest create"),
        ({"filename": "../Dockerfile"}, InvalidArgument, "forbidden path"),
        ({"context:a": "input:b"}, Unsupported, "build it to an image"),
        ({"context:a": "oci-layout://x"}, Unsupported, "load the image"),
        ({"cache-imports": "{"}, InvalidArgument, "cache-imports"),
        ({"ulimit": "nofile=x"}, InvalidArgument, "invalid ulimit"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    attributes: Mapping[str, str], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        wishes("dockerfile.v0", attributes)


def test_frontends_other_than_the_dockerfiles_are_refused() -> None:
    with pytest.raises(Unsupported, match='no frontend "x'):
        wishes("x", {})


def test_outputs() -> None:
    assert output("moby", {"name": "a,b:2"}) == Output(
        type="image", names=("a", "b:2"), attributes={"name": "a,b:2"}
    )
    assert output("image", {"name": "a", "push": "true"}).push
    assert not output("moby", {"name": "a", "push": "true"}).push
    assert output("local", {}).type == "local"
    with pytest.raises(Unsupported, match="no output of type cacheonly2"):
        output("cacheonly2", {})
    with pytest.raises(Unsupported, match="push by a tag"):
        output("image", {"push-by-digest": "true"})
    with pytest.raises(Unsupported, match="knarr build --annotation"):
        output("moby", {"annotation.a": "b"})


def test_the_classic_words_of_an_older_client_say_the_same() -> None:
    asked = BuildRequest(dockerfile="docker/Web", remote="client-session", cache_from_alone=True)
    wanted = wishes_of(asked)
    assert (wanted.request.remote, wanted.files.context) == ("", "context")
    assert wanted.request.trace
    assert not wanted.request.cache_from_alone
    elsewhere = wishes_of(BuildRequest(remote="https://host/repo.git"))
    assert (elsewhere.request.remote, elsewhere.files.context) == ("https://host/repo.git", "")
    with pytest.raises(Unsupported, match="set DOCKER_BUILDKIT=0"):
        wishes_of(BuildRequest(remote="upload-request"))
    with pytest.raises(InvalidArgument, match="forbidden path"):
        wishes_of(BuildRequest(dockerfile="../up"))


def test_outputs_of_an_older_client() -> None:
    kept = Exporter(type="moby", attrs={"name": "a,b"})
    local = Exporter(type="local", attrs={"dest": "out"})
    assert asked_outputs("", ("a", "b")) == [kept]
    assert asked_outputs("null", ("a", "b")) == [kept]
    assert asked_outputs('[{"Type":"moby","Attrs":null}]', ("a", "b")) == [kept]
    assert asked_outputs('[{"Type":"local","Attrs":{"dest":"out"}}]', ()) == [local]
    for broken in ("{", "[1]", '[{"Type":"local"}]', "7"):
        with pytest.raises(InvalidArgument, match="outputs is not a JSON list"):
            asked_outputs(broken, ())
