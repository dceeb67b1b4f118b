from collections.abc import Sequence
from pathlib import Path

import pytest

from knarr.container import apparmor
from knarr.container.apparmor import PROFILE, profile_text, usable
from knarr.errors import InvalidArgument


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


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The profiles of a kernel, to which ours can be added."""
    names = ["mine"]

    def load() -> str:
        names.append(PROFILE)
        return PROFILE

    monkeypatch.setattr(apparmor, "loaded_profiles", lambda: frozenset(names))
    monkeypatch.setattr(apparmor, "load_default_profile", load)
    return names


@pytest.mark.parametrize("profile", ["", "unconfined", "mine"])
def test_what_the_kernel_knows_is_taken_as_it_is(loaded: Sequence[str], profile: str) -> None:
    assert usable(profile) == profile
    assert loaded == ["mine"]


@pytest.mark.parametrize("profile", [PROFILE, "docker-default"])
def test_the_default_profile_is_loaded_when_it_is_missing(
    loaded: Sequence[str], profile: str
) -> None:
    assert usable(profile) == PROFILE
    assert loaded == ["mine", PROFILE]


def test_a_profile_that_nobody_loaded_is_refused_by_name(loaded: Sequence[str]) -> None:
    with pytest.raises(InvalidArgument, match='"nonesuch" is not loaded: load it with'):
        usable("nonesuch")


@pytest.mark.parametrize(("parser", "enabled"), [("/sbin/apparmor_parser", True), (None, False)])
def test_a_machine_that_cannot_load_profiles_runs_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: str | None, enabled: bool
) -> None:
    (tmp_path / "profiles").touch()
    (tmp_path / "enabled").write_text("Y\n")
    monkeypatch.setattr(apparmor, "_LOADED", tmp_path / "profiles")
    monkeypatch.setattr(apparmor, "_ENABLED", tmp_path / "enabled")
    monkeypatch.setattr(apparmor, "_parser", lambda: parser)
    assert apparmor.is_enabled() is enabled
