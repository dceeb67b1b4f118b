"""The placeholders of ``compose ps``. A row is a container as compose sees it."""

from __future__ import annotations

from dataclasses import dataclass

from knarr.cli.columns.container import COMMAND_WIDTH, MOUNT_WIDTH, ports_text
from knarr.cli.listing import Column, Listing
from knarr.cli.text import ago, ellipsis, labels, moment, short
from knarr.client.lean import Any
from knarr.compose import labels as names
from knarr.compose.observed import name_of
from knarr.quoting import quoted
from knarr.spec.docker.container import ContainerSummary
from knarr.units import human_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A container of a project. exit_code, health: as its inspection tells."""

    container: ContainerSummary
    exit_code: int = 0
    health: str = ""

    @property
    def ports(self) -> list[dict[str, Any]]:
        return [
            {
                "IP": port.ip,
                "PrivatePort": port.private_port,
                "PublicPort": port.public_port,
                "Type": port.type,
            }
            for port in sorted(self.container.ports, key=lambda each: each.private_port)
        ]

    @property
    def publishers(self) -> list[dict[str, Any]]:
        return [
            {
                "URL": port["IP"],
                "TargetPort": port["PrivatePort"],
                "PublishedPort": port["PublicPort"],
                "Protocol": port["Type"],
            }
            for port in self.ports
        ]


def project_listing(*, whole: bool) -> Listing:
    """The columns; ``whole`` is --no-trunc."""

    def label(row: Row, name: str) -> str:
        return row.container.labels.get(name, "")

    def command(row: Row) -> str:
        text = row.container.command
        return quoted(text if whole else ellipsis(text, COMMAND_WIDTH))

    def identifier(row: Row) -> str:
        return row.container.id if whole else short(row.container.id)

    columns = {
        "ID": Column("CONTAINER ID", identifier),
        "Name": Column("NAME", lambda row: name_of(row.container)),
        "Names": Column("NAMES", lambda row: name_of(row.container)),
        "Image": Column("IMAGE", lambda row: row.container.image),
        "Command": Column("COMMAND", command),
        "Project": Column("PROJECT", lambda row: label(row, names.PROJECT)),
        "Service": Column("SERVICE", lambda row: label(row, names.SERVICE)),
        "CreatedAt": Column("CREATED AT", lambda row: moment(row.container.created)),
        "RunningFor": Column("CREATED", lambda row: ago(row.container.created)),
        "State": Column("STATE", lambda row: row.container.state),
        "Status": Column("STATUS", lambda row: row.container.status),
        "Health": Column("HEALTH", lambda row: row.health),
        "ExitCode": Column("EXIT CODE", lambda row: row.exit_code),
        "Publishers": Column("PUBLISHERS", lambda row: row.publishers),
        "Ports": Column("PORTS", lambda row: ports_text(row.ports)),
        "Size": Column("SIZE", lambda row: human_size(row.container.size_rw or 0)),
        "Labels": Column("LABELS", lambda row: labels(row.container.labels)),
        "Label": Column("LABEL", label, arguments=1),
        "Mounts": Column("MOUNTS", lambda row: _mounts(row, whole=whole)),
        "LocalVolumes": Column("LOCAL VOLUMES", _local_volumes),
        "Networks": Column("NETWORKS", _networks),
    }
    default = ("Name", "Image", "Command", "Service", "RunningFor", "Status", "Ports")
    return Listing("*formatter.ContainerContext", columns, default)


def _mounts(row: Row, *, whole: bool) -> str:
    sources = [mount.name or mount.source for mount in row.container.mounts]
    return ",".join(each if whole else ellipsis(each, MOUNT_WIDTH) for each in sources)


def _local_volumes(row: Row) -> str:
    return str(sum(mount.driver == "local" for mount in row.container.mounts))


def _networks(row: Row) -> str:
    settings = row.container.network_settings
    return ",".join(sorted(settings.networks)) if settings else ""
