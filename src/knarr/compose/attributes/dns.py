"""Name servers."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import ListOf, Text
from knarr.compose.shape.collection import by_text

DNS = Attribute(
    name="dns",
    shape=ListOf(
        Text(),
        key=by_text,
        lonely=True,
        expand=lambda server, _: [server] if server else [],
    ),
    apply=to_host("dns", tuple),
    source="Compose Specification, services, dns",
)
