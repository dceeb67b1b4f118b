"""What a prune says beforehand."""

from typing import Any

from knarr.cli.reclaimable import lots, told

IMAGES = [
    {"Id": "sha256:" + "a" * 64, "RepoTags": ["app:1"], "Size": 9_000_000, "SharedSize": 2_000_000},
    {"Id": "sha256:" + "b" * 64, "RepoTags": [], "Size": 5_000_000, "SharedSize": 2_000_000},
    {"Id": "sha256:" + "c" * 64, "RepoTags": ["old:1"], "Size": 3_000_000, "SharedSize": -1},
]
VOLUMES = [
    {"Name": "named", "Labels": None, "UsageData": {"Size": 7, "RefCount": 0}},
    {"Name": "d" * 64, "Labels": {"com.docker.volume.anonymous": ""}, "UsageData": {"Size": 70}},
    {"Name": "e" * 64, "Labels": {"com.docker.volume.anonymous": ""}, "UsageData": {"Size": 700}},
]
NETWORKS = [{"Name": name} for name in ("bridge", "host", "none", "front", "back")]


def container(name: str, state: str, network: str, **more: Any) -> dict[str, Any]:
    attached: dict[str, Any] = {"Networks": {network: {}}}
    return {
        "Id": "f" * 64, "Names": [f"/{name}"], "State": state, "ImageID": "sha256:" + "a" * 64,
        "NetworkSettings": attached, "Mounts": [], **more,
    }  # fmt: skip


USAGE = {
    "Images": IMAGES,
    "Volumes": VOLUMES,
    "Containers": [
        container("web", "running", "front", Mounts=[{"Name": "d" * 64}], SizeRw=50),
        container("job", "exited", "back", Mounts=[{"Name": "e" * 64}], SizeRw=20_000_000),
    ],
    "BuildCache": [
        {"ID": "1" * 20, "Size": 10, "InUse": False, "Shared": False},
        {"ID": "2" * 20, "Size": 100, "InUse": True, "Shared": False},
        {"ID": "3" * 20, "Size": 1000, "InUse": False, "Shared": True},
    ],
}


def test_what_running_containers_need_stays() -> None:
    found = lots(USAGE, NETWORKS, all_=False, volumes=False)
    assert [str(lot) for lot in found] == [
        "1 container, 20MB: job",
        "1 network: back",
        "1 image, 3MB: bbbbbbbbbbbb",
        "2 build cache records, 10B: 111111111111, 333333333333",
    ]


def test_named_volumes_never_go() -> None:
    found = lots(USAGE, NETWORKS, all_=False, volumes=True)
    assert "1 volume, 700B: eeeeeeeeeeee" in [str(lot) for lot in found]


def test_all_images_that_nobody_has() -> None:
    found = lots(USAGE, NETWORKS, all_=True, volumes=False)
    assert "2 images, 6MB: bbbbbbbbbbbb, old:1" in [str(lot) for lot in found]


def test_of_many_names_a_few_are_told() -> None:
    many = {"Containers": [container(f"c{number}", "exited", "x") for number in range(9)]}
    (lot, *_) = lots(many, [], all_=False, volumes=False)
    assert str(lot) == "9 containers, 0B: c0, c1, c2, c3, c4 and 4 more"


def test_the_sum_is_told_and_what_filters_may_spare() -> None:
    found = lots(USAGE, NETWORKS, all_=False, volumes=False)
    assert told(found, filtered=False).startswith("\nThat is now, 23MB in all:\n  - 1 container")
    assert told(found, filtered=True).startswith("\nThat is now, at most, 23MB in all:\n")
    assert told([], filtered=False) == "\nThere is nothing of the kind now.\n"
