"""Commands that must succeed, each in a container of its own, before the service starts."""

from knarr.compose.attribute import Attribute
from knarr.compose.hook import HOOK_FIELDS
from knarr.compose.shape import Boolean, Fields, ListOf, Text

PRE_START = Attribute(
    name="pre_start",
    shape=ListOf(Fields({**HOOK_FIELDS, "image": Text(), "per_replica": Boolean()})),
    source="compose-go schema, services, pre_start",
)
