"""`top`: the processes of a container as the host's ps(1) shows them."""

import asyncio
import re
from collections.abc import Collection
from typing import Final

from knarr.errors import InvalidArgument, KnarrError, Unsupported
from knarr.spec.docker.container import ContainerTop

# What would make ps say more than a table of processes.
_ARGUMENTS: Final = re.compile(r"[\w\s,:%+\-=@.]*")


async def process_table(pids: Collection[int], ps_args: str) -> ContainerTop:
    """The rows of ``ps ARGS`` that are about ``pids``. ps_args: as the client gave them.

    Raises InvalidArgument when ps refuses them or shows no PID column.
    """
    words = (ps_args or "-ef").split()
    if _ARGUMENTS.fullmatch(ps_args) is None:
        raise InvalidArgument(f"invalid ps arguments: {ps_args!r}")
    try:
        program = await asyncio.create_subprocess_exec(
            "ps", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except FileNotFoundError as error:
        raise Unsupported("top needs the program ps: install procps") from error
    output, complaint = await program.communicate()
    if program.returncode != 0:
        first, _, _ = complaint.decode(errors="replace").strip().partition("\n")  # its help follows
        raise KnarrError(f"ps: {first}")
    return parsed_table(output.decode(errors="replace"), pids)


def parsed_table(output: str, pids: Collection[int]) -> ContainerTop:
    """Titles and rows; the last column takes what is left of the line."""
    lines = output.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidArgument("Couldn't find PID field in ps output")
    place = titles.index("PID")
    rows = (line.split(None, len(titles) - 1) for line in lines[1:])
    wanted = {str(pid) for pid in pids}
    found = tuple(tuple(row) for row in rows if len(row) > place and row[place] in wanted)
    return ContainerTop(titles=tuple(titles), processes=found)
