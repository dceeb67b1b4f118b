from knarr.cli.table import aligned


def test_cells_are_as_wide_as_the_widest_and_at_least_ten() -> None:
    assert aligned(["A\tLONG HEADING\tC", "1\t2\t3"]) == (
        "A         LONG HEADING   C\n1         2              3\n"
    )


def test_a_column_ends_where_a_line_has_no_such_cell() -> None:
    assert aligned(["a\tb", "x", "longer than ten\tb"]) == ("a         b\nx\nlonger than ten   b\n")


def test_an_empty_last_cell_leaves_the_padding_before_it() -> None:
    assert aligned(["a\t"]) == "a         \n"
