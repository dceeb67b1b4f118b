"""Kernel settings of one interface of a container, asked for with its endpoint. Pure.

They are written by the runtime, at the container's start: the daemon enters no namespace.
Source: Docker's documentation of ``--network``, "sysctls for network interfaces".
"""

import re
from collections.abc import Iterator
from typing import Final

from knarr.errors import InvalidArgument
from knarr.spec.docker.container import EndpointSettings

OPTION_SETTINGS: Final = "com.docker.network.endpoint.sysctls"
_PLACE: Final = "IFNAME"  # stands for the name, which is not known when the option is written
_SETTING: Final = re.compile(r"(net\.(?:ipv4|ipv6|mpls)\.\w+\.)IFNAME(\.\w+)=([^,]+)")


def interface_settings(settings: EndpointSettings, interface: str) -> dict[str, str]:
    """The kernel's settings with their values, by their full names.

    Raises InvalidArgument for one that is not of an interface.
    """
    return {
        f"{before}{interface}{after}": value for before, after, value in _parts(settings)
    }  # fmt: skip


def check_interface_settings(settings: EndpointSettings) -> None:
    """Raises InvalidArgument for a setting that is not of an interface."""
    for _ in _parts(settings):
        pass


def _parts(settings: EndpointSettings) -> Iterator[tuple[str, str, str]]:
    asked = (settings.driver_opts or {}).get(OPTION_SETTINGS, "")
    for text in filter(None, (each.strip() for each in asked.split(","))):
        match = _SETTING.fullmatch(text)
        if match is None:
            raise InvalidArgument(
                f"invalid endpoint settings:\n{OPTION_SETTINGS}: '{text}' is no setting of an"
                f" interface: write net.ipv4.conf.{_PLACE}.NAME=VALUE, with {_PLACE} as it stands"
            )
        yield match[1], match[2], match[3]
