"""AI models the service uses, and the variables that tell it where they are."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Either, Fields, ListOf, MapOf, Nullable, Text
from knarr.compose.shape.collection import NAME_PATTERN

MODELS = Attribute(
    name="models",
    shape=Either(
        ListOf(Text(), unique=True),
        lambda names, _: dict.fromkeys(names),
        MapOf(
            Nullable(Fields({"endpoint_var": Text(), "model_var": Text()}), kept=True),
            pattern=NAME_PATTERN,
            closed=False,
        ),
        complaint="must be a array",
    ),
    source="Compose Specification, services, models",
)
