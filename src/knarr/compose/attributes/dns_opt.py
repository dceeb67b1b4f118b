"""Options of the resolver: ``ndots:1``."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import ListOf, Text
from knarr.compose.shape.collection import by_text

DNS_OPT = Attribute(
    name="dns_opt",
    shape=ListOf(Text(), key=by_text, unique=True),
    apply=to_host("dns_options", tuple),
    source="Compose Specification, services, dns_opt",
)
