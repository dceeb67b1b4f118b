import pytest

from knarr.container.model import Container
from knarr.container.registry import ContainerRegistry
from knarr.errors import Conflict, InvalidArgument, NotFound
from knarr.ids import ContainerId, Digest, ImageId
from knarr.spec.docker.container import ContainerConfig, HostConfig
from knarr.spec.record import ContainerRecord


def made(identifier: str, name: str) -> Container:
    return Container(
        id=ContainerId(identifier.ljust(64, "0")),
        name=name,
        image=ImageId(Digest("sha256:" + "0" * 64)),
        created_ns=1,
        record=ContainerRecord(
            config=ContainerConfig(), host=HostConfig(), image_name="x", diff_ids=()
        ),
    )


@pytest.fixture
def registry() -> ContainerRegistry:
    registry = ContainerRegistry()
    registry.put(made("abc1", "web"))
    registry.put(made("abc2", "db"))
    return registry


def test_a_container_is_found_by_id_name_and_unique_beginning(registry: ContainerRegistry) -> None:
    web = registry.find("web")
    assert registry.find("/web") == registry.find("abc1") == registry.find(web.id) == web


def test_an_ambiguous_beginning_is_refused(registry: ContainerRegistry) -> None:
    with pytest.raises(InvalidArgument, match="multiple IDs found with provided prefix: abc"):
        registry.find("abc")


def test_what_is_not_there_is_named(registry: ContainerRegistry) -> None:
    with pytest.raises(NotFound, match="No such container: nope"):
        registry.find("nope")


def test_a_name_in_use_names_its_holder(registry: ContainerRegistry) -> None:
    with pytest.raises(Conflict, match='"/web" is already in use by container "abc1'):
        registry.check_name_is_free("web")


def test_a_renamed_container_leaves_its_old_name_free(registry: ContainerRegistry) -> None:
    registry.put(made("abc1", "front"))
    registry.check_name_is_free("web")
    assert registry.find("front").id.startswith("abc1")


def test_a_dropped_container_is_gone(registry: ContainerRegistry) -> None:
    registry.drop(registry.find("db"))
    assert [each.name for each in registry] == ["web"]
