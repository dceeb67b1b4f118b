import io
import os
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.errors import InvalidArgument
from knarr.snapshot import tar
from knarr.snapshot.tar import Limits, Member, TarStream, members
from knarr.snapshot.tar.header import number, parsed, pax_records, pax_time_ns

SECOND_NS = 1_000_000_000
names = st.binary(min_size=1, max_size=400).map(lambda raw: raw.replace(b"\0", b"n"))
any_member = st.builds(
    Member,
    name=names,
    kind=st.sampled_from([b"0", b"5", b"2", b"1", b"6", b"3"]),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, (1 << 32) - 2),
    gid=st.integers(0, (1 << 32) - 2),
    size=st.just(0),
    mtime_ns=st.integers(0, 1 << 40).map(lambda seconds: seconds * SECOND_NS),
    link=st.one_of(st.just(b""), names),
    major=st.just(0),
    minor=st.just(0),
    start=st.just(0),
    stored=st.just(0),
    segments=st.none(),
    xattrs=st.dictionaries(
        st.sampled_from([b"user.one", b"security.capability"]), st.binary(max_size=200)
    ),
)


@given(any_member)
def test_a_member_that_was_written_is_read_again(member: Member) -> None:
    archive = tar.formatted(member) + tar.END
    (read,) = members(archive)
    assert read._replace(start=0) == member
    assert len(archive) % 512 == 0


@given(any_member)
def test_python_reads_what_we_write(member: Member) -> None:
    archive = io.BytesIO(tar.formatted(member) + tar.END)
    with tarfile.open(fileobj=archive, errors="surrogateescape") as opened:
        (read,) = opened.getmembers()
    # Python takes the slashes at the end of some names away and leaves those of others.
    assert os.fsencode(read.name).rstrip(b"/") == member.name.rstrip(b"/")
    assert (read.mode, read.uid, read.gid) == (member.mode, member.uid, member.gid)
    assert int(read.mtime) * SECOND_NS == member.mtime_ns


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=150), st.binary(max_size=1500)), max_size=5),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.integers(1, 2000),
)
def test_what_python_writes_is_read_from_a_buffer_and_from_a_stream(
    files: list[tuple[str, bytes]], form: int, step: int
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=form, errors="surrogatepass", encoding="utf-8"
    ) as opened:
        for name, content in files:
            entry = tarfile.TarInfo("x" + name.replace("\0", "n"))
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
    raw = buffer.getvalue()
    from_buffer = [(each.name, raw[each.start : each.start + each.size]) for each in members(raw)]
    buffer.seek(0)
    stream = TarStream(lambda: buffer.read(step))
    from_stream = [(each.name, b"".join(stream.content(each))) for each in stream]
    assert [content for _, content in from_buffer] == [content for _, content in files]
    assert from_stream == from_buffer


@given(st.binary(max_size=3000))
def test_garbage_is_refused_or_read_and_never_worse(garbage: bytes) -> None:
    with suppress(InvalidArgument):
        list(members(garbage))


@given(st.data())
def test_a_damaged_archive_is_refused_or_read_and_never_worse(data: st.DataObject) -> None:
    archive = bytearray(tar.formatted(data.draw(any_member)) + tar.END)
    for _ in range(3):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidArgument):
        list(members(bytes(archive)))


def test_an_archive_that_is_cut_short_is_refused() -> None:
    member = Member(b"file", b"0", 0o644, 0, 0, 1000, 0)
    archive = tar.formatted(member) + bytes(1000 + tar.padding(1000)) + tar.END
    for end in (100, 512 + 999, 512 + 1023):
        with pytest.raises(InvalidArgument, match="cut short"):
            list(members(archive[:end]))
    with pytest.raises(InvalidArgument, match="cut short"):
        list(TarStream(iter([archive[:700], b""]).__next__))


def test_limits_are_kept() -> None:
    archive = b"".join(tar.formatted(Member(b"f%d" % n, b"0", 0o644, 0, 0, 0, 0)) for n in range(5))
    assert len(list(members(archive, Limits(members=5)))) == 5
    with pytest.raises(InvalidArgument, match="more than 4 members"):
        list(members(archive, Limits(members=4)))
    huge = tar.formatted(Member(b"huge", b"0", 0o644, 0, 0, 1 << 50, 0))
    with pytest.raises(InvalidArgument, match="unpacks to more"):
        list(members(huge, Limits(content_bytes=1 << 40)))


def test_numbers_in_base_256_and_odd_spellings() -> None:
    assert number(b"\x80\0\0\0\0\0\0\0\0\1\0\0") == 65536
    assert number(b"\xff" * 12) == -1
    assert number(b"  644 \0\0") == 0o644
    assert number(bytes(8)) == 0
    for wrong in (b"0000_10\0", b"-000001\0", b"0000999\0"):
        with pytest.raises(InvalidArgument):
            number(wrong)


def test_times_have_nanoseconds_and_may_be_before_the_epoch() -> None:
    assert pax_time_ns(b"1.5") == 1_500_000_000
    assert pax_time_ns(b"1.1234567899") == 1_123_456_789
    assert pax_time_ns(b"-0.5") == -500_000_000


@pytest.mark.parametrize("broken", [b"5 a=b\n", b"x a=b\n", b"999 a=b\n", b"6 a=bc", b"6 =bcd\n"])
def test_broken_pax_records_are_refused(broken: bytes) -> None:
    with pytest.raises(InvalidArgument):
        pax_records(broken)


def test_a_checksum_over_signed_characters_is_accepted() -> None:
    header = bytearray(tar.formatted(Member(b"plain", b"0", 0o644, 0, 0, 0, 0)))
    header[:2] = b"\xe9\xe9"
    signed = sum(byte - 256 if byte > 127 else byte for byte in header) - sum(header[148:156]) + 256
    header[148:156] = b"%06o\0 " % signed
    assert parsed(bytes(header)).name == b"\xe9\xe9ain"
    header[148:156] = b"%06o\0 " % (signed + 1)
    with pytest.raises(InvalidArgument, match="checksum"):
        parsed(bytes(header))


@pytest.mark.parametrize("version", ["gnu", "0.0", "0.1", "1.0"])
def test_gnu_tars_sparse_files_are_understood(tmp_path: Path, version: str) -> None:
    holes = tmp_path / "holes"
    with holes.open("wb") as file:
        for place in range(30):
            file.seek(place << 20)
            file.write(b"island %d" % place)
        file.truncate(40 << 20)
    pax = ["--format=pax", f"--sparse-version={version}"]
    options = ["--format=gnu"] if version == "gnu" else pax
    archive = subprocess.run(
        ["tar", *options, "--sparse", "-cf", "-", "-C", tmp_path, "holes"],
        capture_output=True,
        check=True,
    ).stdout
    assert len(archive) < 1 << 20
    (member,) = members(archive)
    assert member.name == b"holes"
    assert member.size == 40 << 20
    assert member.segments
    content = bytearray(member.size)
    place = member.start
    for offset, length in member.segments:
        content[offset : offset + length] = archive[place : place + length]
        place += length
    assert place == member.start + member.stored
    assert content == holes.read_bytes()
