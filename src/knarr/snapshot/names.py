"""What names in a layer mean, and which are refused. Names are bytes: no encoding is promised.

Source: OCI image-spec, layer.md, "Whiteouts".
"""

from typing import Final

from knarr.errors import InvalidArgument

WHITEOUT: Final = b".wh."
OPAQUE: Final = b".wh..wh..opq"
AUFS: Final = b".wh..wh."  # an old storage driver's own files: passed over, but for the marker
_NAME_MAX: Final = 255
_PATH_MAX: Final = 4096


def folder(name: bytes, whole: bytes = b"") -> bytes:
    """A directory's name made plain: no leading slash, no empty part, no dot; b"" is the root.

    ``whole`` is the name it was taken from, for the sentence of an error.
    Raises InvalidArgument for what climbs, is too long, or goes through a whiteout.
    """
    whole = whole or name
    parts = [part for part in name.split(b"/") if part and part != b"."]
    for part in parts:
        if part == b".." or b"\0" in part:
            raise refused(whole, "climbs out of the layer")
        if len(part) > _NAME_MAX:
            raise refused(whole, f"has a part of more than {_NAME_MAX} bytes")
        if part.startswith(WHITEOUT):
            raise refused(whole, "goes through a whiteout")
    plain = b"/".join(parts)
    if len(plain) > _PATH_MAX:
        raise refused(whole, f"is longer than {_PATH_MAX} bytes")
    return plain


def checked_base(name: bytes, base: bytes) -> None:
    """Refuse a last part that is no name of a file; ``name`` is all of it, for the sentence."""
    if base == b".." or b"\0" in base:
        raise refused(name, "climbs out of the layer")
    if len(base) > _NAME_MAX:
        raise refused(name, f"has a part of more than {_NAME_MAX} bytes")
    if base.startswith(WHITEOUT) and base[len(WHITEOUT) :] in (b"", b".", b".."):
        raise refused(name, "is a whiteout of nothing")


def is_aufs(name: bytes) -> bool:
    """Whether a name is, or lies beneath, a file of the AUFS driver; the opaque marker is none."""
    return AUFS in name and any(
        part.startswith(AUFS) and part != OPAQUE for part in name.split(b"/")
    )


def kept_xattr(key: bytes) -> bool:
    """File capabilities and the user's own; never what a security module or overlayfs reads."""
    return key == b"security.capability" or (
        key.startswith(b"user.") and not key.startswith(b"user.overlay.")
    )


def refused(name: bytes, why: str) -> InvalidArgument:
    return InvalidArgument(f"invalid layer: {shown(name)} {why}")


def shown(name: bytes) -> str:
    """A name for people: quoted, odd bytes escaped, long ones shortened."""
    text = repr(name[:120])[1:]
    return f"{text}…" if len(name) > 120 else text
