"""Modes, keys, flights: the small parts of the solver."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.build import keys
from knarr.build.flights import Flights
from knarr.build.graph import Vertex
from knarr.build.modes import mode_change
from knarr.build.ops import Copy, Execute, Image, Scratch, SecretMount, Selection
from knarr.errors import InvalidArgument


@pytest.mark.parametrize(
    ("change", "mode", "is_directory", "after"),
    [
        ("", 0o640, False, 0o640),
        ("755", 0o600, False, 0o755),
        ("04711", 0o600, False, 0o4711),
        ("u+x", 0o644, False, 0o744),
        ("a-w", 0o666, False, 0o444),
        ("go=", 0o777, False, 0o700),
        ("u=rwX,go=rX", 0o600, False, 0o644),
        ("u=rwX,go=rX", 0o700, False, 0o755),
        ("u=rwX,go=rX", 0o600, True, 0o755),
        ("g=u", 0o750, False, 0o770),
        ("u+s,o+t", 0o755, False, 0o5755),
        ("+x", 0o644, False, 0o755),
        ("u-x+r", 0o700, False, 0o600),
    ],
)
def test_a_mode_becomes(change: str, mode: int, is_directory: bool, after: int) -> None:
    assert oct(mode_change(change)(mode, is_directory)) == oct(after)


@pytest.mark.parametrize("change", ["rwx", "u+q", "8", "u", "77777", "u+x,", "=r=", "x=r"])
def test_a_wrong_mode_is_refused(change: str) -> None:
    if change == "=r=":
        assert mode_change(change)(0o777, False) == 0
        return
    with pytest.raises(InvalidArgument, match="invalid chmod parameter"):
        mode_change(change)


@given(st.integers(0, 0o7777), st.booleans(), st.text("ugoa+-=rwxX", min_size=1, max_size=6))
def test_any_change_leaves_permission_bits(mode: int, is_directory: bool, change: str) -> None:
    try:
        after = mode_change(change)(mode, is_directory)
    except InvalidArgument:
        return
    assert 0 <= after <= 0o7777


def test_the_same_operation_on_the_same_input_is_the_same_vertex() -> None:
    one = Vertex(Execute(argv=("a",)), (Vertex(Scratch()),))
    same = Vertex(Execute(argv=("a",)), (Vertex(Scratch()),))
    other = Vertex(Execute(argv=("b",)), (Vertex(Scratch()),))
    assert one == same
    assert one != other
    assert Vertex(one.op, (other,)).digest != Vertex(one.op, (one,)).digest


def test_an_images_name_does_not_count() -> None:
    assert (
        Vertex(Image(reference="a", diff_ids=("x",), time_ns=1)).digest
        == Vertex(Image(reference="b", diff_ids=("x",), time_ns=2)).digest
    )


def test_a_graph_is_walked_inputs_first_and_once() -> None:
    base = Vertex(Scratch())
    left, right = Vertex(Execute(argv=("l",)), (base,)), Vertex(Execute(argv=("r",)), (base,))
    top = Vertex(Execute(argv=("t",)), (left, right))
    assert list(top.walk()) == [base, left, right, top]


def run(**fields: object) -> dict[str, str]:
    return keys.operation_inputs(Execute(argv=("make",), **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (run(), keys.operation_inputs(Execute(argv=("make", "-j"))), "the command changed"),
        (run(env=("A=1",)), run(env=("A=2",)), "variable A changed"),
        (run(), run(env=("A=2",)), "variable A is new"),
        (run(user="x"), run(), "the user changed"),
        (
            run(mounts=(SecretMount(id="a", target="/x"),)),
            run(),
            "mount /x is gone",
        ),
        ({**run(), "base": "1"}, {**run(), "base": "2"}, "what it stands on changed"),
        (run(), run(), "nothing it depends on changed; the cache no longer had it"),
        (
            {"files 0": "1", "file a": "1", "file b": "1"},
            {"files 0": "2", "file a": "1", "file b": "2"},
            "file b changed",
        ),
        (
            {"files 0": "1", "file a": "1"},
            {"files 0": "2", "file a": "2", "file b": "2"},
            "file a changed and 1 more",
        ),
        ({"files 0": "1"}, {"files 0": "2"}, "the files it copies changed"),
    ],
)
def test_a_miss_is_explained(before: dict[str, str], after: dict[str, str], why: str) -> None:
    assert keys.explained(before, after) == why


def test_what_explains_a_miss_can_be_kept() -> None:
    packed = keys.pack({"base": "1"}, {"a/b": "2"})
    assert keys.unpack(packed) == {"base": "1", "file a/b": "2"}


def test_owners_and_modes_are_part_of_a_copys_key() -> None:
    plain = Copy(selections=(Selection(input=1, paths=("a",)),), destination="/a")
    owned = Copy(selections=plain.selections, destination="/a", owner="app")
    assert keys.key_of(plain, keys.operation_inputs(plain)) != keys.key_of(
        owned, keys.operation_inputs(owned)
    )
    assert keys.explained(keys.operation_inputs(plain), keys.operation_inputs(owned)) == (
        "--chown changed"
    )


async def test_who_comes_later_gets_what_the_first_one_made() -> None:
    flights: Flights[int] = Flights()
    gate = asyncio.Event()
    runs = 0

    async def work() -> int:
        nonlocal runs
        runs += 1
        await gate.wait()
        return 42

    both = [asyncio.ensure_future(flights.join("k", work)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    assert sorted(await asyncio.gather(*both)) == [(42, False), (42, False), (42, True)]
    assert runs == 1


async def test_when_the_first_one_is_cancelled_another_starts_anew() -> None:
    flights: Flights[int] = Flights()
    gate = asyncio.Event()
    runs = 0

    async def work() -> int:
        nonlocal runs
        runs += 1
        await gate.wait()
        return runs

    first = asyncio.ensure_future(flights.join("k", work))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(flights.join("k", work))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await second == (2, True)
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_who_waits_can_be_cancelled_alone() -> None:
    flights: Flights[int] = Flights()
    gate = asyncio.Event()

    async def work() -> int:
        await gate.wait()
        return 1

    first = asyncio.ensure_future(flights.join("k", work))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(flights.join("k", work))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    gate.set()
    assert await first == (1, True)


async def test_a_failure_is_everybodys() -> None:
    flights: Flights[int] = Flights()

    async def work() -> int:
        await asyncio.sleep(0)
        raise InvalidArgument("no")

    first = asyncio.ensure_future(flights.join("k", work))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(flights.join("k", work))
    for each in (first, second):
        with pytest.raises(InvalidArgument):
            await each
