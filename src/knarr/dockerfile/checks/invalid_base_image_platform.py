"""InvalidBaseImagePlatform."""

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.platforms import platform_text
from knarr.spec.oci.image import Platform


@check("InvalidBaseImagePlatform", "Base image platform does not match expected target platform")
def invalid_base_image_platform(subject: Subject) -> Found:
    for step in subject.plan.steps:
        document = subject.plan.bases.get(step.after.index)
        if step.before is not None or document is None or not document.architecture:
            continue
        found = Platform(
            os=document.os, architecture=document.architecture, variant=document.variant
        )
        wanted = step.after.platform
        if (found.os, found.architecture) != (wanted.os, wanted.architecture):
            base = subject.dockerfile.stages[step.after.index].from_.base
            yield (
                step.statement,
                (
                    f'Base image {base} was pulled with platform "{platform_text(found)}", '
                    f'expected "{platform_text(wanted)}" for current build'
                ),
            )
