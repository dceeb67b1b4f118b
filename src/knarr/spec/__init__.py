"""Every document that is ever bytes: frozen structs with the names of their specification."""

from knarr.spec.document import Document, decode, decode_request, encode

__all__ = ["Document", "decode", "decode_request", "encode"]
