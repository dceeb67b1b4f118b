"""Names: who sees whom, and what is said on the wire."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest
from dnslib import EDNS0, QTYPE, RCODE, RR, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from knarr.ids import ContainerId, EndpointId, NetworkId
from knarr.network import dns
from knarr.network.directory import Directory, View
from knarr.network.forwarding import Cache, lifetime_seconds
from knarr.network.model import Endpoint, Network
from knarr.network.sharing import Turn
from knarr.spec.docker.container import EndpointSettings

FRONT = Network(id=NetworkId("f" * 64), name="front", driver="bridge", created_ns=1)
BACK = Network(id=NetworkId("b" * 64), name="back", driver="bridge", created_ns=2)
CLOSED = Network(
    id=NetworkId("c" * 64), name="closed", driver="bridge", created_ns=3, internal=True
)


def endpoint(
    network: Network, name: str, *addresses: str, aliases: Sequence[str] = (), links: str = ""
) -> Endpoint:
    four = next((each for each in addresses if "." in each), "")
    six = next((each for each in addresses if ":" in each), "")
    return Endpoint(
        id=EndpointId(f"{network.name}-{name}"),
        network=network.id,
        container=ContainerId(name),
        container_name=name,
        link="",
        interface="eth0",
        settings=EndpointSettings(
            ip_address=four,
            global_ipv6_address=six,
            dns_names=(name, *aliases),
            links=(links,) if links else (),
        ),
    )


WEB = endpoint(FRONT, "web", "172.18.0.2", "fd00::2", aliases=["site", "pool"], links="db:data")
WEB2 = endpoint(FRONT, "web2", "172.18.0.3", aliases=["pool"])
DB = endpoint(BACK, "db", "172.19.0.2")
WEB_BACK = endpoint(BACK, "web", "172.19.0.3")
WEB_VIEW = View(endpoints=[WEB, WEB_BACK], networks={FRONT.id: FRONT, BACK.id: BACK})
WEB2_VIEW = View(endpoints=[WEB2], networks={FRONT.id: FRONT})


@pytest.fixture
def directory() -> Directory:
    found = Directory()
    for each in (WEB, WEB2, DB, WEB_BACK):
        found.add(each)
    return found


def known(directory: Directory, view: View, name: str) -> set[str] | None:
    addresses = directory.addresses(view, name)
    return None if addresses is None else {str(each) for each in addresses}


def ask(
    directory: Directory, name: str, kind: str = "A", view: View = WEB_VIEW
) -> DNSRecord | None:
    question = dns.read_question(bytes(DNSRecord.question(name, kind).pack()))
    assert question is not None
    return dns.answer(question, directory, view)


def test_names_are_seen_on_ones_own_networks_only(directory: Directory) -> None:
    assert known(directory, WEB_VIEW, "db") == {"172.19.0.2"}
    assert known(directory, WEB2_VIEW, "db") is None
    assert known(directory, WEB2_VIEW, "WEB.") == {"172.18.0.2", "fd00::2"}
    assert known(directory, WEB2_VIEW, "site") == {"172.18.0.2", "fd00::2"}


def test_a_name_may_be_qualified_by_its_network(directory: Directory) -> None:
    assert known(directory, WEB_VIEW, "db.back") == {"172.19.0.2"}
    assert known(directory, WEB_VIEW, "db.front") is None


def test_a_links_alias_is_known_to_its_own_container_alone(directory: Directory) -> None:
    directory.add(endpoint(FRONT, "db", "172.18.0.9"))
    assert known(directory, WEB_VIEW, "data") == {"172.18.0.9"}
    assert known(directory, WEB2_VIEW, "data") is None


def test_one_alias_of_several_containers_has_all_their_addresses(directory: Directory) -> None:
    assert known(directory, WEB2_VIEW, "pool") == {"172.18.0.2", "fd00::2", "172.18.0.3"}
    directory.discard(WEB)
    assert known(directory, WEB2_VIEW, "pool") == {"172.18.0.3"}
    assert known(directory, WEB2_VIEW, "web") is None


def test_a_name_leads_to_those_whose_turn_it_is_and_to_the_others_for_want_of_them(
    directory: Directory,
) -> None:
    web, web2 = {"172.18.0.2", "fd00::2"}, {"172.18.0.3"}
    directory.mark(WEB.container, Turn.DRAINING)
    assert known(directory, WEB2_VIEW, "pool") == web2
    assert known(directory, WEB2_VIEW, "web") == web
    assert directory.is_relieved(WEB)
    assert not directory.is_relieved(WEB2)
    directory.mark(WEB2.container, Turn.WAITING)
    assert known(directory, WEB2_VIEW, "pool") == web2
    directory.mark(WEB.container, Turn.READY)  # not so: it is about to go
    assert known(directory, WEB2_VIEW, "pool") == web2
    directory.mark(WEB.container, Turn.WAITING)
    assert known(directory, WEB2_VIEW, "pool") == web | web2
    directory.mark(WEB.container, Turn.READY)
    assert known(directory, WEB2_VIEW, "pool") == web
    directory.unmark(WEB2.container)
    assert known(directory, WEB2_VIEW, "pool") == web | web2
    assert directory.meets_others(WEB)
    assert not directory.meets_others(DB)


def test_questions_are_answered_by_family(directory: Directory) -> None:
    four, six = ask(directory, "site"), ask(directory, "site", "AAAA")
    assert four is not None
    assert six is not None
    assert [str(each.rdata) for each in four.rr] == ["172.18.0.2"]
    assert [str(each.rdata) for each in six.rr] == ["fd00::2"]
    assert (four.header.rcode, four.header.aa, four.header.ra) == (RCODE.NOERROR, 1, 1)


def test_a_known_name_without_such_a_record_has_none(directory: Directory) -> None:
    for name, kind in (("db", "AAAA"), ("db", "MX"), ("db", "TXT")):
        reply = ask(directory, name, kind)
        assert reply is not None
        assert (reply.header.rcode, reply.rr) == (RCODE.NOERROR, [])


def test_a_name_without_a_dot_never_leaves(directory: Directory) -> None:
    reply = ask(directory, "nobody")
    assert reply is not None
    assert reply.header.rcode == RCODE.NXDOMAIN
    assert ask(directory, "example.org") is None


def test_from_internal_networks_no_name_leaves(directory: Directory) -> None:
    own = endpoint(CLOSED, "x", "172.20.0.2")
    view = View(endpoints=[own], networks={CLOSED.id: CLOSED})
    reply = ask(directory, "example.org", view=view)
    assert reply is not None
    assert reply.header.rcode == RCODE.SERVFAIL


def test_addresses_have_names(directory: Directory) -> None:
    reply = ask(directory, "2.0.19.172.in-addr.arpa", "PTR")
    assert reply is not None
    assert str(reply.rr[0].rdata) == "db.back."
    nibbles = ".".join(reversed(ip_address("fd00::2").exploded.replace(":", "")))
    reply = ask(directory, f"{nibbles}.ip6.arpa", "PTR", WEB2_VIEW)
    assert reply is not None
    assert str(reply.rr[0].rdata) == "web.front."
    assert ask(directory, "8.8.8.8.in-addr.arpa", "PTR") is None
    assert ask(directory, "2.0.19.172.in-addr.arpa", "PTR", WEB2_VIEW) is None


def test_many_addresses_are_cut_to_what_the_client_takes(directory: Directory) -> None:
    for number in range(100):
        directory.add(endpoint(FRONT, f"w{number}", f"172.18.1.{number}", aliases=["many"]))
    plain = dns.read_question(bytes(DNSRecord.question("many").pack()))
    assert plain is not None
    reply = dns.answer(plain, directory, WEB_VIEW)
    assert reply is not None
    assert len(reply.rr) == 100
    cut = DNSRecord.parse(dns.fitted(reply, plain.room_bytes))
    assert (cut.header.tc, cut.rr, str(cut.q.qname)) == (1, [], "many.")
    modern = DNSRecord.question("many")
    modern.add_ar(EDNS0(udp_len=4096))
    question = dns.read_question(bytes(modern.pack()))
    assert question is not None
    assert question.room_bytes == 4096
    reply = dns.answer(question, directory, WEB_VIEW)
    assert reply is not None
    assert len(DNSRecord.parse(dns.fitted(reply, question.room_bytes)).rr) == 100


def test_the_order_changes_so_that_the_load_is_shared(directory: Directory) -> None:
    for number in range(5):
        directory.add(endpoint(FRONT, f"w{number}", f"172.18.1.{number}", aliases=["many"]))
    replies = [ask(directory, "many") for _ in range(60)]
    assert len({str(reply.rr[0].rdata) for reply in replies if reply}) > 1


@given(st.binary(max_size=80))
def test_whatever_arrives_is_read_or_dropped(message: bytes) -> None:
    question = dns.read_question(message)
    if question is not None:
        dns.answer(question, Directory(), WEB2_VIEW)


def test_an_answer_is_no_question() -> None:
    assert dns.read_question(bytes(DNSRecord.question("a.b").reply().pack())) is None


def reply_with(ttl: int, rcode: int = 0) -> bytes:
    record = DNSRecord.question("example.org").reply()
    record.header.rcode = rcode
    if not rcode:
        record.add_answer(*RR.fromZone(f"example.org {ttl} IN A 192.0.2.1"))
    return bytes(record.pack())


def test_an_answer_is_kept_as_long_as_it_says_and_ages() -> None:
    cache, key = Cache(), ("example.org", QTYPE.A, 1, False, ("10.0.0.53",))
    cache.put(key, reply_with(60), now=100.0)
    kept = cache.get(key, now=120.0)
    assert kept is not None
    assert DNSRecord.parse(kept).rr[0].ttl == 40
    assert cache.get(key, now=161.0) is None


def test_what_may_not_be_kept_is_not() -> None:
    assert lifetime_seconds(reply_with(0)) == 0
    assert lifetime_seconds(reply_with(5, rcode=RCODE.SERVFAIL)) == 0
    assert lifetime_seconds(b"nonsense") == 0
    assert lifetime_seconds(reply_with(5, rcode=RCODE.NXDOMAIN)) == 10
    assert lifetime_seconds(reply_with(90_000)) == 300
