"""What a service becomes in the engine's words."""

import pytest

from knarr.compose import labels
from knarr.compose.attribute import Scene
from knarr.compose.rendering import service_hash
from knarr.compose.translation import (
    container_body,
    container_labels,
    network_body,
    project_labels,
    volume_body,
    with_containers,
)
from knarr.spec.docker.container import ContainerCreate
from support.projects import project_of


def body_of(attributes: str, warnings: list[str] | None = None) -> ContainerCreate:
    project = project_of(f"services: {{web: {{image: app, {attributes}}}}}")
    warn = warnings.append if warnings is not None else lambda _: None
    scene = Scene(project=project, service=project.services["web"], warn=warn)
    return container_body(scene, own_labels={})


def test_limits_of_deploy_have_the_last_word() -> None:
    body = body_of("mem_limit: 100m, deploy: {resources: {limits: {memory: 100m, cpus: '0.5'}}}")
    assert body.host_config is not None
    assert body.host_config.memory == 100 << 20
    assert body.host_config.nano_cpus == 500_000_000


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ("deploy: {placement: {constraints: [node.role==manager]}}", "deploy.placement"),
        ("deploy: {endpoint_mode: dnsrr}", "deploy.endpoint_mode"),
        ("deploy: {mode: global}", "deploy.mode"),
        ("deploy: {restart_policy: {condition: any, delay: 5s}}", "deploy.restart_policy.delay"),
        ("deploy: {resources: {reservations: {cpus: '1'}}}", "deploy.resources.reservations.cpus"),
        ("credential_spec: {file: x.json}", "credential_spec"),
    ],
)
def test_what_nobody_will_do_is_said_by_name(attributes: str, named: str) -> None:
    warnings: list[str] = []
    body_of(attributes, warnings)
    (warning,) = warnings
    assert warning.startswith(f"services.web.{named} has no effect: ")


def test_without_a_network_there_is_none() -> None:
    body = body_of("network_mode: none")
    assert body.host_config is not None
    assert body.host_config.network_mode == "none"


def test_the_labels_are_those_that_compose_writes() -> None:
    project = project_of("services: {web: {image: app, depends_on: [db]}, db: {image: app}}")
    service = project.services["web"]
    found = container_labels(project_labels(project, "web"), service, number=2, image_id="sha256:1")
    assert found == {
        "com.docker.compose.project": "app",
        "com.docker.compose.service": "web",
        "com.docker.compose.version": labels.COMPOSE_VERSION,
        "com.docker.compose.project.working_dir": "/app",
        "com.docker.compose.project.config_files": "/app/compose.yaml",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.config-hash": service_hash(service),
        "com.docker.compose.depends_on": "db:service_started:false",
        "com.docker.compose.container-number": "2",
        "com.docker.compose.image": "sha256:1",
    }


def test_a_service_that_is_named_becomes_its_container() -> None:
    project = project_of(
        "services: {vpn: {image: app}, web: {image: app, network_mode: 'service:vpn', "
        "volumes_from: [vpn]}}"
    )
    resolved = with_containers(project.services["web"], {"vpn": "abc"})
    assert resolved.get("network_mode") == "container:abc"
    assert resolved.get("volumes_from") == ["abc"]


def test_networks_and_volumes_carry_whose_they_are() -> None:
    project = project_of(
        "services: {web: {image: app, networks: [net], volumes: [data:/d]}}\n"
        "networks: {net: {internal: true, labels: {a: b}}}\nvolumes: {data: {driver: local}}"
    )
    network, volume = network_body(project, "net"), volume_body(project, "data")
    assert (network.name, network.internal) == ("app_net", True)
    assert network.labels["a"] == "b"
    assert network.labels[labels.NETWORK] == "net"
    assert (volume.name, volume.driver) == ("app_data", "local")
    assert (volume.labels or {})[labels.VOLUME] == "data"
