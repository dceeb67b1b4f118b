"""Control groups that others made for a test, taken away again."""

from contextlib import suppress
from pathlib import Path

from knarr.kernel.cgroups import Layout


def remove_group(path: str) -> None:
    """The group and those below it, in every hierarchy there is; one with processes stays.

    OCI runtimes on a hybrid machine make groups of version 1 and of version 2 alike.
    """
    layout = Layout.of_this_machine()
    places = {*layout.controllers.values(), *([layout.unified] if layout.unified else [])}
    for place in places:
        group = Path(place + path)
        if not group.is_dir():
            continue
        below = sorted((each for each in group.rglob("*") if each.is_dir()), reverse=True)
        for folder in (*below, group):
            with suppress(OSError):
                folder.rmdir()
