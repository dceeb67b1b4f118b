"""Questions asked of other nameservers: raced, checked, cached for as long as they say."""

import asyncio
import random
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from dnslib import QTYPE, DNSError, DNSRecord

from knarr.network.dns import Question

_HEAD_START_SECONDS: Final = 0.25  # that a server has over the next one
_PATIENCE_SECONDS: Final = 5.0
_LARGEST_BYTES: Final = 65_535
_CACHED_AT_MOST: Final = 2_000
_LONGEST_SECONDS: Final = 300
_NEGATIVE_SECONDS: Final = 10
_PORT: Final = 53
_USABLE: Final = (0, 3)  # NOERROR, NXDOMAIN: anything else, another server may do better

Key = tuple[str, int, int, bool, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Kept:
    message: bytes
    since: float
    until: float


class Cache:
    """Answers by question and by who was asked; the least recently used go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()

    def get(self, key: Key, now: float) -> bytes | None:
        """The answer with its times to live grown shorter; None when there is none any more."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if now >= kept.until:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return _aged(kept.message, int(now - kept.since))

    def put(self, key: Key, message: bytes, now: float) -> None:
        seconds = lifetime_seconds(message)
        if seconds > 0:
            self._kept[key] = _Kept(message, now, now + seconds)
            self._kept.move_to_end(key)
            while len(self._kept) > _CACHED_AT_MOST:
                self._kept.popitem(last=False)


def lifetime_seconds(message: bytes) -> int:
    """How long an answer may be kept: its shortest time to live; 0 for what must not be."""
    try:
        record = DNSRecord.parse(message)
    except DNSError:
        return 0
    if record.header.tc or record.header.rcode not in _USABLE:
        return 0
    if not record.rr:
        return _NEGATIVE_SECONDS
    return int(min(_LONGEST_SECONDS, *(each.ttl for each in record.rr)))


def _aged(message: bytes, seconds: int) -> bytes:
    record = DNSRecord.parse(message)
    for each in (*record.rr, *record.auth, *record.ar):
        if each.rtype != QTYPE.OPT:
            each.ttl = max(0, each.ttl - seconds)
    return bytes(record.pack())


class Forwarder:
    """Asks from the host's namespace; ``servers`` may be on its loopback."""

    def __init__(self) -> None:
        self._cache = Cache()

    async def ask(
        self, question: Question, servers: Sequence[str], *, by_tcp: bool = False
    ) -> bytes | None:
        """The answer under the question's own ID; None when no server gave one in time."""
        asked = question.record.q
        wants_signatures = any(each.rtype == QTYPE.OPT and each.ttl for each in question.record.ar)
        key = (question.name, asked.qtype, asked.qclass, wants_signatures, tuple(servers))
        now = time.monotonic()
        message = self._cache.get(key, now)
        if message is None:
            message = await self._race(question, servers, by_tcp=by_tcp)
            if message is None:
                return None
            self._cache.put(key, message, now)
        return struct.pack(">H", question.record.header.id) + message[2:]

    async def _race(
        self, question: Question, servers: Sequence[str], *, by_tcp: bool
    ) -> bytes | None:
        """Each server a little after the one before; the first usable answer wins."""
        fallback: bytes | None = None
        ask = _ask_tcp if by_tcp else _ask_udp
        tasks = [
            asyncio.create_task(_later(number * _HEAD_START_SECONDS, ask(server, question.message)))
            for number, server in enumerate(servers)
        ]
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                for next_ in asyncio.as_completed(tasks):
                    with suppress(OSError, asyncio.IncompleteReadError):
                        message = await next_
                        if message[3] & 0x0F in _USABLE:
                            return message
                        fallback = message
        except TimeoutError:
            return fallback
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return fallback


async def _later(seconds: float, asking: Coroutine[None, None, bytes]) -> bytes:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        asking.close()
        raise
    return await asking


def _disguised(packed: bytes) -> tuple[bytes, bytes]:
    """The question under an ID that nobody can guess."""
    own_id = random.SystemRandom().randbytes(2)
    return own_id, own_id + packed[2:]


async def _ask_udp(server: str, packed: bytes) -> bytes:
    own_id, wire = _disguised(packed)
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.connect((server, _PORT))
        await loop.sock_sendall(sock, wire)
        while True:
            message = await loop.sock_recv(sock, _LARGEST_BYTES)
            if len(message) >= 12 and message[:2] == own_id and _same_question(message, packed):
                return message


async def _ask_tcp(server: str, packed: bytes) -> bytes:
    own_id, wire = _disguised(packed)
    reader, writer = await asyncio.open_connection(server, _PORT)
    try:
        writer.write(struct.pack(">H", len(wire)) + wire)
        (length,) = struct.unpack(">H", await reader.readexactly(2))
        message = await reader.readexactly(length)
    finally:
        writer.close()
    if len(message) < 12 or message[:2] != own_id or not _same_question(message, packed):
        raise OSError(f"{server} answered another question")
    return message


def _same_question(message: bytes, packed: bytes) -> bool:
    """Letter by letter but for case: both begin with a name that is not compressed."""
    end = packed.index(0, 12) + 5
    return message[12:end].lower() == packed[12:end].lower()
