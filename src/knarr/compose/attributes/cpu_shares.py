"""The container's weight when CPUs are scarce; 1024 is usual."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Integer

CPU_SHARES = Attribute(
    name="cpu_shares",
    shape=Integer(fractions=True),
    apply=to_host("cpu_shares"),
    source="Compose Specification, services, cpu_shares",
)
