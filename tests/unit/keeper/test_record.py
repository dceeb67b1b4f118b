"""The log's form on disk."""

from pathlib import Path

from knarr.keeper.record import (
    DATA,
    HEADER,
    LogWriter,
    segment_name,
    segment_numbers,
    sound_length,
)


def written(folder: Path) -> bytes:
    return b"".join(
        (folder / segment_name(number)).read_bytes() for number in segment_numbers(str(folder))
    )


def test_a_record_holds_time_stream_and_the_payload_as_it_came(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 1000, 3)
    writer.write(2, b"half a li", 17)
    writer.close()
    content = written(tmp_path)
    time_ns, length, stream, kind, _ = HEADER.unpack_from(content)
    assert (time_ns, length, stream, kind) == (17, 9, 2, DATA)
    assert content[HEADER.size :][:9] == b"half a li"


def test_a_full_segment_is_followed_by_another_and_the_oldest_goes(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 100, 2)
    for time_ns in range(5):
        writer.write(1, b"x" * 70, time_ns)
    writer.close()
    assert segment_numbers(str(tmp_path)) == [4, 5]


def test_a_record_larger_than_a_segment_is_not_cut(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 100, 2)
    writer.write(1, b"x" * 500, 1)
    writer.close()
    assert written(tmp_path).count(b"x") == 500


def test_what_a_crash_tore_is_cut_off_before_the_next_record(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 1000, 2)
    writer.write(1, b"whole", 1)
    writer.close()
    whole = written(tmp_path)
    with (tmp_path / segment_name(1)).open("ab") as file:
        file.write(HEADER.pack(2, 100, 1, DATA, 0x4B4E) + b"only the beginning")
    writer = LogWriter(str(tmp_path), 1000, 2)
    assert written(tmp_path) == whole
    writer.write(1, b"next", 3)
    writer.close()
    content = written(tmp_path)
    assert sound_length(content) == len(content)


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    for payload in (b"first run", b"second run"):
        writer = LogWriter(str(tmp_path), 1000, 2)
        writer.write(1, payload, 1)
        writer.end(2)
        writer.close()
    assert segment_numbers(str(tmp_path)) == [1]
    assert sound_length(written(tmp_path)) == len(written(tmp_path))
