"""OCI runtimes: a bundle on disk, a process out of it, asked for through the keeper.

keeper.py is the daemon's end of the keeper, model.py what goes to and fro, bundle.py and oci.py
what a runtime gets to see, probe.py which runtime works here, failures.py what it says when it
does not, log.py (over segments.py, under logtext.py) what containers wrote.
May import: store, events, kernel, keeper (its wire), spec, errors, ids.
"""

from knarr.runtime.keeper import Keeper
from knarr.runtime.log import Block, LogQuery, LogReader
from knarr.runtime.logtext import LogText
from knarr.runtime.model import (
    ExecLaunch,
    Exit,
    Launch,
    LogPlace,
    Running,
    Sandbox,
    StartFailed,
    UserNamespace,
)
from knarr.runtime.oci import OciRuntime
from knarr.runtime.probe import Attempt, Runtimes, probe

__all__ = [
    "Attempt",
    "Block",
    "ExecLaunch",
    "Exit",
    "Keeper",
    "Launch",
    "LogPlace",
    "LogQuery",
    "LogReader",
    "LogText",
    "OciRuntime",
    "Running",
    "Runtimes",
    "Sandbox",
    "StartFailed",
    "UserNamespace",
    "probe",
]
