"""The distribution protocol: a client, a server, credentials, mirrors.

    table -> registries -> client -> transport      where a name is, who asks there, and how
    challenge, tokens                               proving who one is
    origin, failures, retry                         what is believed, what a no means, when to go on
    manifests                                       documents judged, the platform chosen
    pull -> layer -> download                       the way in

Nothing here imports urllib3 or ssl before the first request.
May import: content, store, events, kernel, http, spec, errors, ids, reference.
"""

from knarr.registry.layer import ByteReader, LayerSink
from knarr.registry.manifests import RemoteImage, RemoteLayer
from knarr.registry.pull import Found, Puller, outcome
from knarr.registry.registries import Logins, Registries
from knarr.registry.table import RegistryTable, table_of
from knarr.registry.transport import Transport

__all__ = [
    "ByteReader",
    "Found",
    "LayerSink",
    "Logins",
    "Puller",
    "Registries",
    "RegistryTable",
    "RemoteImage",
    "RemoteLayer",
    "Transport",
    "outcome",
    "table_of",
]
