"""When the image is fetched: always, never, missing, build, daily, weekly, every DURATION."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Text

PULL_POLICY = Attribute(
    name="pull_policy",
    shape=Text(
        pattern="always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+"
    ),
    source="Compose Specification, services, pull_policy",
)
