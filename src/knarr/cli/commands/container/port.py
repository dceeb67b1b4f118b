from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.client.calls import containers
from knarr.client.lean import Any
from knarr.errors import InvalidArgument, KnarrError


@command("container port", usage="CONTAINER [PRIVATE_PORT[/PROTO]]")
def port(cli: Cli, container: str, private_port: str = "") -> None:
    """List a container's published ports, or where one of them leads from"""
    inspected = cli.engine.ask(containers.inspect(container))
    ports = (inspected.get("NetworkSettings") or {}).get("Ports") or {}
    if not private_port:
        for name, bindings in sorted(ports.items(), key=_by_number):
            for binding in bindings or ():
                cli.print(f"{name} -> {_host(binding)}")
        return
    number, _, protocol = private_port.partition("/")
    if not number.isdecimal() or int(number) > 65535:
        why = "value out of range" if number.isdecimal() else "invalid syntax"
        raise InvalidArgument(
            f'Error: invalid port ({number}): strconv.ParseUint: parsing "{number}": {why}'
        )
    bindings = ports.get(f"{number}/{protocol or 'tcp'}")
    if not bindings:
        raise KnarrError(f"Error: No public port '{private_port}' published for {container}")
    for binding in bindings:
        cli.print(_host(binding))


def _by_number(pair: tuple[str, Any]) -> tuple[int, str]:
    number, _, protocol = pair[0].partition("/")
    return int(number), protocol


def _host(binding: dict[str, str]) -> str:
    address = binding.get("HostIp") or "0.0.0.0"
    shown = f"[{address}]" if ":" in address else address
    return f"{shown}:{binding.get('HostPort', '')}"
