from knarr.cli.cli import Cli
from knarr.cli.command import BOOL, Annotated, Flag, Kind, command
from knarr.cli.create.options import LABEL
from knarr.cli.create.plan import key_values
from knarr.cli.create.subnets import ipam_config
from knarr.client.calls import networks

Words = tuple[str, ...]
MAP, STRINGS, ADDRESSES = Kind("map", str), Kind("strings", str), Kind("ipSlice", str)


@command("network create", since="1.21")
def create(
    cli: Cli,
    network: str,
    *,
    attachable: Annotated[bool, Flag("Let any container join", since="1.25")] = False,
    aux_address: Annotated[Words, Flag("Address that others use", kind=MAP)] = (),
    config_from: Annotated[str, Flag("Network to take the settings from", since="1.30")] = "",
    config_only: Annotated[
        bool, Flag("Make settings for other networks, and no network", since="1.30")
    ] = False,
    driver: Annotated[str, Flag("Driver of the network", short="-d")] = "bridge",
    gateway: Annotated[Words, Flag("Gateway of a subnet", kind=ADDRESSES)] = (),
    ingress: Annotated[bool, Flag("Make swarm's routing mesh", since="1.29")] = False,
    internal: Annotated[bool, Flag("No way to the outside")] = False,
    ip_range: Annotated[
        Words, Flag("Addresses for containers, in CIDR notation", kind=STRINGS)
    ] = (),
    ipam_driver: Annotated[str, Flag("Driver that gives out addresses")] = "default",
    ipam_opt: Annotated[Words, Flag("Option of that driver", kind=MAP)] = (),
    ipv4: Annotated[bool | None, Flag("Give out IPv4 addresses", kind=BOOL, shown="true")] = None,
    ipv6: Annotated[bool | None, Flag("Give out IPv6 addresses", kind=BOOL)] = None,
    label: Annotated[Words, Flag("Label the network", kind=LABEL)] = (),
    opt: Annotated[Words, Flag("Option of the driver", short="-o", kind=MAP)] = (),
    scope: Annotated[str, Flag("Scope of the network", since="1.30")] = "",
    subnet: Annotated[Words, Flag("Subnet in CIDR notation", kind=STRINGS)] = (),
) -> None:
    """Create a network"""
    body = {
        "Name": network,
        "CheckDuplicate": True,
        "Driver": driver,
        "Scope": scope,
        "EnableIPv4": ipv4,
        "EnableIPv6": ipv6,
        "IPAM": {
            "Driver": ipam_driver,
            "Config": ipam_config(subnet, ip_range, gateway, key_values(aux_address)),
            "Options": key_values(ipam_opt),
        },
        "Internal": internal,
        "Attachable": attachable,
        "Ingress": ingress,
        "ConfigOnly": config_only,
        "ConfigFrom": {"Network": config_from} if config_from else None,
        "Options": key_values(opt),
        "Labels": key_values(label),
    }
    cli.print(cli.engine.ask(networks.create(body))["Id"])
