from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.progress import show_progress
from knarr.cli.text import counted
from knarr.client.calls import system
from knarr.client.lean import Any


@command(
    "system convert-layers",
    note='What a layer holds stays the same, and so does its tar. "tar+erofs" mounts the tar\n'
    'through an index; "unpacked" keeps a copy of its files, for kernels that cannot.\n'
    "New layers are kept as the daemon's --snapshotter says.",
)
def convert_layers(
    cli: Cli,
    *,
    to: Annotated[
        str, Flag('"tar+erofs" or "unpacked" (default: what new layers are kept as)')
    ] = "",
) -> int:
    """Keep all layers by another snapshotter"""
    done: dict[str, Any] = {}
    show_progress(cli.engine.lines(system.convert_layers(to)), cli.err, aux=done.update)
    left = done.get("Left") or []
    for each in left:
        cli.warn(each)
    many = counted(done.get("Converted", 0), "layer")
    cli.print(f"{many} converted to {done.get('Snapshotter')}")
    return int(bool(left))
