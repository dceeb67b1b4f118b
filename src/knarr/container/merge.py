"""A container's configuration: what the client said, completed by what its image says.

Source: Engine API, ContainerCreate; docker run reference, "Overriding image defaults".
"""

from msgspec.structs import replace

from knarr.errors import InvalidArgument
from knarr.spec.docker.container import ContainerConfig
from knarr.spec.docker.health import HealthConfig
from knarr.spec.docker.image import ImageConfig


def merged(config: ContainerConfig, image: ImageConfig) -> ContainerConfig:
    """``config`` where it speaks, ``image`` where it does not.

    A client's entrypoint hides the image's command too; an entrypoint of one empty word takes the
    image's away. Raises InvalidArgument where no command is left.
    """
    entrypoint, command = config.entrypoint, config.cmd
    if not entrypoint:
        command = command or image.cmd
        entrypoint = image.entrypoint if entrypoint is None else entrypoint
    if entrypoint in ((), ("",)):
        entrypoint = None
    if not entrypoint and not command:
        raise InvalidArgument("no command specified")
    ports = (image.exposed_ports or {}) | (config.exposed_ports or {})
    return replace(
        config,
        user=config.user or image.user,
        exposed_ports=ports or None,
        env=_environment(config.env, image.env),
        entrypoint=entrypoint,
        cmd=command,
        healthcheck=_health(config.healthcheck, image.healthcheck),
        volumes=image.volumes | config.volumes,
        working_dir=config.working_dir or image.working_dir,
        labels=image.labels | config.labels,
        stop_signal=config.stop_signal or image.stop_signal,
        shell=config.shell or image.shell,
    )


def _environment(client: tuple[str, ...], image: tuple[str, ...]) -> tuple[str, ...]:
    """The client's first, then those of the image that it does not name."""
    named = {entry.partition("=")[0] for entry in client}
    return (*client, *(entry for entry in image if entry.partition("=")[0] not in named))


def _health(client: HealthConfig | None, image: HealthConfig | None) -> HealthConfig | None:
    if client is None or image is None:
        return client or image
    return HealthConfig(
        test=client.test or image.test,
        interval=client.interval or image.interval,
        timeout=client.timeout or image.timeout,
        retries=client.retries or image.retries,
        start_period=client.start_period or image.start_period,
        start_interval=client.start_interval or image.start_interval,
    )


def command_line(config: ContainerConfig) -> tuple[str, ...]:
    """Entrypoint and command, as one argument list."""
    return (*(config.entrypoint or ()), *(config.cmd or ()))
