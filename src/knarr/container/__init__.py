"""Containers: from what somebody asked for to a running process, and back to rest.

The verbs are in service.py and exec.py, the values in model.py; what a container shall be is
computed in creation.py and plan.py, what a start does is in launch.py, who waits in waiting.py,
files in and out in copier.py.
May import: image, network, volume, snapshot, runtime, store, events, spec, errors, ids.
"""

from knarr.container.copier import Copier
from knarr.container.exec import ExecService
from knarr.container.registry import ContainerRegistry
from knarr.container.service import ContainerService
from knarr.container.waiting import Condition

__all__ = ["Condition", "ContainerRegistry", "ContainerService", "Copier", "ExecService"]
