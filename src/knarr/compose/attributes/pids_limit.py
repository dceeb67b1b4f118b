"""How many processes and threads the container may have; -1 for any number."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Integer

PIDS_LIMIT = Attribute(
    name="pids_limit",
    shape=Integer(fractions=True),
    apply=to_host("pids_limit"),
    source="Compose Specification, services, pids_limit",
)
