"""Services that start before this one, and what must be true of them."""

from knarr.compose.attribute import Attribute
from knarr.compose.project import CONDITION_STARTED
from knarr.compose.shape import Boolean, Either, Fields, ListOf, MapOf, Text
from knarr.compose.shape.collection import NAME_PATTERN

_CONDITIONS = (CONDITION_STARTED, "service_healthy", "service_completed_successfully")

DEPENDS_ON = Attribute(
    name="depends_on",
    shape=Either(
        ListOf(Text(), unique=True),
        lambda names, _: {
            name: {"condition": CONDITION_STARTED, "required": True} for name in names
        },
        MapOf(
            Fields(
                {
                    "condition": Text(choices=_CONDITIONS),
                    "restart": Boolean(),
                    "required": Boolean(tristate=True, strict=True),
                },
                required=("condition",),
                defaults={"required": True},
            ),
            pattern=NAME_PATTERN,
        ),
        complaint="must be a array",
    ),
    source="Compose Specification, services, depends_on",
)
