from knarr.container.apparmor import PROFILE, profile_text


def test_the_profile_bars_mounting_and_the_hosts_proc_and_sys() -> None:
    text = profile_text()
    assert f"profile {PROFILE} flags=" in text
    for rule in (
        "deny mount,",
        "deny @{PROC}/sysrq-trigger rwklx,",
        "deny /sys/firmware/** rwklx,",
    ):
        assert rule in text
    assert f"signal (send,receive) peer={PROFILE}," in text


def test_without_the_distributions_abstractions_it_stands_alone() -> None:
    assert "include" not in profile_text(has_abstractions=False)
    assert "include <abstractions/base>" in profile_text()
