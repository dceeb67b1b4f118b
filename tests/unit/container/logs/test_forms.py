"""How lines look for a syslog server and for the journal: as Docker 20.10 sends them."""

import os
import struct

import pytest

from knarr.container.logs.details import details, tag
from knarr.container.logs.journald import JournalForm
from knarr.container.logs.lines import PIECE_BYTES, lines
from knarr.container.logs.options import check_fit
from knarr.container.logs.syslog import Address, SyslogForm, address
from knarr.container.model import Container
from knarr.errors import InvalidArgument
from knarr.ids import ContainerId, Digest, ImageId
from knarr.runtime.log import Block
from knarr.spec.docker.container import ContainerConfig, HostConfig, LogConfig
from knarr.spec.record import ContainerRecord

ID = "590f2ee69b38" + "0" * 52
MOMENT = 1_795_517_032_638_730_123  # 2026-11-24 10:43:52.638730123 UTC
PID = os.getpid()


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def container(**options: str) -> Container:
    return Container(
        id=ContainerId(ID),
        name="web",
        image=ImageId(Digest("sha256:9b682db36669" + "0" * 52)),
        created_ns=1,
        record=ContainerRecord(
            config=ContainerConfig(
                cmd=("sh", "-c", "echo"),
                env=("E1=v", "F2=w"),
                labels={"a": "1", "com.example.xyz": "2"},
            ),
            host=HostConfig(log_config=LogConfig(type="syslog", config=options)),
            image_name="busybox",
            diff_ids=(),
        ),
    )


def message(**options: str) -> bytes:
    spelled = {name.replace("_", "-"): value for name, value in options.items()}
    form = SyslogForm(spelled, tag="590f2ee69b38", hostname="vm")
    return form.message(1, MOMENT, b"out")


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("", f"<30>Nov 24 10:43:52 590f2ee69b38[{PID}]: out\n"),
        ("rfc3164", f"<30>Nov 24 10:43:52 vm 590f2ee69b38[{PID}]: out\n"),
        (
            "rfc5424",
            f"<30>1 2026-11-24T10:43:52Z vm 590f2ee69b38 {PID} 590f2ee69b38 - out\n",
        ),
        (
            "rfc5424micro",
            f"<30>1 2026-11-24T10:43:52.638730Z vm 590f2ee69b38 {PID} 590f2ee69b38 - out\n",
        ),
    ],
)
def test_a_syslog_message(style: str, expected: str) -> None:
    assert message(syslog_format=style).decode() == expected


def test_over_tls_rfc5424_counts_its_bytes() -> None:
    told = message(syslog_format="rfc5424", syslog_address="tcp+tls://x:1")
    length, _, rest = told.partition(b" ")
    assert int(length) == len(rest)
    assert message(syslog_address="tcp+tls://x:1").startswith(b"<30>")


def test_facilities_have_names_and_numbers() -> None:
    assert message(syslog_facility="local3").startswith(b"<158>")
    assert message(syslog_facility="18").startswith(b"<150>")
    form = SyslogForm({}, tag="t", hostname="vm")
    assert form.message(2, MOMENT, b"err").startswith(b"<27>")


def test_addresses() -> None:
    def of(text: str) -> Address:
        return address({"syslog-address": text})

    assert of("") == Address()
    assert of("udp://1.2.3.4") == Address(scheme="udp", host="1.2.3.4", port=514)
    assert of("tcp+tls://log:6514") == Address(scheme="tcp+tls", host="log", port=6514)
    assert of("tcp://[::1]:99") == Address(scheme="tcp", host="::1", port=99)
    assert of("unixgram:///dev/log") == Address(scheme="unixgram", path="/dev/log")


def test_tags_are_templates() -> None:
    assert tag(container()) == "590f2ee69b38"
    of = "{{.DaemonName}} {{.Command}} {{.ImageID}} {{.ImageName}} {{.Name}}"
    assert tag(container(tag=of)) == "docker sh -c echo sha256:9b682 busybox web"
    assert tag(container(tag='{{index .ContainerLabels "a"}}')) == "1"


def test_a_tag_has_to_fit_its_container() -> None:
    check_fit(container(tag='{{index (split .Command " ") 2}}'))
    with pytest.raises(InvalidArgument) as refused:
        check_fit(container(tag="{{.Foo}}"))
    assert str(refused.value) == (
        'failed to initialize logging driver: template: log-tag:1:2: executing "log-tag" at'
        " <.Foo>: can't evaluate field Foo in type *logger.Info"
    )
    with pytest.raises(InvalidArgument, match="index out of range"):
        check_fit(container(tag='{{index (split .Command " ") 3}}'))


def test_details_are_chosen_by_name_and_by_pattern() -> None:
    assert details(container()) == {}
    assert details(container(labels="a,b", env="F2")) == {"a": "1", "F2": "w"}
    chosen = details(container(**{"labels-regex": "^com", "env-regex": "1$"}))
    assert chosen == {"com.example.xyz": "2", "E1": "v"}


def test_a_journal_entry() -> None:
    form = JournalForm(
        container_id=ID, name="web", image="busybox", tag="t", details={"com.example.xyz": "2"}
    )
    entry = form.entry(2, MOMENT, b"err", {})
    fields = dict(line.split(b"=", 1) for line in entry.splitlines())
    assert fields == {
        b"PRIORITY": b"3", b"MESSAGE": b"err",
        b"SYSLOG_TIMESTAMP": b"2026-11-24T10:43:52.638730123Z", b"COM_EXAMPLE_XYZ": b"2",
        b"CONTAINER_ID": b"590f2ee69b38", b"CONTAINER_ID_FULL": ID.encode(),
        b"CONTAINER_NAME": b"web", b"CONTAINER_TAG": b"t", b"IMAGE_NAME": b"busybox",
        b"SYSLOG_IDENTIFIER": b"t",
    }  # fmt: skip


def test_a_journal_field_with_a_newline_has_its_length() -> None:
    form = JournalForm(container_id=ID, name="n", image="i", tag="t", details={"a": "x\ny"})
    entry = form.entry(1, MOMENT, b"m", {})
    assert b"A\n" + struct.pack("<Q", 3) + b"x\ny\n" in entry


def test_long_lines_go_in_pieces_and_empty_ones_not_at_all() -> None:
    long = b"x" * (2 * PIECE_BYTES + 5)
    first, *pieces = lines(Block(MOMENT, 1, b"short\n\n" + long + b"\n"))
    assert first.text == b"short"
    assert first.piece == {}
    assert b"".join(piece.text for piece in pieces) == long
    assert [piece.piece["CONTAINER_PARTIAL_LAST"] for piece in pieces] == ["false", "false", "true"]
    assert [piece.piece.get("CONTAINER_PARTIAL_MESSAGE") for piece in pieces] == [
        "true", "true", None,
    ]  # fmt: skip
    assert len({piece.piece["CONTAINER_PARTIAL_ID"] for piece in pieces}) == 1
