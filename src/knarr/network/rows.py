"""Networks, endpoints and published ports: SQLite to model and back."""

import json
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from sqlite3 import Row

from knarr.ids import ContainerId, EndpointId, NetworkId
from knarr.network.documents import document_of, network_of
from knarr.network.model import Endpoint, Member, Network, PublishedPort
from knarr.spec.docker.container import EndpointSettings
from knarr.spec.docker.network import Network as NetworkDocument
from knarr.spec.document import decode, encode
from knarr.store import Database
from knarr.store.database import Transaction


def all_networks(db: Database) -> list[Network]:
    return [
        network_of(decode(row["document"], NetworkDocument), created_ns=row["created_ns"])
        for row in db.query("SELECT * FROM networks ORDER BY created_ns")
    ]


def put_network(tx: Transaction, network: Network) -> None:
    tx.execute(
        "INSERT INTO networks VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET document = excluded.document",
        (
            network.id,
            network.name,
            network.driver,
            network.created_ns,
            encode(document_of(network)).decode(),
        ),
    )


def remove_network(tx: Transaction, network: NetworkId) -> None:
    tx.execute("DELETE FROM networks WHERE id = ?", (network,))


def all_endpoints(db: Database) -> list[Endpoint]:
    return [_endpoint(row) for row in db.query("SELECT * FROM endpoints ORDER BY rowid")]


def _endpoint(row: Row) -> Endpoint:
    return Endpoint(
        id=EndpointId(row["id"]),
        network=NetworkId(row["network"]),
        container=ContainerId(row["container"]),
        container_name=row["container_name"],
        link=row["link"],
        interface=row["interface"],
        settings=decode(row["settings"], EndpointSettings),
    )


def put_endpoints(tx: Transaction, endpoints: Iterable[Endpoint]) -> None:
    tx.executemany(
        "INSERT OR REPLACE INTO endpoints VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                each.id,
                each.network,
                each.container,
                each.container_name,
                each.link,
                each.interface,
                encode(each.settings).decode(),
            )
            for each in endpoints
        ],
    )


def remove_endpoints(tx: Transaction, endpoints: Iterable[Endpoint]) -> None:
    tx.executemany("DELETE FROM endpoints WHERE id = ?", [(each.id,) for each in endpoints])


def all_members(db: Database) -> list[Member]:
    return [
        Member(
            id=ContainerId(row["container"]),
            name=row["name"],
            hostname=row["hostname"],
            domainname=row["domainname"],
            dns_servers=tuple(json.loads(row["dns"])),
        )
        for row in db.query("SELECT * FROM network_members")
    ]


def put_member(tx: Transaction, member: Member) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO network_members VALUES (?, ?, ?, ?, ?)",
        (
            member.id,
            member.name,
            member.hostname,
            member.domainname,
            json.dumps(member.dns_servers),
        ),
    )


def rename_member(tx: Transaction, container: ContainerId, name: str) -> None:
    tx.execute("UPDATE network_members SET name = ? WHERE container = ?", (name, container))


def remove_member(tx: Transaction, container: ContainerId) -> None:
    tx.execute("DELETE FROM network_members WHERE container = ?", (container,))


def all_ports(db: Database) -> dict[ContainerId, list[PublishedPort]]:
    found: dict[ContainerId, list[PublishedPort]] = {}
    for row in db.query("SELECT * FROM published_ports"):
        found.setdefault(ContainerId(row["container"]), []).append(
            PublishedPort(
                protocol=row["protocol"],
                host_ip=ip_address(row["host_ip"]),
                host_port=row["host_port"],
                target=ip_address(row["target"]),
                container_port=row["container_port"],
                group=row["share"],
            )
        )
    return found


def put_ports(tx: Transaction, container: ContainerId, ports: Sequence[PublishedPort]) -> None:
    tx.executemany(
        "INSERT OR REPLACE INTO published_ports VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                container,
                port.protocol,
                str(port.host_ip),
                port.host_port,
                str(port.target),
                port.container_port,
                port.group,
            )
            for port in ports
        ],
    )


def remove_ports(tx: Transaction, container: ContainerId) -> None:
    tx.execute("DELETE FROM published_ports WHERE container = ?", (container,))
