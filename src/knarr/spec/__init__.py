"""Every document that is ever bytes: frozen structs with the names of their specification."""

from knarr.spec.document import Document, decode, encode

__all__ = ["Document", "decode", "encode"]
