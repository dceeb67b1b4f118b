"""What a merged file leaves unsaid: default networks, implied dependencies, names of resources."""

from collections.abc import Mapping
from typing import Any, Final

from knarr.compose import namespace
from knarr.compose.attributes.volumes_from import service_in
from knarr.compose.project import CONDITION_STARTED

DEFAULT_NETWORK: Final = "default"
_NAMED: Final = ("networks", "volumes", "configs", "secrets")


def normalised(tree: dict[str, Any], environment: Mapping[str, str], name: str) -> dict[str, Any]:
    """The tree with everything said that the specification implies."""
    tree = {**tree, "name": name}
    if "services" in tree:
        tree["services"] = {
            key: _service(service, environment) for key, service in tree["services"].items()
        }
    tree = _with_default_network(tree)
    for kind in _NAMED:
        if kind in tree:
            tree[kind] = {
                key: _named(key, resource or {}, name) for key, resource in tree[kind].items()
            }
    return tree


def _named(key: str, resource: dict[str, Any], project: str) -> dict[str, Any]:
    """Named for project and key; what exists outside of the project for its key alone."""
    if resource.get("name") is not None:
        return resource
    return {**resource, "name": key if resource.get("external") else f"{project}_{key}"}


def _with_default_network(tree: dict[str, Any]) -> dict[str, Any]:
    services = {
        key: service
        if _has_own_network(service)
        else {**service, "networks": {DEFAULT_NETWORK: None}}
        for key, service in tree.get("services", {}).items()
    }
    used = any(
        DEFAULT_NETWORK in (service.get("networks") or {}) and "network_mode" not in service
        for service in services.values()
    )
    networks = tree.get("networks", {})
    if used and DEFAULT_NETWORK not in networks:
        networks = {**networks, DEFAULT_NETWORK: None}
    return {
        **tree,
        **({"services": services} if "services" in tree else {}),
        **({"networks": networks} if networks else {}),
    }


def _has_own_network(service: dict[str, Any]) -> bool:
    return bool("provider" in service or "network_mode" in service or service.get("networks"))


def _service(service: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    service = dict(service)
    if service.get("pull_policy") == "if_not_present":
        service["pull_policy"] = "missing"
    if "build" in service:
        service["build"] = _build(service["build"], environment)
    if "environment" in service:
        service["environment"] = _filled(service["environment"], environment)
    dependencies = _dependencies(service)
    return {**service, "depends_on": dependencies} if dependencies else service


def _build(build: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    build = {"context": ".", **build}
    if "dockerfile_inline" not in build:
        build.setdefault("dockerfile", "Dockerfile")
    if "args" in build:
        build["args"] = _with_values(_filled(build["args"], environment))
    return build


def _filled(pairs: Any, environment: Mapping[str, str]) -> Any:
    """Names without a value get the one that the environment has; a list is for people to read."""
    if isinstance(pairs, list):
        return pairs
    return {
        name: environment.get(name) if value is None else value for name, value in pairs.items()
    }


def _with_values(pairs: Any) -> Any:
    if isinstance(pairs, list):
        return [each for each in pairs if "=" in each]
    return {name: value for name, value in pairs.items() if value is not None}


def _dependencies(service: dict[str, Any]) -> dict[str, Any]:
    """Those that are declared, and those that other attributes imply."""
    dependencies = dict(service.get("depends_on") or {})
    implied = [(link.partition(":")[0], True) for link in service.get("links", [])]
    implied += [
        (shared, True)
        for attribute in namespace.ATTRIBUTES
        if (shared := namespace.service_in(service.get(attribute) or "")) is not None
    ]
    implied += [
        (source, False)
        for entry in service.get("volumes_from", [])
        if (source := service_in(entry)) is not None
    ]
    for name, restart in implied:
        dependencies.setdefault(
            name, {"condition": CONDITION_STARTED, "restart": restart, "required": True}
        )
    return dependencies


def with_named_content(tree: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Variables that are named without a value, filled in from where the files stand."""
    tree = dict(tree)
    if "services" in tree:
        tree["services"] = {
            key: _with_environment(service, environment)
            for key, service in tree["services"].items()
        }
    for kind in ("configs", "secrets"):
        if kind in tree:
            tree[kind] = {
                key: _with_content(resource, environment) for key, resource in tree[kind].items()
            }
    return tree


def _with_environment(service: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    if "environment" not in service:
        return service
    return {**service, "environment": _filled(service["environment"], environment)}


def _with_content(resource: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    variable = resource.get("environment")
    if variable is None or variable not in environment:
        return resource
    return {**resource, "content": environment[variable]}
