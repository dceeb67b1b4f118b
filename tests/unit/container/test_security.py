import pytest

from knarr.container.security import SecurityOptions, security_options
from knarr.errors import InvalidArgument


def test_options_are_read_together() -> None:
    given = ("no-new-privileges", "seccomp=unconfined", "apparmor:own", "label=disable")
    assert security_options(given) == SecurityOptions(
        no_new_privileges=True, seccomp="unconfined", apparmor="own", labels=("disable",)
    )


def test_a_profile_may_hold_equal_signs_and_colons() -> None:
    assert security_options(('seccomp={"a":"b=c"}',)).seccomp == '{"a":"b=c"}'


def test_switches() -> None:
    assert security_options(("no-new-privileges:false",)).no_new_privileges is False
    assert security_options(("no-new-privileges=true",)).no_new_privileges is True
    assert security_options(("writable-cgroups=1",)).writable_cgroups is True


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("nonsense", 'invalid --security-opt 1: "nonsense"'),
        ("non=sense", 'invalid --security-opt 2: "non=sense"'),
        ("no-new-privileges=maybe", 'invalid --security-opt 2: "no-new-privileges=maybe"'),
    ],
)
def test_others_are_refused(option: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        security_options((option,))
