"""Lines as entries of systemd's journal, in its native protocol.

Source: systemd, "Native Journal Protocol"; Docker's page "Journald logging driver" for the fields.
"""

import re
import struct
from collections.abc import Mapping
from typing import Final

from knarr.ids import short
from knarr.runtime.log import STDERR
from knarr.times import rfc3339

SOCKET: Final = "/run/systemd/journal/socket"
_ERROR, _INFO = "3", "6"


class JournalForm:
    """Writes the entries of one container.

    details: labels and variables; their names become the journal's: upper case, ``_`` for the rest.
    """

    def __init__(
        self, *, container_id: str, name: str, image: str, tag: str, details: Mapping[str, str]
    ) -> None:
        same = {
            **{_field_name(key): value for key, value in details.items()},
            "CONTAINER_ID": short(container_id),
            "CONTAINER_ID_FULL": container_id,
            "CONTAINER_NAME": name,
            "CONTAINER_TAG": tag,
            "IMAGE_NAME": image,
            "SYSLOG_IDENTIFIER": tag,
        }
        self._same = b"".join(_field(key, value.encode()) for key, value in same.items() if key)

    def entry(self, stream: int, time_ns: int, line: bytes, more: Mapping[str, str]) -> bytes:
        """``line`` is without its newline; ``more``: fields of this entry alone."""
        own = {
            "PRIORITY": _ERROR if stream == STDERR else _INFO,
            "SYSLOG_TIMESTAMP": rfc3339(time_ns),
            **more,
        }
        fields = [_field(key, value.encode()) for key, value in own.items()]
        return b"".join((_field("MESSAGE", line), *fields, self._same))


def _field(name: str, value: bytes) -> bytes:
    """``NAME=value``; with a newline in the value its length goes before it."""
    if b"\n" not in value:
        return b"%b=%b\n" % (name.encode(), value)
    return b"%b\n%b%b\n" % (name.encode(), struct.pack("<Q", len(value)), value)


def _field_name(name: str) -> str:
    """As the journal takes it: capitals, digits and ``_``, and no ``_`` or digit at first."""
    return re.sub(r"[^A-Z0-9_]", "_", name.upper()).lstrip("_0123456789")
