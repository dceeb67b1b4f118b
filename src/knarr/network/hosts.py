"""/etc/hosts of a container, as text. Pure.

Source: hosts(5); formats.md section 13.
"""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Final

from knarr.errors import InvalidArgument
from knarr.network.model import Member, Plugged

HOST_GATEWAY: Final = "host-gateway"
_IPV4: Final = "127.0.0.1\tlocalhost\n"
_IPV6: Final = (
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n"
)


def hosts_text(
    member: Member,
    plugged: Plugged,
    *,
    extra: Sequence[str] = (),
    gateways: Sequence[str] = (),
    links: Sequence[tuple[str, Sequence[str]]] = (),
) -> str:
    """The whole file.

    extra: ``--add-host`` as the API has it, ``NAME:ADDRESS``; ``host-gateway`` stands for each of
    ``gateways``. links: (address, names) of linked containers.
    """
    lines = [_IPV4, _IPV6]
    lines += [f"{address}\t{name}\n" for name, address in extra_hosts(extra, gateways)]
    lines += [
        f"{address}\t{' '.join(dict.fromkeys(names))}\n" for address, names in links if address
    ]
    names = _own_names(member)
    for settings in plugged.networks.values():
        for address in (settings.ip_address, settings.global_ipv6_address):
            if address and names:
                lines.append(f"{address}\t{names}\n")
    return "".join(lines)


def host_hosts_text(text: str, *, extra: Sequence[str] = (), gateways: Sequence[str] = ()) -> str:
    """With ``--network host``: the host's own file, and what was added."""
    lines = [f"{address}\t{name}\n" for name, address in extra_hosts(extra, gateways)]
    return text.rstrip("\n") + "\n" + "".join(lines)


def extra_hosts(extra: Iterable[str], gateways: Sequence[str]) -> list[tuple[str, str]]:
    """(name, address) of each ``NAME:ADDRESS`` or ``NAME=ADDRESS``.

    Raises InvalidArgument when one is neither, or asks for the gateway of a host without one.
    """
    found: list[tuple[str, str]] = []
    for entry in extra:
        separator = "=" if "=" in entry else ":"
        name, _, address = entry.partition(separator)
        address = address.removeprefix("[").removesuffix("]")
        if not name or not address:
            raise InvalidArgument(f'bad format for add-host: "{entry}"')
        if address == HOST_GATEWAY:
            if not gateways:
                raise InvalidArgument(
                    "unable to derive the IP value for host-gateway: this network has no gateway"
                )
            found += [(name, each) for each in gateways]
        else:
            found.append((name, _checked(address)))
    return found


def _checked(address: str) -> str:
    try:
        ip_address(address)
    except ValueError as error:
        raise InvalidArgument(f'invalid IP address in add-host: "{address}"') from error
    return address


def _own_names(member: Member) -> str:
    if member.hostname and member.domainname:
        return f"{member.hostname}.{member.domainname} {member.hostname}"
    name, dot, _ = member.hostname.partition(".")
    return f"{member.hostname} {name}" if dot else member.hostname
