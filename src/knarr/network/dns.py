"""DNS messages: read a question, answer it from the directory, or say that it must be forwarded.

No sockets here; ``nameserver.py`` carries the bytes. Source: RFC 1035, RFC 6891 (EDNS), RFC 6761
and RFC 8499; dnslib for the wire.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from dnslib import AAAA, CLASS, EDNS0, PTR, QTYPE, RCODE, RR, A, DNSError, DNSHeader, DNSRecord

from knarr.network.directory import Directory, View
from knarr.network.model import Address

_TTL_SECONDS: Final = 0  # containers come and go: nobody shall remember
_PLAIN_UDP_BYTES: Final = 512
_OUR_UDP_BYTES: Final = 1232
_REVERSE4: Final = ".in-addr.arpa"
_REVERSE6: Final = ".ip6.arpa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a client asks. ``room_bytes``: how much answer it takes by UDP."""

    message: bytes
    record: DNSRecord
    name: str
    kind: str
    room_bytes: int

    @property
    def is_single_label(self) -> bool:
        return "." not in self.name


def read_question(message: bytes) -> Question | None:
    """None for what is no question: such a message is dropped, as an answer could loop."""
    try:
        record = DNSRecord.parse(message)
    except DNSError:
        return None
    if record.header.qr or len(record.questions) != 1 or record.header.opcode:
        return None
    room = _PLAIN_UDP_BYTES
    for each in record.ar:
        if each.rtype == QTYPE.OPT:
            room = max(room, each.edns_len)
    question = record.questions[0]
    return Question(
        message=message,
        record=record,
        name=str(question.qname).rstrip(".").lower(),
        kind=str(QTYPE.get(question.qtype)),
        room_bytes=room,
    )


def answer(question: Question, directory: Directory, view: View) -> DNSRecord | None:
    """What the directory says; None when others must be asked.

    A name that is known here has no records but its addresses. A name without a dot never leaves.
    """
    if question.record.q.qclass != CLASS.IN:
        return None
    if question.name.endswith((_REVERSE4, _REVERSE6)):
        return _reverse(question, directory, view)
    addresses = directory.addresses(view, question.name)
    if addresses is not None:
        return _addresses(question, addresses)
    if question.name == "localhost" or question.name.endswith(".localhost"):
        return _addresses(question, [ip_address("127.0.0.1"), ip_address("::1")])
    if question.is_single_label and question.name:
        return refusal(question, RCODE.NXDOMAIN)
    if not view.may_ask_outside:
        return refusal(question, RCODE.SERVFAIL)
    return None


def _addresses(question: Question, addresses: Sequence[Address]) -> DNSRecord:
    """Those of the family asked for, in an order that changes: so the load is shared."""
    versions = {"A": (4,), "AAAA": (6,), "ANY": (4, 6)}.get(question.kind, ())
    chosen = [each for each in addresses if each.version in versions]
    random.shuffle(chosen)
    reply = _reply(question)
    for address in chosen:
        four = address.version == 4
        reply.add_answer(
            RR(
                question.record.q.qname,
                QTYPE.A if four else QTYPE.AAAA,
                ttl=_TTL_SECONDS,
                rdata=(A if four else AAAA)(str(address)),
            )
        )
    return reply


def _reverse(question: Question, directory: Directory, view: View) -> DNSRecord | None:
    address = reversed_address(question.name)
    name = directory.name_of(view, address) if address is not None else ""
    if name:
        reply = _reply(question)
        if question.kind in {"PTR", "ANY"}:
            owner = question.record.q.qname
            reply.add_answer(RR(owner, QTYPE.PTR, ttl=_TTL_SECONDS, rdata=PTR(f"{name}.")))
        return reply
    if not view.may_ask_outside:
        return refusal(question, RCODE.NXDOMAIN)
    return None


def reversed_address(name: str) -> Address | None:
    """The address of ``2.0.18.172.in-addr.arpa``; None when it is not a whole one."""
    try:
        if name.endswith(_REVERSE4):
            parts = name.removesuffix(_REVERSE4).split(".")
            return ip_address(".".join(reversed(parts)))
        digits = name.removesuffix(_REVERSE6).split(".")
        if len(digits) != 32:
            return None
        return ip_address(bytes.fromhex("".join(reversed(digits))))
    except ValueError:
        return None


def _reply(question: Question) -> DNSRecord:
    reply = question.record.reply(ra=1, aa=1)
    if any(each.rtype == QTYPE.OPT for each in question.record.ar):
        reply.add_ar(EDNS0(udp_len=_OUR_UDP_BYTES))
    return reply


def refusal(question: Question, code: int) -> DNSRecord:
    """NXDOMAIN, SERVFAIL and the like."""
    reply = _reply(question)
    reply.header.rcode = code
    return reply


def fitted(reply: DNSRecord, room_bytes: int) -> bytes:
    """The reply's bytes for UDP; one that does not fit is cut, and says so (then TCP is asked)."""
    packed = bytes(reply.pack())
    if len(packed) <= room_bytes:
        return packed
    cut = DNSRecord(DNSHeader(id=reply.header.id, bitmap=reply.header.bitmap), q=reply.q)
    cut.header.tc = 1
    return bytes(cut.pack())


def servfail(question: Question) -> DNSRecord:
    return refusal(question, RCODE.SERVFAIL)
