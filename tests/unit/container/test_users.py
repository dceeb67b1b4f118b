import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.container.users import accounts, groups, identity
from knarr.errors import InvalidArgument

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
# a comment
broken:x:notanumber:0::/:
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
ana:x:1000:1000:Ana,,,:/home/ana:/bin/bash
1234:x:77:78::/odd:/bin/sh
"""
GROUP = """\
root:x:0:
adm:x:4:ana,daemon
docker:x:999:ana
short:x
ana:x:1000:
"""


def test_nobody_in_particular_is_root_with_roots_home() -> None:
    who = identity("", passwd=PASSWD, group=GROUP)
    assert (who.uid, who.gid, who.groups, who.home) == (0, 0, (0,), "/root")


def test_an_image_without_passwd_still_has_a_root() -> None:
    who = identity("")
    assert (who.uid, who.gid, who.groups, who.home) == (0, 0, (0,), "/")


def test_a_name_brings_its_groups_and_home() -> None:
    who = identity("ana", passwd=PASSWD, group=GROUP)
    assert (who.uid, who.gid, who.groups, who.home) == (1000, 1000, (1000, 4, 999), "/home/ana")


def test_a_number_with_a_line_counts_as_that_user() -> None:
    assert identity("1000", passwd=PASSWD, group=GROUP).groups == (1000, 4, 999)


def test_a_number_is_never_a_name() -> None:
    assert identity("1234", passwd=PASSWD).uid == 1234


def test_a_number_without_a_line_is_taken_as_it_is() -> None:
    who = identity("4242", passwd=PASSWD, group=GROUP)
    assert (who.uid, who.gid, who.home) == (4242, 0, "/")


def test_an_explicit_group_replaces_the_memberships() -> None:
    assert identity("ana:adm", passwd=PASSWD, group=GROUP).groups == (4,)
    assert identity("ana:77", passwd=PASSWD, group=GROUP).groups == (77,)


def test_groups_can_be_added_by_name_and_number() -> None:
    who = identity("ana:adm", passwd=PASSWD, group=GROUP, group_add=("docker", "5000"))
    assert who.groups == (4, 999, 5000)


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("root:nobody", "unable to find group nobody: no matching entries in group file"),
        ("-1", "uids and gids must be in range 0-2147483647"),
        ("2147483648", "uids and gids must be in range 0-2147483647"),
    ],
)
def test_who_is_not_there_is_refused(user: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{message}$"):
        identity(user, passwd=PASSWD, group=GROUP)


@given(st.text())
def test_any_text_can_stand_in_the_files(text: str) -> None:
    list(accounts(text))
    list(groups(text))
