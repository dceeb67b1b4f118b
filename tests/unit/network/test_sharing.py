"""Who gets new connections of a port that several containers share."""

from collections import Counter
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.ids import ContainerId
from knarr.network.model import PublishedPort
from knarr.network.plan import Entry
from knarr.network.ruleset import SLOTS
from knarr.network.sharing import Change, Shares, Turn

ONE, TWO, THREE = (ContainerId(digit * 64) for digit in "123")


def port(container: ContainerId, *, number: int = 8080, host: str = "0.0.0.0") -> PublishedPort:
    return PublishedPort(
        protocol="tcp",
        host_ip=ip_address(host),
        host_port=number,
        target=ip_address(f"172.17.0.{container[0]}"),
        container_port=80,
        group="app/web",
    )


def slots(entries: list[Entry]) -> dict[str, int]:
    """How many turns each address has."""
    return dict(Counter(str(ip_address((each.data or b"")[:4])) for _, each in entries))


def shares(**turns: Turn) -> Shares:
    found = Shares()
    for name, turn in turns.items():
        container = {"one": ONE, "two": TWO, "three": THREE}[name]
        found.put(container, [port(container)])
        found.mark(container, turn)
    return found


def test_turns_are_dealt_out_evenly_among_those_who_are_ready() -> None:
    found = shares(one=Turn.READY, two=Turn.READY, three=Turn.WAITING)
    assert slots(found.entries()) == {"172.17.0.1": SLOTS // 2, "172.17.0.2": SLOTS // 2}


@pytest.mark.parametrize(
    ("turns", "chosen"),
    [
        ({"one": Turn.WAITING}, {"172.17.0.1"}),
        ({"one": Turn.WAITING, "two": Turn.DRAINING}, {"172.17.0.1"}),
        ({"one": Turn.DRAINING}, {"172.17.0.1"}),
        ({"one": Turn.DRAINING, "two": Turn.READY}, {"172.17.0.2"}),
    ],
)
def test_where_nobody_is_ready_somebody_else_is_better_than_none(
    turns: dict[str, Turn], chosen: set[str]
) -> None:
    assert set(slots(shares(**turns).entries())) == chosen


def test_who_drains_does_not_come_back_by_being_healthy() -> None:
    found = shares(one=Turn.READY, two=Turn.DRAINING)
    assert found.mark(TWO, Turn.READY) == Change()
    assert not found.gets_connections(TWO)
    found.mark(TWO, Turn.WAITING)
    found.mark(TWO, Turn.READY)
    assert found.gets_connections(TWO)


def test_a_newcomer_changes_nothing_until_it_is_ready() -> None:
    found = shares(one=Turn.READY)
    assert found.put(TWO, [port(TWO)]) == Change()
    change = found.mark(TWO, Turn.READY)
    assert len(change.add) == len(change.remove) == SLOTS // 2


def test_who_goes_leaves_its_turns_to_the_others() -> None:
    found = shares(one=Turn.READY, two=Turn.READY)
    change = found.put(ONE, [])
    assert slots(list(change.add)) == {"172.17.0.2": SLOTS // 2}
    assert found.turn(ONE) is None
    last = found.put(TWO, [])
    assert not last.add
    assert len(last.remove) == SLOTS
    assert found.entries() == []


def test_a_port_of_ones_own_is_no_business_of_this() -> None:
    own = PublishedPort(
        protocol="tcp", host_ip=ip_address("0.0.0.0"), host_port=80,
        target=ip_address("172.17.0.2"), container_port=80,
    )  # fmt: skip
    found = Shares()
    assert found.put(ONE, [own]) == Change()
    assert found.mark(ONE, Turn.READY) == Change()
    assert not found.gets_connections(ONE)


steps = st.lists(
    st.tuples(st.sampled_from([ONE, TWO, THREE]), st.sampled_from(["put", "drop", *Turn])),
    max_size=20,
)


@given(steps)
def test_the_changes_add_up_to_what_the_ruleset_must_hold(
    steps: list[tuple[ContainerId, str]],
) -> None:
    found, held = Shares(), set[tuple[str, bytes, bytes | None]]()
    for container, step in steps:
        if step == "put":
            two = [port(container), port(container, number=8081, host="127.0.0.1")]
            change = found.put(container, two)
        elif step == "drop":
            change = found.put(container, [])
        else:
            change = found.mark(container, Turn(step))
        gone = {(set_.name, each.key, each.data) for set_, each in change.remove}
        assert gone <= held
        held -= gone
        new = {(set_.name, each.key, each.data) for set_, each in change.add}
        assert not {key[:2] for key in new} & {key[:2] for key in held}
        held |= new
    assert held == {(set_.name, each.key, each.data) for set_, each in found.entries()}
