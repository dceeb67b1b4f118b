"""The distribution protocol: a client, a server, credentials, mirrors.

    table -> registries -> client -> conversation -> transport
                                                    where a name is, who asks there, and how
    challenge, tokens                               proving who one is
    origin, failures, retry                         what is believed, what a no means, when to go on
    manifests                                       documents judged, the platform chosen
    pull -> layer -> download                       the way in
    push -> upload                                  the way out
    search, inspect, login                          short questions
    server                                          a registry of our own

Nothing here imports urllib3 or ssl before the first request.
May import: content, store, events, kernel, http, spec, errors, ids, reference.
"""

from typing import TYPE_CHECKING

from knarr.later import door

if TYPE_CHECKING:
    from knarr.registry.attached import Attached
    from knarr.registry.cancellation import Cancellation
    from knarr.registry.inspect import Distribution, distribution
    from knarr.registry.layer import ByteReader, LayerSink
    from knarr.registry.manifests import (
        LAYER_COMPRESSION,
        Fetched,
        RemoteImage,
        RemoteLayer,
        digest_of,
        read_index,
        received,
    )
    from knarr.registry.pull import Found, Puller, outcome
    from knarr.registry.push import OutgoingLayer, Parcel, Pusher
    from knarr.registry.registries import Logins, Registries
    from knarr.registry.table import RegistryTable, table_of
    from knarr.registry.telling import told
    from knarr.registry.threads import Tell
    from knarr.registry.transport import Transport
else:
    __getattr__ = door(
        __name__,
        {
            "attached": "Attached",
            "cancellation": "Cancellation",
            "inspect": "Distribution distribution",
            "layer": "ByteReader LayerSink",
            "manifests": (
                "LAYER_COMPRESSION Fetched RemoteImage RemoteLayer digest_of read_index received"
            ),
            "pull": "Found Puller outcome",
            "push": "OutgoingLayer Parcel Pusher",
            "registries": "Logins Registries",
            "table": "RegistryTable table_of",
            "telling": "told",
            "threads": "Tell",
            "transport": "Transport",
        },
    )

__all__ = [
    "LAYER_COMPRESSION",
    "Attached",
    "ByteReader",
    "Cancellation",
    "Distribution",
    "Fetched",
    "Found",
    "LayerSink",
    "Logins",
    "OutgoingLayer",
    "Parcel",
    "Puller",
    "Pusher",
    "Registries",
    "RegistryTable",
    "RemoteImage",
    "RemoteLayer",
    "Tell",
    "Transport",
    "digest_of",
    "distribution",
    "outcome",
    "read_index",
    "received",
    "table_of",
    "told",
]
