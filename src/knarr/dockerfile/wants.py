"""What the steps of a build ask its client for, by name. Pure."""

from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from knarr.build import Vertex
from knarr.build.laststeps import worked
from knarr.build.ops import Execute, Git, Http, SecretMount, SshMount
from knarr.dockerfile.plan import Step
from knarr.dockerfile.source import BuildError


def secrets_of(target: Vertex) -> set[str]:
    """Of RUN --mount=type=secret, and those by which servers are known (build/sources.py)."""
    wanted: set[str] = set()
    for vertex in target.walk():
        match vertex.op:
            case Execute(mounts=mounts):
                wanted |= {each.id for each in mounts if isinstance(each, SecretMount)}
            case Git():
                wanted |= {"GIT_AUTH_HEADER", "GIT_AUTH_TOKEN"}
            case Http(url=url):
                host = urlsplit(url).hostname or ""
                wanted |= {f"HTTP_AUTH_HEADER_{host}", f"HTTP_AUTH_TOKEN_{host}"}
            case _:
                pass
    return wanted


def agents_of(target: Vertex) -> set[str]:
    """Of RUN --mount=type=ssh."""
    return {
        each.id
        for vertex in target.walk()
        if isinstance(vertex.op, Execute)
        for each in vertex.op.mounts
        if isinstance(each, SshMount)
    }


def refuse_rights(steps: Iterable[Step], allowed: Collection[str]) -> None:
    """Raises BuildError for a step that wants what this client does not grant.

    Before anything is done: what a cache has may be the work of a client that did.
    """
    for step in steps:
        op = worked(step.vertex).op if step.vertex is not None else None
        if not isinstance(op, Execute):
            continue
        for right in op.rights:
            if right not in allowed:
                logical = step.statement.line.logical
                problem = f"{right} is not allowed: grant it with --allow {right}"
                place = step.statement.place
                raise BuildError(problem, logical.source, place, logical.last_line)
