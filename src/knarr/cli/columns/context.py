"""The placeholders of ``context ls``."""

from __future__ import annotations

from knarr.cli.listing import Column, Listing


def context_listing() -> Listing:
    """A row has name, description, host, error, current."""
    columns = {
        "Current": Column("CURRENT", lambda row: row["current"]),
        "Name": Column("NAME", lambda row: row["name"]),
        "Description": Column("DESCRIPTION", lambda row: row["description"]),
        "DockerEndpoint": Column("DOCKER ENDPOINT", lambda row: row["host"]),
        "Error": Column("ERROR", lambda row: row["error"]),
    }
    default = ("Name", "Description", "DockerEndpoint", "Error")
    return Listing("*formatter.clientContextContext", columns, default)
