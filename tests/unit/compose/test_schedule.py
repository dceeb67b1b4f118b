"""Actions in the order that they ask for."""

import threading

import pytest

from knarr.compose import schedule
from knarr.compose.actions import Action


def step(key: str, *after: str) -> Action:
    return Action(key=key, after=frozenset(after))


def test_what_comes_before_has_ended_before_what_comes_after_begins() -> None:
    done: list[str] = []
    actions = [step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c")]
    assert schedule.run(actions, lambda action: done.append(action.key)) is None
    assert done[0] == "a"
    assert sorted(done[1:3]) == ["b", "c"]
    assert done[3] == "d"


def test_what_does_not_depend_on_each_other_is_done_at_once() -> None:
    meeting = threading.Barrier(3)  # nobody passes alone

    def act(_: Action) -> None:
        meeting.wait(timeout=20)

    assert schedule.run([step("a"), step("b"), step("c")], act) is None


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_run_at_once_than_is_said(at_once: int) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def act(_: Action) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1

    schedule.run([step(str(number)) for number in range(6)], act, at_once=at_once)
    assert most == at_once


def test_after_a_failure_nothing_new_begins_and_what_runs_ends() -> None:
    begun, ended = threading.Event(), threading.Event()
    done: list[str] = []

    def act(action: Action) -> None:
        if action.key == "slow":
            begun.set()
            assert ended.wait(20)
        elif action.key == "fails":
            assert begun.wait(20)
            ended.set()
            raise ValueError("broken")
        done.append(action.key)

    actions = [step("slow"), step("fails"), step("after", "fails"), step("later", "slow")]
    error = schedule.run(actions, act)
    assert str(error) == "broken"
    assert done == ["slow"]


def test_what_is_not_in_the_plan_is_not_waited_for() -> None:
    done: list[str] = []
    schedule.run([step("a", "made long ago")], lambda action: done.append(action.key))
    assert done == ["a"]
