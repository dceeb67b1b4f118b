"""knarr: a container platform in Python.

``knarr.engine(root=...)`` starts an engine for the length of a test.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from knarr.testing import engine as engine

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Loaded when asked for: `knarr ps` has no time for it.
    if name == "engine":
        from knarr.testing import engine

        return engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
