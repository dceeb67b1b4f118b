"""Security options: ``no-new-privileges:true``, ``seccomp=FILE``, ``apparmor=PROFILE``."""

from typing import Any

from knarr.compose.attribute import Attribute, Scene, host_config
from knarr.compose.shape import ListOf, Text
from knarr.errors import InvalidArgument
from knarr.spec.docker.container import ContainerCreate


def seccomp_file(option: str) -> str | None:
    """The file of a seccomp option that names one; its text goes to the engine."""
    name, separator, value = option.partition("=")
    if not separator:
        name, _, value = option.partition(":")
    is_file = name == "seccomp" and value not in ("", "unconfined", "builtin")
    return value if is_file else None


def apply(options: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:
    resolved = []
    for option in options:
        if "=" not in option and ":" not in option and option != "no-new-privileges":
            raise InvalidArgument(f'invalid security-opt: "{option}"')
        profile = scene.seccomp.get(seccomp_file(option) or "")
        resolved.append(option if profile is None else f"seccomp={profile}")
    unconfined = "systempaths=unconfined" in resolved
    kept = tuple(option for option in resolved if option != "systempaths=unconfined")
    body = host_config(body, security_opt=kept)
    return host_config(body, masked_paths=(), readonly_paths=()) if unconfined else body


SECURITY_OPT = Attribute(
    name="security_opt",
    shape=ListOf(Text(), unique=True),
    apply=apply,
    source="Compose Specification, services, security_opt",
)
