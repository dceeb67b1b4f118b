"""What is written when it is zero, and what is left out."""

import msgspec
import pytest

from knarr.api.shapes import image_shape, inspect_shape, summary_shape
from knarr.spec.docker.container import (
    ContainerConfig,
    ContainerInspect,
    ContainerState,
    ContainerSummary,
    EndpointIPAMConfig,
    EndpointSettings,
    HostConfig,
    NetworkSettings,
    SummaryHostConfig,
    SummaryNetworkSettings,
)
from knarr.spec.docker.image import ImageInspect

BARE = ContainerInspect(
    state=ContainerState(),
    config=ContainerConfig(),
    host_config=HostConfig(),
    network_settings=NetworkSettings(),
)


def test_sizes_that_were_asked_for_are_told_when_they_are_zero() -> None:
    measured = msgspec.structs.replace(BARE, size_rw=0, size_rootfs=0)
    told = inspect_shape(measured, (1, 51))
    assert (told["SizeRw"], told["SizeRootFs"]) == (0, 0)
    assert {"SizeRw", "SizeRootFs"}.isdisjoint(inspect_shape(BARE, (1, 51)))


@pytest.mark.parametrize("given", [False, True])
def test_an_init_that_somebody_declined_is_told(given: bool) -> None:
    declined = msgspec.structs.replace(BARE, host_config=HostConfig(init=given))
    assert inspect_shape(declined, (1, 51))["HostConfig"]["Init"] is given


def test_no_time_to_stop_is_a_time() -> None:
    hasty = msgspec.structs.replace(BARE, config=ContainerConfig(stop_timeout=0))
    assert inspect_shape(hasty, (1, 51))["Config"]["StopTimeout"] == 0
    assert "StopTimeout" not in inspect_shape(BARE, (1, 51))["Config"]


def test_a_row_leaves_out_a_size_of_zero() -> None:
    row = ContainerSummary(
        size_rw=0,
        host_config=SummaryHostConfig(),
        network_settings=SummaryNetworkSettings(),
    )
    assert "SizeRw" not in summary_shape(row)


def test_of_the_wished_address_only_what_was_wished_is_told() -> None:
    wishes = EndpointSettings(ipam_config=EndpointIPAMConfig(ipv4_address="10.0.0.5"))
    settings = NetworkSettings(networks={"back": wishes})
    document = msgspec.structs.replace(BARE, network_settings=settings)
    told = inspect_shape(document, (1, 51))["NetworkSettings"]["Networks"]["back"]
    assert told["IPAMConfig"] == {"IPv4Address": "10.0.0.5"}


def test_since_1_52_a_container_has_its_addresses_in_its_networks_alone() -> None:
    assert "IPAddress" in inspect_shape(BARE, (1, 51))["NetworkSettings"]
    assert "IPAddress" not in inspect_shape(BARE, (1, 52))["NetworkSettings"]


def test_a_row_says_that_there_is_no_health_check() -> None:
    row = ContainerSummary(
        host_config=SummaryHostConfig(), network_settings=SummaryNetworkSettings()
    )
    assert summary_shape(row)["Health"] == {"Status": "none", "FailingStreak": 0}


def test_an_image_says_of_its_origin_only_what_is_known() -> None:
    told = image_shape(ImageInspect(author="Ahab"))
    assert told["Author"] == "Ahab"
    assert {"Parent", "Comment", "DockerVersion"}.isdisjoint(told)
