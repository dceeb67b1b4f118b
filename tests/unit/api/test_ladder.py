from typing import Any

import pytest

from knarr.api import import_routes
from knarr.api.ladder import STEPS, shaped
from knarr.api.router import declared
from knarr.api.versions import MAXIMUM, MINIMUM


def told(endpoint: str, document: Any, version: tuple[int, int]) -> Any:
    shaped(endpoint, document, version)
    return document


def test_every_step_is_of_an_endpoint_and_newest_first() -> None:
    import_routes()
    endpoints = {f"{each.method} {each.template}" for each in declared()}
    for endpoint, steps in STEPS.items():
        assert endpoint in endpoints
        versions = [until for until, _ in steps]
        assert versions == sorted(versions, reverse=True)
        assert all(MINIMUM <= until < MAXIMUM for until in versions)


def test_an_image_had_a_virtual_size_and_one_without_a_name_said_so() -> None:
    def image() -> list[dict[str, Any]]:
        return [{"RepoTags": [], "RepoDigests": [], "Size": 7, "Descriptor": {}}]

    assert told("GET /images/json", image(), (1, 48)) == image()
    assert told("GET /images/json", image(), (1, 43)) == [
        {"RepoTags": [], "RepoDigests": [], "Size": 7, "VirtualSize": 7}
    ]
    (old,) = told("GET /images/json", image(), (1, 24))
    assert (old["RepoTags"], old["RepoDigests"]) == (["<none>:<none>"], ["<none>@<none>"])


@pytest.mark.parametrize(("version", "has"), [((1, 44), True), ((1, 43), False)])
def test_endpoints_have_their_names_since_1_44(version: tuple[int, int], has: bool) -> None:
    container: dict[str, Any] = {
        "Config": {}, "HostConfig": {"NetworkMode": "back"},
        "NetworkSettings": {"Networks": {"back": {"DNSNames": ["a"], "MacAddress": "02:42"}}},
    }  # fmt: skip
    told("GET /containers/{ref}/json", container, version)
    assert ("DNSNames" in container["NetworkSettings"]["Networks"]["back"]) == has
    assert container["Config"].get("MacAddress") == (None if has else "02:42")


def test_commits_had_what_was_expected_of_them() -> None:
    info = {"RuncCommit": {"ID": "v1"}, "FirewallBackend": {}, "CgroupVersion": "2"}
    shaped("GET /info", info, (1, 41))
    assert info["RuncCommit"] == {"ID": "v1", "Expected": "v1"}
    assert info["CgroupVersion"] == "2"
    assert "FirewallBackend" not in info
    assert "CgroupVersion" not in told("GET /info", info, (1, 40))


def test_an_images_config_was_a_containers() -> None:
    image = told("GET /images/{name:path}/json", {"Config": {"Cmd": ["sh"]}, "Size": 1}, (1, 49))
    assert (image["Config"]["Cmd"], image["Config"]["Tty"]) == (["sh"], False)
    assert "Container" not in image
    assert told("GET /images/{name:path}/json", image, (1, 44))["Container"] == ""


def test_what_an_image_did_not_set_was_there_and_empty() -> None:
    image = told("GET /images/{name:path}/json", {"Config": {"Cmd": ["sh"]}}, (1, 51))
    assert image["Parent"] == ""
    assert image["Config"]["Env"] is None
    assert "Tty" not in image["Config"]
    assert told("GET /images/{name:path}/json", {"Config": {}}, (1, 52)) == {"Config": {}}
