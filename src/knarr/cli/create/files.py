"""Files of variables and of labels: a ``NAME=VALUE`` on each line.

Source: Docker CLI reference, "container run", --env-file.
"""

from __future__ import annotations

from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLANKS = " \t\n\v\f\r\x85\xa0"


def pairs_of(path: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """The pairs of a file. A name alone takes its value from ``environ``, or is left out.

    Raises InvalidArgument in Docker's words, the file named.
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            lines = file.read().split("\n")
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"invalid env file ({path}): invalid utf8 bytes") from error
    except IsADirectoryError as error:
        raise InvalidArgument(f"invalid env file ({path}): read {path}: is a directory") from error
    except OSError as error:
        raise InvalidArgument(f"open {path}: {(error.strerror or '').lower()}") from error
    found = []
    for number, line in enumerate(lines):
        text = (line.removeprefix("\ufeff") if not number else line).removesuffix("\r")
        text = text.lstrip(_BLANKS)
        if not text or text.startswith("#"):
            continue
        name, equals, _ = text.partition("=")
        if any(blank in name for blank in _BLANKS):
            raise InvalidArgument(
                f"invalid env file ({path}): variable '{name}' contains whitespaces"
            )
        if not name:
            raise InvalidArgument(f"invalid env file ({path}): no variable name on line '{text}'")
        if equals:
            found.append(text)
        elif environ is not None and name in environ:
            found.append(f"{name}={environ[name]}")
    return found
