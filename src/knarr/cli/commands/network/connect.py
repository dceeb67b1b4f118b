from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, Kind, command
from knarr.cli.create.options import IP
from knarr.cli.create.plan import key_values
from knarr.client.calls import networks
from knarr.client.lean import Any
from knarr.errors import InvalidArgument

Words = tuple[str, ...]
STRINGS, ADDRESSES = Kind("strings", str), Kind("ipSlice", str)


@command("network connect", since="1.21")
def connect(
    cli: Cli,
    network: str,
    container: str,
    *,
    alias: Annotated[Words, Flag("Further name of the container there", kind=STRINGS)] = (),
    driver_opt: Annotated[Words, Flag("Option for the network's driver", kind=STRINGS)] = (),
    gw_priority: Annotated[
        int, Flag("The highest of its networks is the default gateway; may be negative")
    ] = 0,
    ip: Annotated[str, Flag("IPv4 address (172.30.100.104)", kind=IP)] = "",
    ip6: Annotated[str, Flag("IPv6 address (2001:db8::33)", kind=IP)] = "",
    link: Annotated[Words, Flag("Link to another container")] = (),
    link_local_ip: Annotated[Words, Flag("Link-local address", kind=ADDRESSES)] = (),
) -> None:
    """Put a container on a network"""
    if any("=" not in pair for pair in driver_opt):
        raise InvalidArgument("invalid key/value pair format in driver options")
    endpoint: dict[str, Any] = {
        "IPAMConfig": {
            "IPv4Address": ip,
            "IPv6Address": ip6,
            "LinkLocalIPs": [word for text in link_local_ip for word in text.split(",")],
        },
        "Links": list(link),
        "Aliases": [word for text in alias for word in text.split(",")],
        "DriverOpts": key_values(driver_opt),
        "GwPriority": gw_priority,
    }
    cli.engine.ask(networks.connect(network, container, endpoint))
