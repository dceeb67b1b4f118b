"""Who a container's process is: ``user[:group]`` looked up in the image's own files.

Source: passwd(5), group(5); Engine API, Config.User and HostConfig.GroupAdd.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from knarr.errors import InvalidArgument

_ID_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A line of /etc/group."""

    name: str
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the process is. ``groups`` are the additional ones, the first being ``gid`` itself."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def accounts(text: str) -> Iterator[Account]:
    """The well-formed lines; others are passed over, as the C library does."""
    for line in text.splitlines():
        match line.strip().split(":"):
            case [name, _, uid, gid, _, home, *_] if uid.isdecimal() and gid.isdecimal():
                yield Account(name=name, uid=int(uid), gid=int(gid), home=home)


def groups(text: str) -> Iterator[Group]:
    for line in text.splitlines():
        match line.strip().split(":"):
            case [name, _, gid, *rest] if gid.isdecimal():
                members = tuple(filter(None, rest[0].split(","))) if rest else ()
                yield Group(name=name, gid=int(gid), members=members)


def _number(text: str) -> int | None:
    """The number that ``text`` is, or None for a name. Raises InvalidArgument out of range."""
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        return None
    if not 0 <= (number := int(text)) <= _ID_MAX:
        raise InvalidArgument(f"uids and gids must be in range 0-{_ID_MAX}")
    return number


def identity(
    user: str, *, passwd: str = "", group: str = "", group_add: Sequence[str] = ()
) -> Identity:
    """Who ``user`` is: empty, ``name``, ``uid``, each with ``:group`` or ``:gid`` or without.

    passwd, group: the text of the image's files, empty where it has none. A number needs no line;
    a name does. Without a group, the memberships of the user's name are the additional groups.
    Raises InvalidArgument in Docker's words.
    """
    wanted, _, wanted_group = user.partition(":")
    account = _account(wanted, passwd)
    gid, memberships = account.gid, tuple[int, ...]()
    if wanted_group:
        gid = _group_id(wanted_group, group)
    elif account.name:
        memberships = tuple(each.gid for each in groups(group) if account.name in each.members)
    added = tuple(_group_id(each, group) for each in group_add)
    return Identity(
        uid=account.uid,
        gid=gid,
        groups=tuple(dict.fromkeys((gid, *memberships, *added))),
        home=account.home or "/",
    )


def _account(wanted: str, passwd: str) -> Account:
    number = _number(wanted) if wanted else 0
    for account in accounts(passwd):
        if account.name == wanted if number is None else account.uid == number:
            return account
    if number is None:
        raise InvalidArgument(f"unable to find user {wanted}: no matching entries in passwd file")
    return Account(name="", uid=number, gid=0, home="/")


def _group_id(wanted: str, group: str) -> int:
    if (number := _number(wanted)) is not None:
        return number
    for each in groups(group):
        if each.name == wanted:
            return each.gid
    raise InvalidArgument(f"unable to find group {wanted}: no matching entries in group file")
