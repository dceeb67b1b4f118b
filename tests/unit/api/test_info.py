from dataclasses import replace

import pytest

from knarr.api.info import lacks, without_password
from knarr.container.machine import Controllers


def test_what_the_kernel_lacks_is_said_and_nothing_else() -> None:
    assert list(lacks(Controllers(), version_2=False, forwards=True)) == []
    poor = replace(Controllers(), swap=False, oom_kill_disable=False)
    assert list(lacks(poor, version_2=False, forwards=False)) == [
        "WARNING: No swap limit support",
        "WARNING: No oom kill disable support",
        "WARNING: IPv4 forwarding is disabled",
    ]


def test_version_2_of_control_groups_has_no_oom_kill_disable_to_miss() -> None:
    modern = replace(Controllers(), oom_kill_disable=False)
    assert list(lacks(modern, version_2=True, forwards=True)) == []


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http://me:secret@proxy:3128/", "http://xxxxx:xxxxx@proxy:3128/"),
        ("http://proxy:3128/a@b", "http://proxy:3128/a@b"),
        ("", ""),
    ],
)
def test_a_proxys_password_is_nobodys_business(proxy: str, shown: str) -> None:
    assert without_password(proxy) == shown
