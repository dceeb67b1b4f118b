import pytest

from knarr.container.links import Link, Linked, link_environment
from knarr.container.model import Container
from knarr.errors import InvalidArgument
from knarr.ids import ContainerId, Digest, ImageId
from knarr.spec.docker.container import ContainerConfig, HostConfig
from knarr.spec.record import ContainerRecord

DB = Container(
    id=ContainerId("d" * 64),
    name="db",
    image=ImageId(Digest("sha256:" + "0" * 64)),
    created_ns=1,
    record=ContainerRecord(
        config=ContainerConfig(
            env=("PATH=/bin", "USER=app"), exposed_ports={"5432/tcp": {}, "53/udp": {}}
        ),
        host=HostConfig(),
        image_name="db",
        diff_ids=(),
    ),
)
LINKED = Linked(alias="my-db", container=DB, address="172.17.0.2")


def test_links_are_written_in_three_ways() -> None:
    assert Link.parse("db") == Link(target="db", alias="db")
    assert Link.parse("db:data") == Link(target="db", alias="data")
    assert Link.parse("/db:/web/data") == Link(target="db", alias="data")
    for text in ("", ":x", "/:y"):
        with pytest.raises(InvalidArgument, match="bad format for links"):
            Link.parse(text)


def test_a_link_is_told_in_variables_and_names() -> None:
    assert link_environment("web", [LINKED]) == (
        "MY_DB_PORT=udp://172.17.0.2:53",
        "MY_DB_PORT_53_UDP=udp://172.17.0.2:53",
        "MY_DB_PORT_53_UDP_ADDR=172.17.0.2",
        "MY_DB_PORT_53_UDP_PORT=53",
        "MY_DB_PORT_53_UDP_PROTO=udp",
        "MY_DB_PORT_5432_TCP=tcp://172.17.0.2:5432",
        "MY_DB_PORT_5432_TCP_ADDR=172.17.0.2",
        "MY_DB_PORT_5432_TCP_PORT=5432",
        "MY_DB_PORT_5432_TCP_PROTO=tcp",
        "MY_DB_NAME=/web/my-db",
        "MY_DB_ENV_USER=app",
    )
    assert LINKED.names == ("my-db", "d" * 12, "db")


def test_a_link_follows_the_name_of_the_container_that_it_means() -> None:
    assert Link.parse("db:data").renamed("db", "base") == "base:data"
    assert Link.parse("db").renamed("db", "base") == "base:db"
    assert Link.parse("other:db").renamed("db", "base") == "other:db"
