"""What would be built, as a bake file. Source: buildx reference, "Bake file reference"."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from knarr.cli.compose.build_section import Section
from knarr.compose.project import SERVICE_CONTEXT

_REMOTE: Final = ("://", "git@", "github.com/")


def bake_file(sections: Sequence[Section], *, push: bool, check: bool) -> dict[str, Any]:
    """A group of all, and a target for each; nothing but what the file or a flag says."""
    targets = {each.service.name: _target(each, push=push, check=check) for each in sections}
    named = dict(sorted(targets.items()))
    return {"group": {"default": {"targets": list(named)}}, "target": named}


def _target(section: Section, *, push: bool, check: bool) -> dict[str, Any]:
    declared, options = section.declared, section.options
    context = declared.get("context", ".")
    inline = declared.get("dockerfile_inline")
    pairs = dict(pair.partition("=")[::2] for pair in options.build_arg if "=" in pair)
    labels = (*options.label, *section.labels(knarr=True))
    hosts: dict[str, str] = {}
    for name, addresses in declared.get("extra_hosts", {}).items():
        hosts[name] = ",".join(addresses)
    target: dict[str, Any] = {
        "context": context,
        "contexts": _contexts(section),
        "dockerfile": None if inline is not None else _dockerfile(context, declared),
        "dockerfile-inline": inline,
        "args": pairs,
        "labels": dict(sorted(label.partition("=")[::2] for label in labels)),
        "tags": list(options.tag),
        "cache-from": list(options.cache_from),
        "cache-to": list(options.cache_to),
        "target": options.target,
        "secret": [_secret(section, use) for use in declared.get("secrets", [])],
        "ssh": [key if "=" in key else f"{key}=" for key in options.ssh],
        "platforms": [each for each in options.platform.split(",") if each],
        "pull": options.pull,
        "no-cache": options.no_cache,
        "no-cache-filter": list(options.no_cache_filter),
        "network": declared.get("network"),
        "shm-size": str(options.shm_size) if options.shm_size else None,
        "ulimits": [_ulimit(each) for each in options.ulimit],
        "call": "lint" if check else None,
        "entitlements": list(options.allow),
        "extra-hosts": hosts,
        "output": [] if check else [_output(section, push=push)],
        "attest": _attestations(options.provenance, options.sbom),
    }
    return {name: value for name, value in target.items() if value}


def _contexts(section: Section) -> dict[str, str]:
    declared = section.declared.get("additional_contexts", {})
    return {
        name: f"target:{value.removeprefix(SERVICE_CONTEXT)}"
        if value.startswith(SERVICE_CONTEXT)
        else value
        for name, value in sorted(declared.items())
    }


def _dockerfile(context: str, declared: dict[str, Any] | Any) -> str:
    given = str(declared.get("dockerfile", "Dockerfile"))
    if any(mark in context for mark in _REMOTE):
        return given
    return os.path.normpath(os.path.join(context, given))


def _secret(section: Section, use: dict[str, str]) -> str:
    name = use.get("target") or use["source"]
    resource = section.project.secrets[use["source"]]
    if variable := resource.get("environment"):
        return f"id={name},type=env,env={variable}"
    return f"id={name},type=file,src={resource.get('file', '')}"


def _ulimit(limit: dict[str, Any]) -> str:
    soft, hard = limit["Soft"], limit["Hard"]
    return f"{limit['Name']}={soft}" + ("" if soft == hard else f":{hard}")


def _output(section: Section, *, push: bool) -> str:
    """Several platforms do not go into Docker's own store."""
    if push and section.service.get("image"):
        return "type=image,push=true"
    return "type=image,push=false" if "," in section.platform else "type=docker"


def _attestations(provenance: str, sbom: str) -> list[str]:
    return [
        f"type={kind}" if value in {"true", "1"} else f"type={kind},{value}"
        for kind, value in (("provenance", provenance), ("sbom", sbom))
        if value not in {"", "false", "0"}
    ]
