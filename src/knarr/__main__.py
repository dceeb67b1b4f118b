"""``knarr``: the command line, and the daemon that it can become.

The one place outside both towers: it hands over to one of them and knows nothing of either.
"""

from __future__ import annotations

import sys


def main() -> int:
    """The console script. Returns the exit code."""
    words = sys.argv[1:]
    if words[:1] == ["daemon"]:
        from importlib import import_module

        code: int = import_module("knarr.daemon.__main__").main(words[1:])
        return code
    from knarr.cli.app import main as cli

    return cli(words)


if __name__ == "__main__":
    sys.exit(main())
