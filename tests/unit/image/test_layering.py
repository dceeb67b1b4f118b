"""Layers upon layers, as pure values: what each does, what is wasted, how two trees differ."""

import stat

from knarr.image.layering import Difference, Merged, Touched, compared, walked
from knarr.snapshot.listing import Entry

FILE, FOLDER, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


def file(path: str, size: int = 1, **fields: object) -> Entry:
    return Entry(path.encode(), FILE, size=size)._replace(**fields)  # type: ignore[arg-type]


def folder(path: str, *, opaque: bool = False) -> Entry:
    return Entry(path.encode(), FOLDER, opaque=opaque)


def gone(path: str) -> Entry:
    return Entry(path.encode(), stat.S_IFCHR, whiteout=True)


def merged(*layers: list[Entry]) -> Merged:
    made = Merged()
    for layer in layers:
        made.apply(layer)
    return made


def names(made: Merged) -> list[str]:
    return [path.decode() for path, _ in walked(made.root, b"")][1:]


def did(made: Merged, layer: int) -> list[str]:
    return [f"{each.kind} {each.path.decode()}" for each in made.layers[layer].touched]


def test_a_later_file_wins_and_the_earlier_one_is_wasted() -> None:
    made = merged([folder("d"), file("d/a", 100), file("d/b", 7)], [folder("d"), file("d/a", 5)])
    assert did(made, 0) == ["A d", "A d/a", "A d/b"]
    assert did(made, 1) == ["C d/a"]
    assert [each.wasted_bytes for each in made.layers] == [100, 0]
    assert made.wasted == {b"d/a": (100, 1)}


def test_a_whiteout_removes_all_beneath_and_tells_it_once() -> None:
    made = merged([folder("d"), folder("d/e"), file("d/e/a", 10), file("x")], [gone("d")])
    assert names(made) == ["x"]
    assert did(made, 1) == ["D d"]
    assert made.layers[0].wasted_bytes == 10


def test_a_whiteout_of_nothing_does_nothing() -> None:
    assert did(merged([file("a")], [gone("b")]), 1) == []


def test_an_opaque_folder_hides_what_is_below_and_keeps_its_own() -> None:
    below = [folder("d"), file("d/a", 3), folder("d/e"), file("d/e/b", 4)]
    made = merged(below, [folder("d", opaque=True), file("d/c")])
    assert names(made) == ["d", "d/c"]
    assert did(made, 1) == ["D d/a", "D d/e", "A d/c"]
    assert made.layers[0].wasted_bytes == 7


def test_an_opaque_root_hides_everything() -> None:
    made = merged([file("a", 9)], [folder("")._replace(opaque=True), file("b")])
    assert names(made) == ["b"]
    assert made.layers[0].wasted_bytes == 9


def test_a_file_in_place_of_a_folder_takes_all_beneath_away() -> None:
    made = merged([folder("d"), file("d/a", 6)], [file("d", 2)], [folder("d")])
    assert names(made) == ["d"]
    assert did(made, 1) == ["D d/a", "C d"]
    assert made.wasted == {b"d/a": (6, 1), b"d": (2, 1)}


def test_a_folder_changes_by_its_mode_and_owner_alone() -> None:
    made = merged([folder("d")], [folder("d")], [folder("d")._replace(mode=stat.S_IFDIR | 0o700)])
    assert did(made, 1) == []
    assert made.layers[2].touched == [Touched(kind="C", path=b"d")]


def test_two_trees_differ_by_what_a_person_would_name() -> None:
    one = merged([folder("d"), file("d/a", 1), file("k", 1), file("same"), file("t")])
    other = merged([
        file("k", 9, mode=stat.S_IFREG | 0o600, uid=5), file("same"), folder("n"), file("n/x", 4),
        Entry(b"t", LINK, link=b"same"),
    ])  # fmt: skip
    found = list(compared(one.root, other.root, lambda left, right: left.size == right.size))
    assert found == [
        Difference(kind="D", path=b"d", before_bytes=1),
        Difference(kind="C", path=b"k", before_bytes=1, after_bytes=9,
                   what=("mode 0644 became 0600", "owner 0:0 became 5:0", "content")),
        Difference(kind="A", path=b"n", after_bytes=4),
        Difference(kind="C", path=b"t", before_bytes=1, after_bytes=0,
                   what=("file became link",)),
    ]  # fmt: skip


def test_trees_of_the_same_names_and_contents_are_alike() -> None:
    one, other = merged([file("a"), file("b")]), merged([file("a")], [file("b")])
    assert list(compared(one.root, other.root, lambda *_: True)) == []
