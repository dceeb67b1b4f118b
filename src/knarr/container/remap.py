"""Containers whose root is not the host's: which ones they are, and whose numbers they have.

Source: Docker, "Isolate containers with a user namespace"; user_namespaces(7).
"""

from dataclasses import dataclass

from knarr.errors import InvalidArgument
from knarr.kernel.owners import Owners
from knarr.spec.docker.container import HostConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Remap:
    """What the daemon was told, and the kernel's side of it.

    owners: of the containers' user namespace. id_map: a descriptor of the namespace by which mounts
    are shown to them; it has the host's root too, which overlayfs needs.
    """

    owners: Owners
    id_map: int


def remap_for(host: HostConfig, remap: Remap | None) -> Remap | None:
    """How a container's users are mapped: not at all with ``--userns=host``.

    Raises InvalidArgument, in Docker's words, for what a mapped root cannot have.
    """
    if remap is None or host.userns_mode == "host":
        return None
    if host.privileged:
        raise InvalidArgument(
            "privileged mode is incompatible with user namespaces.  You must run the container in"
            " the host namespace when running privileged mode"
        )
    if host.network_mode == "host":
        raise InvalidArgument(
            "cannot share the host's network namespace when user namespaces are enabled"
        )
    if host.pid_mode == "host":
        raise InvalidArgument(
            "cannot share the host PID namespace when user namespaces are enabled"
        )
    return remap
