"""RedundantTargetPlatform."""

import re

from knarr.dockerfile.check import Found, Subject, check


@check(
    "RedundantTargetPlatform",
    "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default "
    "behavior",
)
def redundant_target_platform(subject: Subject) -> Found:
    for stage in subject.dockerfile.stages:
        if re.fullmatch(r"\$(?:TARGETPLATFORM|\{TARGETPLATFORM\})", stage.from_.platform):
            yield (
                stage.start,
                (
                    f"Setting platform to predefined {stage.from_.platform} in FROM is redundant "
                    "as this is the default behavior"
                ),
            )
