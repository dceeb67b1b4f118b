"""Who a file is given to: ``user[:group]`` by number, or by name in the base's own files.

Source: Dockerfile reference, "COPY --chown"; passwd(5), group(5).
"""

from collections.abc import Callable

from knarr.build.tree import Tree, resolve
from knarr.errors import InvalidArgument
from knarr.snapshot.tar import header

_FILE_MAX_BYTES = 4 << 20
_ID_MAX = 2**32 - 2


def owner_ids(owner: str, base: Tree) -> tuple[int, int]:
    """The numbers of ``owner``; a user without a group has the group of the same number.

    Raises InvalidArgument for a name that the base does not know.
    """
    user, colon, group = owner.partition(":")
    uid = _number(user or "0", lambda: _lookup(base, "etc/passwd", user), f"user {user}")
    if not colon:
        return uid, _own_group(base, user, uid)
    gid = _number(group or "0", lambda: _lookup(base, "etc/group", group), f"group {group}")
    return uid, gid


def _own_group(base: Tree, user: str, uid: int) -> int:
    """A name's primary group; for a number the same number."""
    if user.isdecimal():
        return uid
    return next((int(gid) for name, _, gid in _lines(base, "etc/passwd") if name == user), uid)


def _number(text: str, look: Callable[[], int | None], what: str) -> int:
    if text.isascii() and text.isdecimal():
        if int(text) > _ID_MAX:
            raise InvalidArgument(f"uids and gids must be in range 0-{_ID_MAX}")
        return int(text)
    found = look()
    if found is None:
        kind, _, name = what.partition(" ")
        raise InvalidArgument(f"unable to convert uid/gid chown string to host mapping: "
                              f"can't find {'uid' if kind == 'user' else 'gid'} for {what}: "
                              f"no such {kind}: {name}")  # fmt: skip
    return found


def _lookup(base: Tree, path: str, wanted: str) -> int | None:
    return next((int(number) for name, number, _ in _lines(base, path) if name == wanted), None)


def _lines(base: Tree, path: str) -> list[tuple[str, str, str]]:
    """Name and the two numbers behind it, of each well-formed line."""
    entry = resolve(base, path)
    if entry is None or entry.member.kind != header.REGULAR:
        return []
    if entry.member.size > _FILE_MAX_BYTES:
        raise InvalidArgument(f"/{path} of the base is too large: {entry.member.size} bytes")
    text = b"".join(base.read(entry)).decode(errors="replace")
    fields = (line.split(":") for line in text.splitlines())
    return [
        (each[0], each[2], each[3] if each[3:] and each[3].isdecimal() else each[2])
        for each in fields
        if len(each) > 2 and each[2].isdecimal()
    ]
