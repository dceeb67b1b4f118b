"""What ``watch`` does when a file changes."""

from knarr.compose.attribute import Attribute
from knarr.compose.hook import HOOK_FIELDS
from knarr.compose.shape import Boolean, Fields, ListOf, Nullable, Text, WatchedPath

_ACTIONS = ("rebuild", "sync", "restart", "sync+restart", "sync+exec")

DEVELOP = Attribute(
    name="develop",
    shape=Nullable(
        Fields(
            {
                "watch": ListOf(
                    Fields(
                        {
                            "path": WatchedPath(),
                            "action": Text(choices=_ACTIONS),
                            "target": Text(),
                            "exec": Fields(
                                HOOK_FIELDS,
                                required=("command",),
                                json_default={"command": None},
                                keeps_empty=False,
                            ),
                            "include": ListOf(Text(), lonely=True, unique=True),
                            "ignore": ListOf(Text(), lonely=True, unique=True),
                            "initial_sync": Boolean(strict=True),
                        },
                        required=("path", "action"),
                    )
                )
            }
        )
    ),
    source="Compose Specification, services, develop",
)
