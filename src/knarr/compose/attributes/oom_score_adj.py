"""How willingly the kernel ends the container when memory is short: -1000 to 1000."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Integer

OOM_SCORE_ADJ = Attribute(
    name="oom_score_adj",
    shape=Integer(minimum=-1000, maximum=1000),
    apply=to_host("oom_score_adj"),
    source="Compose Specification, services, oom_score_adj",
)
