"""``knarr registry serve``: the process."""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence

from knarr.errors import KnarrError
from knarr.registry.server.settings import USAGE, settings_of


def main(argv: Sequence[str]) -> int:
    """The exit code: 0 when it was told to end, 1 when it could not serve, 125 for a bad flag."""
    if "--help" in argv or "-h" in argv:
        print(USAGE, end="")
        return 0
    try:
        settings = settings_of(argv, is_root=os.geteuid() == 0)
    except KnarrError as error:
        print(error, file=sys.stderr)
        return 125
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(message)s")
    from knarr.registry.server.serve import serve

    try:
        asyncio.run(serve(settings))
    except KnarrError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
