"""Host ports and names that several containers share: who gets new connections.

Each port has a fixed number of slots, dealt out evenly among those who take part; the kernel picks
one at random for each new connection. A connection that was made stays with its container, whoever
takes part later. Pure.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from knarr.ids import ContainerId
from knarr.network.model import Address, PublishedPort
from knarr.network.plan import Entry, slot_entry
from knarr.network.ruleset import SLOTS

Place = tuple[str, Address, int]
T = TypeVar("T")


class Turn(Enum):
    """Whether a container gets new connections of the ports and names that it shares."""

    WAITING = "waiting"  # until it is healthy, or listens
    READY = "ready"
    DRAINING = "draining"  # it ends what it has begun


_IN_THIS_ORDER: Final = (Turn.READY, Turn.WAITING, Turn.DRAINING)


def first_in_turn(sharers: Sequence[T], turn_of: Callable[[T], Turn]) -> Sequence[T]:
    """Those who are ready; where nobody is, those who are not yet are better than none."""
    for turn in _IN_THIS_ORDER:
        if chosen := [each for each in sharers if turn_of(each) is turn]:
            return chosen
    return ()


@dataclass(frozen=True, slots=True)
class Change:
    """Elements that come and go in one go, so that no connection finds a port without any."""

    add: tuple[Entry, ...] = ()
    remove: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One of those who share a port."""

    container: ContainerId
    port: PublishedPort
    turn: Turn


class Shares:
    """Who shares which port. Where nobody is ready, those who are not yet are better than none."""

    def __init__(self) -> None:
        self._places: dict[Place, dict[ContainerId, PublishedPort]] = {}
        self._turns: dict[ContainerId, Turn] = {}

    def put(self, container: ContainerId, ports: Iterable[PublishedPort]) -> Change:
        """The ports that a container shares from now on, in place of those before; maybe none."""
        shared = {port.place: port for port in ports if port.group}
        before = self._of(container)
        places = [*before, *(place for place in shared if place not in before)]
        old = self._entries(places)
        for place in before:
            del self._places[place][container]
            if not self._places[place]:
                del self._places[place]
        for place, port in shared.items():
            self._places.setdefault(place, {})[container] = port
        if shared:
            self._turns.setdefault(container, Turn.WAITING)
        else:
            self._turns.pop(container, None)
        return _change(old, self._entries(places))

    def mark(self, container: ContainerId, turn: Turn) -> Change:
        """Content when the container shares nothing. One that is draining does not come back
        by being ready: only ``WAITING`` takes that back."""
        known = self._turns.get(container)
        if known is None or (known is Turn.DRAINING and turn is Turn.READY):
            return Change()
        places = self._of(container)
        old = self._entries(places)
        self._turns[container] = turn
        return _change(old, self._entries(places))

    def turn(self, container: ContainerId) -> Turn | None:
        """None for one that shares nothing."""
        return self._turns.get(container)

    def ports_of(self, container: ContainerId) -> list[PublishedPort]:
        return [self._places[place][container] for place in self._of(container)]

    def gets_connections(self, container: ContainerId) -> bool:
        """Whether any new connection may come to it, wanted or for want of others."""
        return any(
            container in {each.container for each in self._chosen(place)}
            for place in self._of(container)
        )

    def backends(self) -> dict[Place, list[Backend]]:
        """Everybody, by port."""
        return {place: self._backends(place) for place in self._places}

    def entries(self) -> list[Entry]:
        """All that the ruleset must hold."""
        return self._entries(self._places)

    def _of(self, container: ContainerId) -> list[Place]:
        return [place for place, users in self._places.items() if container in users]

    def _backends(self, place: Place) -> list[Backend]:
        return [
            Backend(container=container, port=port, turn=self._turns[container])
            for container, port in self._places.get(place, {}).items()
        ]

    def _chosen(self, place: Place) -> Sequence[Backend]:
        return first_in_turn(self._backends(place), lambda each: each.turn)

    def _entries(self, places: Iterable[Place]) -> list[Entry]:
        return [
            slot_entry(chosen[slot % len(chosen)].port, slot)
            for place in places
            if (chosen := self._chosen(place))
            for slot in range(SLOTS)
        ]


def _change(before: Sequence[Entry], after: Sequence[Entry]) -> Change:
    old = {(set_.name, element): (set_, element) for set_, element in before}
    new = {(set_.name, element): (set_, element) for set_, element in after}
    return Change(
        add=tuple(entry for key, entry in new.items() if key not in old),
        remove=tuple(entry for key, entry in old.items() if key not in new),
    )
