"""OCI runtimes: a bundle on disk, a process out of it, asked for through the keeper.

May import: store, events, kernel, keeper (its wire), spec, errors, ids.
"""

from knarr.runtime.keeper import Keeper
from knarr.runtime.model import (
    ExecLaunch,
    Exit,
    Launch,
    LogPlace,
    Running,
    Sandbox,
    StartFailed,
)
from knarr.runtime.oci import OciRuntime
from knarr.runtime.probe import Attempt, Runtimes, probe

__all__ = [
    "Attempt",
    "ExecLaunch",
    "Exit",
    "Keeper",
    "Launch",
    "LogPlace",
    "OciRuntime",
    "Running",
    "Runtimes",
    "Sandbox",
    "StartFailed",
    "probe",
]
