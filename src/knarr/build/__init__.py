"""The solver: a content-addressed graph of operations, its cache, and what comes out.

graph.py and ops/ are the values; solver.py is there once, solving.py brings one build about;
naming.py and keys.py say by what an operation is known, stepcache.py and rows.py are the cache;
tree.py, selection.py, draft.py and copying.py take files from where they are to a layer;
execution.py runs commands through a Runner (runner.py) that others give.
May import: image, snapshot, content, store, events, kernel, spec, errors, ids, patterns.
"""

from typing import TYPE_CHECKING

from knarr.later import door

if TYPE_CHECKING:
    from knarr.build.graph import Vertex
    from knarr.build.model import Files, Layered, Mark
    from knarr.build.runner import BoundPath, Ended, MemoryPath, Process, Resources, Runner
    from knarr.build.session import Session, StepFailed
    from knarr.build.solver import Solver
else:
    __getattr__ = door(
        __name__,
        {
            "graph": "Vertex",
            "model": "Files Layered Mark",
            "runner": "BoundPath Ended MemoryPath Process Resources Runner",
            "session": "Session StepFailed",
            "solver": "Solver",
        },
    )

__all__ = [
    "BoundPath",
    "Ended",
    "Files",
    "Layered",
    "Mark",
    "MemoryPath",
    "Process",
    "Resources",
    "Runner",
    "Session",
    "Solver",
    "StepFailed",
    "Vertex",
]
