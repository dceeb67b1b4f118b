"""Commands that run in a container beside its own: after start, before stop, on a sync."""

from typing import Final

from knarr.compose.shape import Boolean, Command, Fields, Pairs, Text

HOOK_FIELDS: Final = {
    "command": Command(),
    "user": Text(),
    "privileged": Boolean(),
    "working_dir": Text(),
    "environment": Pairs(bare=True),
}
HOOK: Final = Fields(HOOK_FIELDS, required=("command",))
