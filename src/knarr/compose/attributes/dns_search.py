"""Domains in which short names are looked up."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import ListOf, Text
from knarr.compose.shape.collection import by_text

DNS_SEARCH = Attribute(
    name="dns_search",
    shape=ListOf(Text(), key=by_text, lonely=True, stays_lonely=True),
    apply=to_host("dns_search", tuple),
    source="Compose Specification, services, dns_search",
)
