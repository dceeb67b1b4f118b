"""Configs and secrets that are not files of the host, as an archive for the container."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from knarr.compose import file_reference
from knarr.compose.attributes import secrets
from knarr.compose.project import Project, Service
from knarr.errors import InvalidArgument, Unsupported

_MODE: Final = 0o444


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """A file that is copied into a container before it starts."""

    target: str
    content: str
    uid: int = 0
    gid: int = 0
    mode: int = _MODE
    owned: bool = False  # an owner was asked for


def injected(project: Project, service: Service) -> list[Injected]:
    """Raises InvalidArgument for content that is not there, Unsupported for what cannot hold it."""
    return [
        *_of(service, "secret", project.secrets, secrets.DIRECTORY, project.environment),
        *_of(service, "config", project.configs, "", project.environment),
    ]


def _of(
    service: Service,
    kind: str,
    declared: Mapping[str, Mapping[str, Any]],
    directory: str,
    environment: Mapping[str, str],
) -> Iterator[Injected]:
    for entry in service.get(f"{kind}s", []):
        resource = declared[entry["source"]]
        name = resource.get("name", entry["source"])
        if resource.get("external"):
            raise Unsupported(f"unsupported external {kind} {name}")
        for attribute in ("driver", "template_driver"):
            if resource.get(attribute):
                raise Unsupported(f"Docker Compose does not support {kind}s.*.{attribute}")
        content = _content(kind, name, resource, environment)
        if not content:
            continue
        if service.get("read_only"):
            raise Unsupported(
                f'cannot create {kind} "{name}" in read-only service {service.name}: '
                "`file` is the sole supported option"
            )
        yield Injected(
            target=file_reference.target(entry, directory),
            content=content,
            uid=int(entry.get("uid", 0)),
            gid=int(entry.get("gid", 0)),
            mode=int(entry["mode"], 8) if "mode" in entry else _MODE,
            owned="uid" in entry or "gid" in entry,
        )


def _content(
    kind: str, name: str, resource: Mapping[str, Any], environment: Mapping[str, str]
) -> str:
    if resource.get("content"):
        return str(resource["content"])
    variable = resource.get("environment")
    if variable is None:
        return ""
    if variable not in environment:
        raise InvalidArgument(
            f'environment variable "{variable}" required by {kind} "{name}" is not set'
        )
    return environment[variable]


def archive(file: Injected, modified: float) -> bytes:
    """A tar with the one file, for the root of the container. modified: seconds since 1970."""
    import tarfile  # here: it brings every compression along, and few commands need it

    content = file.content.encode()
    member = tarfile.TarInfo(file.target.lstrip("/"))
    member.size = len(content)
    member.mode = file.mode
    member.uid, member.gid = file.uid, file.gid
    member.mtime = int(modified)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
