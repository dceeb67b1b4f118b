import os

import pytest

from knarr.kernel.owners import NOBODY, Owners, Span, map_text, read_owners

OWNERS = Owners((Span(0, 100000, 10), Span(10, 500000, 5)), (Span(0, 200000, 15),))


def test_a_number_is_another_one_inside_and_the_same_again_outside() -> None:
    assert OWNERS.root == (100000, 200000)
    assert OWNERS.outside(12, 12) == (500002, 200012)
    for uid in range(15):
        assert OWNERS.inside(*OWNERS.outside(uid, uid)) == (uid, uid)


def test_who_is_not_of_the_namespace_is_nobody_in_it() -> None:
    assert OWNERS.inside(0, 0) == (NOBODY, NOBODY)
    assert OWNERS.inside(100010, 199999) == (NOBODY, NOBODY)


def test_a_number_beyond_the_namespace_has_no_owner_on_the_host() -> None:
    with pytest.raises(ValueError, match="user or group 15 is none of the user namespace's"):
        OWNERS.outside(15, 0)


def test_for_mounts_the_hosts_root_comes_behind_the_last_number() -> None:
    assert map_text(OWNERS.for_mounts().uids) == "0 100000 10\n10 500000 5\n15 0 1\n"
    assert OWNERS.for_mounts().outside(3, 3) == OWNERS.outside(3, 3)


def test_a_process_with_the_hosts_own_numbers_has_no_owners() -> None:
    assert read_owners(os.getpid()) is None
