"""What a pool of network namespaces with the veth already plugged in could save of a start.

    python bench/netpool.py [--rounds 200]

Needs root. In a namespace of its own: once everything is made when it is needed, as knarr does,
and once from a pool that was filled beforehand; both end with addresses and a route. They take
turns.
Docs: docs/decisions/netlink.md.
"""

import argparse
import os
import statistics
import sys
import time
from ipaddress import ip_address, ip_interface
from pathlib import Path
from socket import socket

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "src")]

from knarr.kernel import netlink  # noqa: E402
from knarr.kernel.namespaces import make_network  # noqa: E402
from knarr.kernel.netlink import Netlink  # noqa: E402
from support.netns import playing_host  # noqa: E402

GATEWAY = ip_address("10.9.0.1")


class Host:
    """A bridge, and containers' namespaces that hang on it."""

    def __init__(self) -> None:
        self.route, self.made = Netlink.open(), 0
        self.route.act([netlink.add_bridge("br0", mac="02:42:00:00:00:01", mtu=1500)])
        self.bridge = netlink.link_of(self.route.get(netlink.get_link("br0"))).index
        self.route.act(
            [
                netlink.add_address(self.bridge, ip_interface("10.9.0.1/16")),
                netlink.set_up(self.bridge),
            ]
        )

    def namespace(self) -> tuple[int, socket]:
        """As the keeper makes it."""
        self.made += 1
        return make_network()

    def plug(self, namespace: int) -> None:
        name = f"kv{self.made}"
        self.route.act([
            netlink.add_veth(
                name, bridge=self.bridge, mtu=1500, peer="eth0", peer_mac="02:42:00:00:00:05",
                namespace=namespace,
            )
        ])  # fmt: skip

    def address(self, sock: socket, *, mac: bool) -> None:
        inside = Netlink(sock)
        index = netlink.link_of(inside.get(netlink.get_link("eth0"))).index
        host = ip_interface(f"10.9.{self.made // 250}.{self.made % 250 + 2}/16")
        requests = [netlink.set_mac(index, "02:42:00:00:00:06")] if mac else []
        requests += [netlink.without_link_local(index), netlink.set_up(index)]
        requests += [netlink.add_address(index, host)]
        requests += [netlink.set_default_route(GATEWAY, link=index)]
        inside.act(requests)

    def cold(self) -> float:
        before = time.process_time()
        namespace, sock = self.namespace()
        self.plug(namespace)
        self.address(sock, mac=False)
        took = time.process_time() - before
        self.end(namespace, sock)
        return took

    def pooled(self) -> float:
        namespace, sock = self.namespace()
        self.plug(namespace)
        before = time.process_time()
        self.address(sock, mac=True)
        took = time.process_time() - before
        self.end(namespace, sock)
        return took

    def end(self, namespace: int, sock: socket) -> None:
        sock.close()
        os.close(namespace)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    with playing_host():
        host = Host()
        turns = [(host.cold(), host.pooled()) for _ in range(rounds)]
    cold, pooled = (statistics.median(each) * 1000 for each in zip(*turns, strict=True))
    print(
        f"made when needed {cold:.2f} ms, from a pool {pooled:.2f} ms: {cold - pooled:.2f} ms saved"
    )


if __name__ == "__main__":
    main()
