"""Logical lines, heredocs, and where in the file they stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.dockerfile.lexer import LogicalLine, logical_lines, parse_heredoc
from knarr.dockerfile.line import Line
from knarr.dockerfile.source import DockerfileError, Place, Source


def lines(text: str) -> tuple[LogicalLine, ...]:
    return logical_lines(Source(text))[1]


def test_continuations_are_joined_and_comments_between_them_dropped() -> None:
    (line,) = lines("RUN a \\\n  # why\n  && b \\  \n  c\n")
    assert line.text == "RUN a   && b   c"
    assert (line.first_line, line.last_line) == (1, 4)


def test_an_escaped_escape_at_the_end_of_a_line_is_no_continuation() -> None:
    assert [line.text for line in lines("RUN a\\\\\nRUN b\n")] == ["RUN a\\\\", "RUN b"]


def test_an_empty_line_in_a_continuation_is_remembered() -> None:
    (line,) = lines("RUN a \\\n\n  b\n")
    assert line.has_empty_continuation
    assert line.text == "RUN a   b"


def test_places_point_into_the_file() -> None:
    (line,) = lines("\n  RUN a \\\n   bc\n")
    assert line.place(0) == Place(2, 3)
    assert line.place(line.text.index("bc")) == Place(3, 4)


def test_the_escape_directive_changes_the_continuation() -> None:
    (line,) = lines("# escape=`\nRUN dir c:\\ `\n x\n")
    assert line.text == "RUN dir c:\\  x"
    assert line.escape == "`"


def test_comments_directly_above_belong_to_the_instruction() -> None:
    first, second = lines("# base the one\nFROM a\n# gone\n\n# kept\nFROM b\n")
    assert first.comments == ("base the one",)
    assert second.comments == ("kept",)


def test_a_directive_is_no_comment() -> None:
    (line,) = lines("# syntax=docker/dockerfile:1\nFROM a\n")
    assert line.comments == ()


def test_several_heredocs_follow_in_order() -> None:
    first, second = lines('COPY <<a <<-"b c" /x/\nA\na\n\tB\n\tb c\nRUN x\n')
    assert [(doc.name, doc.text, doc.expands) for doc in first.heredocs] == [
        ("a", "A\n", True),
        ("b c", "B\n", False),
    ]
    assert second.text == "RUN x"


def test_heredocs_hide_what_looks_like_instructions() -> None:
    assert len(lines("RUN <<EOF\nFROM x\n# no comment\n\\\nEOF\nCMD y\n")) == 2


@pytest.mark.parametrize("text", ["RUN echo a<<b", "RUN cat <<<x", "LABEL a=<<b", 'CMD ["<<a"]'])
def test_not_every_double_arrow_is_a_heredoc(text: str) -> None:
    assert lines(text)[0].heredocs == ()


def test_a_heredoc_may_name_its_descriptor() -> None:
    heredoc = parse_heredoc("3<<-'END'")
    assert heredoc is not None
    assert (heredoc.name, heredoc.strips_tabs, heredoc.expands) == ("END", True, False)


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("", "cannot be empty", Place(1)),
        ("# only\n", "file with no instructions", Place(2)),
        ("FROM a\nRUN <<EOF\nx\n", "unterminated heredoc", Place(2)),
        ("RUN <<EOF it's\nEOF\n", "single-quote", Place(1)),
        ("# escape=x\nFROM a\n", "invalid escape token 'x'", Place(1)),
        ("# escape=\\\n# ESCAPE=`\nFROM a\n", "only one escape parser directive", Place(2)),
    ],
)
def test_a_broken_file_is_refused_where_it_breaks(text: str, problem: str, place: Place) -> None:
    with pytest.raises(DockerfileError, match=problem) as caught:
        lines(text)
    assert caught.value.place == place


def test_an_error_shows_the_lines_around_and_points() -> None:
    (line,) = lines("FROM --plat=x a\n")
    error = Line.of(line).error("unknown flag: --plat", 5)
    assert str(error).splitlines() == [
        "dockerfile parse error on line 1: unknown flag: --plat",
        "Dockerfile:1:6",
        "   1 | >>> FROM --plat=x a",
        "     |          ^",
    ]


def test_windows_line_ends_and_a_bom_do_no_harm() -> None:
    assert [line.text for line in lines("\ufeffFROM a\r\nRUN b \\\r\n c\r\n")] == [
        "FROM a",
        "RUN b  c",
    ]


def test_a_shebang_may_stand_above_the_directives() -> None:
    directives, _ = logical_lines(Source("#!/usr/bin/env x\n# syntax=a/b\nFROM a\n"))
    assert directives.syntax == "a/b"


@given(st.text(alphabet="RUN COPY<-'\"EOF\\\n#=$[]", max_size=60))
def test_any_text_is_lexed_or_refused(text: str) -> None:
    try:
        found = lines(text)
    except DockerfileError:
        return
    for line in found:
        assert line.text
        assert 1 <= line.first_line <= line.last_line <= text.count("\n") + 1
        assert line.place(len(line.text) - 1).line <= line.last_line


@given(st.lists(st.text("abc \t", min_size=1, max_size=5).filter(str.strip), min_size=1))
def test_places_of_joined_lines_lead_back_to_the_same_characters(parts: list[str]) -> None:
    text = "RUN x" + "".join(f" \\\n{part}" for part in parts)
    (line,) = lines(text)
    physical = text.split("\n")
    for offset, char in enumerate(line.text):
        place = line.place(offset)
        assert physical[place.line - 1][place.column - 1] == char
