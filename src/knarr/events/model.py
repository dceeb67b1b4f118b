"""One thing that happened to one object."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """``type`` and ``action`` are the Engine API's; ``attributes`` hold name, image, labels.

    time_ns: nanoseconds since the epoch. Source: Engine API, SystemEvents.
    """

    type: str
    action: str
    actor: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    time_ns: int = field(default_factory=time.time_ns)
