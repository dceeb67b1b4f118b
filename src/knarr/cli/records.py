"""A document as a template sees it where Docker has a struct: an unknown field is an error."""

from __future__ import annotations

from collections.abc import Mapping

from knarr.client.lean import Any
from knarr.template_functions import json_text, printed


class Record:
    """The fields of one struct; what they hold is plain.

    go_type: the struct's name in messages.
    """

    def __init__(self, go_type: str, fields: Mapping[str, Any]) -> None:
        self.go_type = go_type
        self._fields = fields

    def field(self, name: str) -> Any:
        return self._fields[name]

    def as_json(self) -> str:
        return json_text(self.plain())

    def plain(self) -> dict[str, Any]:
        """The fields as a dict, records within it as well."""
        return {
            name: value.plain() if isinstance(value, Record) else value
            for name, value in self._fields.items()
        }

    def __str__(self) -> str:
        return "{" + " ".join(printed(value) for value in self._fields.values()) + "}"

    def __bool__(self) -> bool:
        return True
