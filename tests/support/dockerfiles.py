"""A case's Dockerfile planned with made-up bases, and the plan as text."""

import dataclasses
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from knarr.build.graph import Operation, Vertex
from knarr.build.ops import Context
from knarr.dockerfile import (
    BaseRequest,
    BuildOptions,
    Dockerfile,
    NamedContext,
    Plan,
    bases_needed,
    lower,
    parse_dockerfile,
)
from knarr.dockerfile.platforms import parse_platform
from knarr.reference import Reference
from knarr.spec.docker.image import ImageConfig
from knarr.spec.document import decode
from knarr.spec.oci.image import ImageDocument, RootFs

_PLATFORM = parse_platform("linux/amd64")


def read_case(case: Path) -> tuple[Dockerfile, BuildOptions, dict[str, Any]]:
    """The case's Dockerfile, its options, and the configs of its bases by full reference."""
    raw = json.loads(_text(case / "options.json") or "{}")
    bases = {
        str(Reference.parse(name).tagged()): each for name, each in raw.pop("bases", {}).items()
    }
    contexts = {
        name: NamedContext(vertex=Vertex(Context(name=name)))
        if value == "folder"
        else NamedContext(reference=value)
        for name, value in raw.pop("contexts", {}).items()
    }
    platform = raw.pop("platform", "")
    options = BuildOptions(
        platform=parse_platform(platform) if platform else _PLATFORM,
        build_platform=_PLATFORM,
        explicit_platform=bool(platform),
        contexts=contexts,
        **raw,
    )
    return parse_dockerfile((case / "Dockerfile").read_text()), options, bases


def plan_case(case: Path, *, all_stages: bool = False) -> Plan:
    dockerfile, options, configs = read_case(case)
    options = dataclasses.replace(options, all_stages=all_stages)
    known: dict[BaseRequest, ImageDocument] = {}
    while needed := bases_needed(dockerfile, options, known):
        known |= {request: _base(request, configs) for request in needed}
    return lower(dockerfile, options, known)


def _base(request: BaseRequest, configs: dict[str, Any]) -> ImageDocument:
    config = dict(configs.get(request.reference, {"Env": ["PATH=/usr/bin:/bin"]}))
    architecture = config.pop("Architecture", request.platform.architecture)
    digest = sha256(f"{request.reference} {request.platform.architecture}".encode()).hexdigest()
    return ImageDocument(
        os=request.platform.os,
        architecture=architecture,
        config=decode(json.dumps(config), ImageConfig),
        rootfs=RootFs(diff_ids=(f"sha256:{digest}",)),
    )


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def describe(plan: Plan) -> str:
    """Each step with what it has to have done, then the image."""
    lines: list[str] = []
    for step in plan.steps:
        lines.append(f"[{step.stage}] {step.text}")
        if step.vertex is not None:
            lines.extend(f"    {line}" for line in _vertex(step.vertex))
    lines.append("config " + _json(msgspec.to_builtins(plan.target.config), indent=2))
    if plan.target.author:
        lines.append(f"author {plan.target.author}")
    lines.append("history")
    for entry in plan.target.history:
        mark = "layer" if entry.vertex else "empty"
        lines.append(f"  {mark}  {json.dumps(entry.created_by, ensure_ascii=False)}")
    if plan.unused_args:
        lines.append(f"unused {' '.join(plan.unused_args)}")
    if plan.epoch is not None:
        lines.append(f"epoch {plan.epoch}")
    if plan.proxies:
        lines.append(f"proxies {_json(plan.proxies)}")
    return "\n".join(lines) + "\n"


def _vertex(vertex: Vertex) -> list[str]:
    lines = [f"{vertex.op.kind} {_json(_fields(vertex.op))}"]
    for number, each in enumerate(vertex.inputs):
        role = "on" if number == 0 else f"input {number}"
        lines.append(f"  {role}: {each.op.kind} {each.op.describe()!r}")
        if number and vertex.op.kind == "merge":  # a linked copy, which stands on nothing
            lines.extend(f"    {line}" for line in _vertex(each))
    return lines


def _fields(op: Operation) -> dict[str, Any]:
    """The fields that say more than their defaults."""
    said: dict[str, Any] = {}
    for each in dataclasses.fields(op):
        value = getattr(op, each.name)
        if value != each.default and each.name != "diff_ids":
            said[each.name] = [_mount(item) for item in value] if each.name == "mounts" else value
    return said


def _mount(mount: Any) -> dict[str, Any]:
    return {"type": type(mount).__name__, **dataclasses.asdict(mount)}


def _json(value: Any, indent: int | None = None) -> str:
    plain = msgspec.to_builtins(value)
    return json.dumps(plain, ensure_ascii=False, indent=indent, sort_keys=True)
