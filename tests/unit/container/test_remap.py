import pytest

from knarr.container.remap import Remap, remap_for
from knarr.container.sysctls import sysctls
from knarr.errors import InvalidArgument
from knarr.kernel.owners import Owners, Span
from knarr.spec.docker.container import HostConfig

SPANS = (Span(0, 100000, 65536),)
REMAP = Remap(owners=Owners(SPANS, SPANS), id_map=-1)


def test_everybody_is_mapped_but_for_who_asks_for_the_hosts_users() -> None:
    assert remap_for(HostConfig(), REMAP) is REMAP
    assert remap_for(HostConfig(userns_mode="host"), REMAP) is None
    assert remap_for(HostConfig(), None) is None


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (HostConfig(privileged=True), "privileged mode is incompatible with user namespaces.  You"),
        (HostConfig(network_mode="host"), "cannot share the host's network namespace when user"),
        (HostConfig(pid_mode="host"), "cannot share the host PID namespace when user namespaces"),
    ],
)
def test_what_a_mapped_root_cannot_have_is_refused_in_dockers_words(
    host: HostConfig, words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        remap_for(host, REMAP)
    assert remap_for(host, None) is None


def test_who_may_ping_is_no_group_beyond_the_namespace() -> None:
    name = "net.ipv4.ping_group_range"
    settings = sysctls({}, own_network=True, known=[name], owners=REMAP.owners)
    assert settings == {name: "0 65535"}
