"""Comma-separated fields of a flag, quoted as in a line of CSV (RFC 4180, as Go reads it)."""

from __future__ import annotations

from knarr.errors import InvalidArgument


def csv_fields(text: str) -> list[str]:
    """The fields of one line. Raises InvalidArgument in the words of Go's encoding/csv."""
    if not text:
        raise InvalidArgument("EOF")
    if '"' not in text:
        return text.split(",")
    fields, place = [], 0
    while True:
        field, place = (
            _quoted(text, place) if text[place : place + 1] == '"' else _bare(text, place)
        )
        fields.append(field)
        if place >= len(text):
            return fields
        place += 1  # the comma


def _bare(text: str, place: int) -> tuple[str, int]:
    end = text.find(",", place)
    end = len(text) if end < 0 else end
    if (quote := text.find('"', place, end)) >= 0:
        raise InvalidArgument(
            f'parse error on line 1, column {quote + 1}: bare " in non-quoted-field'
        )
    return text[place:end], end


def _quoted(text: str, place: int) -> tuple[str, int]:
    out, place = "", place + 1
    while True:
        end = text.find('"', place)
        if end < 0:
            end = len(text)
        elif text[end + 1 : end + 2] == '"':
            out += text[place : end + 1]
            place = end + 2
            continue
        elif text[end + 1 : end + 2] in ("", ","):
            return out + text[place:end], end + 1
        raise InvalidArgument(
            f'parse error on line 1, column {end + 1}: extraneous or missing " in quoted-field'
        )
