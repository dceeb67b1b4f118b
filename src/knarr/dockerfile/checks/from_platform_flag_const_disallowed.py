"""FromPlatformFlagConstDisallowed."""

from knarr.dockerfile.check import Found, Subject, check


@check("FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value")
def from_platform_flag_const_disallowed(subject: Subject) -> Found:
    """Allowed where the stage's name says that it is for that platform."""
    for stage in subject.dockerfile.stages:
        platform = stage.from_.platform
        if not platform or "$" in platform:
            continue
        if not any(part in stage.name for part in platform.split("/")):
            problem = "FROM --platform flag should not use constant value"
            yield stage.start, f'{problem} "{platform}"'
