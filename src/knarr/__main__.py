"""``knarr``: the command line, and the daemon that it can become.

The one place outside both towers: it hands over to one of them and knows nothing of either.
"""

from __future__ import annotations

import os
import sys

# What runs in this process as the engine's own, by the words that call for it.
_PROGRAMS = {
    "daemon": "knarr.daemon.__main__",
    "doctor": "knarr.daemon.doctor",
    "registry serve": "knarr.registry.server.__main__",
}


def main() -> int:
    """The console script. Returns the exit code, or leaves with it at once."""
    words = sys.argv[1:]
    for count in (1, 2):
        if (program := _PROGRAMS.get(" ".join(words[:count]))) is not None:
            from importlib import import_module

            try:
                code: int = import_module(program).main(words[count:])
            except BrokenPipeError:
                os._exit(1)  # nobody reads on, and nothing is left to be said
            return code
    from knarr.cli.app import main as cli

    # Taking the interpreter apart costs 2 ms, and everything has been written.
    os._exit(cli(words))


if __name__ == "__main__":
    sys.exit(main())
