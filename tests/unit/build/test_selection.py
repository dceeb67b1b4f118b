"""What a COPY finds, and what it is called in the layer."""

import pytest

from knarr.build.selection import exactly, pick, place
from knarr.build.tree import resolve
from knarr.errors import InvalidArgument, NotFound
from knarr.patterns import IgnoreRules
from support.trees import tree

CONTEXT = tree(
    {
        "a.txt": "A",
        "b.txt": "B",
        "src/main.py": "M",
        "src/lib/util.py": "U",
        "src/lib/notes.md": "N",
        "link": "-> src/lib",
        "abs": "-> /src/main.py",
        "loop": "-> loop",
        "up": "-> ../../../a.txt",
        "[0]": "odd",
    }
)


def picked(*patterns: str, parents: bool = False) -> list[tuple[str, str]]:
    return [(each.name, each.entry.path) for each in pick(CONTEXT, patterns, parents=parents)]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.txt", [("a.txt", "a.txt")]),
        ("*.txt", [("a.txt", "a.txt"), ("b.txt", "b.txt")]),
        ("src/*/util.py", [("util.py", "src/lib/util.py")]),
        ("link", [("link", "src/lib")]),
        ("link/*.py", [("util.py", "src/lib/util.py")]),
        ("abs", [("abs", "src/main.py")]),
        ("up", [("up", "a.txt")]),
        ("[[]0]", [("[0]", "[0]")]),
        (".", [("", "")]),
        ("?.txt", [("a.txt", "a.txt"), ("b.txt", "b.txt")]),
    ],
)
def test_a_pattern_finds(pattern: str, found: list[tuple[str, str]]) -> None:
    assert picked(pattern) == found


def test_with_parents_the_path_is_kept_from_the_pivot_on() -> None:
    assert picked("src/lib/util.py", parents=True) == [("src/lib/util.py", "src/lib/util.py")]
    assert picked("src/./lib/util.py", parents=True) == [("lib/util.py", "src/lib/util.py")]
    assert picked("**/*.py", parents=True) == [
        ("src/lib/util.py", "src/lib/util.py"),
        ("src/main.py", "src/main.py"),
    ]


def test_a_pivot_is_found_behind_a_dot() -> None:
    assert picked("./src/./lib/*.py", parents=True) == [("lib/util.py", "src/lib/util.py")]
    assert picked("./src/./lib", parents=True) == [("lib", "src/lib")]


def test_a_wildcard_may_find_nothing() -> None:
    assert picked("a.txt", "none*") == [("a.txt", "a.txt")]
    assert picked("none*") == []


def test_an_exact_path_has_no_wildcards() -> None:
    assert exactly(CONTEXT, "[0]").entry.path == "[0]"
    with pytest.raises(NotFound, match=r"stat \*\.txt"):
        exactly(CONTEXT, "*.txt")


def test_a_missing_file_is_told_with_what_was_there() -> None:
    with pytest.raises(NotFound) as caught:
        picked("src/mian.py")
    assert str(caught.value) == (
        "COPY failed: file not found in build context or excluded by .dockerignore: "
        "stat src/mian.py: file does not exist (did you mean src/main.py?); "
        "src has: lib, main.py"
    )


def test_a_link_that_leads_out_is_told_as_one() -> None:
    with pytest.raises(NotFound, match=r"file does not exist: it is a link to /etc/passwd, which"):
        pick(tree({"out": "-> /etc/passwd"}), ["out"])


def test_a_link_to_itself_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="too many levels of symbolic links"):
        picked("loop")


def test_links_never_lead_out_of_the_tree() -> None:
    found = resolve(CONTEXT, "link/../../../../src/main.py")
    assert found is not None
    assert found.path == "src/main.py"
    assert resolve(CONTEXT, "a.txt/x") is None


def placed(pattern: str, destination: str, *, into: bool, exclude: str = "") -> list[str]:
    rules = IgnoreRules.parse(exclude) if exclude else None
    (source,) = pick(CONTEXT, [pattern])
    return [each.path for each in place(CONTEXT, source, destination, into=into, exclude=rules)]


def test_a_file_goes_into_a_folder_or_gets_a_name() -> None:
    assert placed("a.txt", "d", into=True) == ["d/a.txt"]
    assert placed("a.txt", "d", into=False) == ["d"]
    assert placed("a.txt", "", into=True) == ["a.txt"]


def test_a_directory_gives_its_contents() -> None:
    assert placed("src", "d", into=False) == [
        "d", "d/lib", "d/lib/notes.md", "d/lib/util.py", "d/main.py",
    ]  # fmt: skip


def test_what_is_excluded_is_left_out() -> None:
    assert placed("src", "d", into=False, exclude="**/*.md\nmain.py") == [
        "d", "d/lib", "d/lib/util.py",
    ]  # fmt: skip
    assert placed("src", "d", into=False, exclude="lib") == ["d", "d/main.py"]
    assert placed("a.txt", "d", into=False, exclude="*.txt") == []
