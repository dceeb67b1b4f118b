from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called
from knarr.cli.compose.choosing import container_of
from knarr.cli.compose.flags import Common
from knarr.compose.observed import name_of
from knarr.errors import InvalidArgument, NotFound


@command("compose port", usage="SERVICE PRIVATE_PORT")
def port(
    cli: Cli,
    service: str,
    private_port: str,
    *,
    common: Common,
    index: Annotated[int, Flag("Number of the container, where there are several")] = 0,
    protocol: Annotated[str, Flag("tcp or udp")] = "tcp",
) -> None:
    """Show where a port of a service is published"""
    if not private_port.isdecimal() or int(private_port) > 65_535:
        raise InvalidArgument(f'strconv.ParseUint: parsing "{private_port}": invalid syntax')
    with called(cli, common) as call:
        container = container_of(call, service, index, running=False, one_offs=False)
    wanted, kind = int(private_port), protocol.lower()
    for each in container.ports:
        if each.private_port == wanted and each.type == kind:
            address = f"[{each.ip}]" if ":" in each.ip else each.ip
            cli.print(f"{address}:{each.public_port}")
            return
    known = ", ".join(f"{each.public_port}/{each.type}" for each in container.ports)
    raise NotFound(f"no port {wanted}/{kind} for container {name_of(container)}: {known}")
