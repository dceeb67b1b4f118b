"""What the steps of a build ask its client for, by name. Pure."""

from urllib.parse import urlsplit

from knarr.build import Vertex
from knarr.build.ops import Execute, Git, Http, SecretMount, SshMount


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
