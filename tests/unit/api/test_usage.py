from typing import Any

from knarr.api.usage import sums


def image(size: int, shared: int, containers: int) -> dict[str, Any]:
    return {"Size": size, "SharedSize": shared, "Containers": containers}


def test_images_take_their_layers_once_and_give_back_what_is_their_own() -> None:
    images = [image(10, 4, 0), image(20, 4, 2), image(7, -1, 0)]
    assert sums("image", images, layers_bytes=29) == {
        "ActiveCount": 1, "TotalCount": 3, "Reclaimable": 13, "TotalSize": 29,
    }  # fmt: skip


def test_a_volume_that_is_mounted_from_elsewhere_takes_nothing() -> None:
    volumes: list[dict[str, Any]] = [
        {"UsageData": {"Size": -1, "RefCount": 0}},
        {"UsageData": {"Size": 5, "RefCount": 1}},
        {"UsageData": {"Size": 6, "RefCount": 0}},
    ]
    assert sums("volume", volumes, layers_bytes=0) == {
        "ActiveCount": 1, "TotalCount": 3, "Reclaimable": 6, "TotalSize": 11,
    }  # fmt: skip


def test_a_container_that_wrote_nothing_has_no_size() -> None:
    containers: list[dict[str, Any]] = [{"State": "running"}, {"State": "exited", "SizeRw": 3}]
    told = sums("container", containers, layers_bytes=0)
    assert (told["ActiveCount"], told["TotalSize"], told["Reclaimable"]) == (1, 3, 3)
