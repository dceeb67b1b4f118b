"""The one worker that there is: this machine."""

from typing import Final

from knarr import __version__
from knarr.buildkit.messages import Platform, Version, Worker
from knarr.dockerfile.platforms import host_platform

SPOKEN: Final = "v0.13.0"
"""The version of BuildKit whose interfaces are served here: clients go by it."""


def version() -> Version:
    return Version(package="knarr", version=SPOKEN, revision=__version__)


def worker() -> Worker:
    here = host_platform()
    return Worker(
        id="knarr",
        labels={"org.mobyproject.buildkit.worker.executor": "knarr"},
        platforms=[Platform(architecture=here.architecture, os=here.os, variant=here.variant)],
        version=version(),
    )
