"""Networks: links, addresses, routes, published ports, names; planned purely, done by netlink.

The verbs are in service.py, the values in model.py, what will be done is computed in plan.py and
endpoints.py and done in host.py; the rules that never change are in ruleset.py. What a container's
configuration asks for is read in requests.py; its hosts and resolv.conf are written by hosts.py
and resolv.py.
May import: runtime, store, events, kernel, spec, errors, ids, units.
"""

from knarr.network.hosts import host_hosts_text, hosts_text
from knarr.network.linking import Link
from knarr.network.model import EndpointRequest, Member, Network, Plugged, PortRequest
from knarr.network.requests import (
    endpoint_requests,
    network_mode,
    port_requests,
    ports_shown,
    shared_container,
)
from knarr.network.resolv import (
    ResolvConf,
    Wishes,
    default_network_text,
    host_network_text,
    own_network_text,
)
from knarr.network.service import NetworkService
from knarr.network.settings import NetworkSettings
from knarr.network.sharing import Backend, Turn

__all__ = [
    "Backend",
    "EndpointRequest",
    "Link",
    "Member",
    "Network",
    "NetworkService",
    "NetworkSettings",
    "Plugged",
    "PortRequest",
    "ResolvConf",
    "Turn",
    "Wishes",
    "default_network_text",
    "endpoint_requests",
    "host_hosts_text",
    "host_network_text",
    "hosts_text",
    "network_mode",
    "own_network_text",
    "port_requests",
    "ports_shown",
    "shared_container",
]
