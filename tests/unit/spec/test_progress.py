from knarr.spec import encode
from knarr.spec.docker.progress import Progress, ProgressDetail


def test_a_bar_is_drawn_as_dockers() -> None:
    assert ProgressDetail(current=29433, total=2814559).bar() == (
        "[>                                                  ]  29.43kB/2.815MB"
    )
    assert ProgressDetail(current=2814559, total=2814559).bar() == (
        "[==================================================>]  2.815MB/2.815MB"
    )
    assert ProgressDetail(current=512).bar() == "    512B"
    assert ProgressDetail(current=20, total=10).bar().endswith("]      20B")
    assert ProgressDetail().bar() == ""


def test_the_detail_is_there_and_empty_where_nothing_is_known() -> None:
    assert encode(Progress.about("abc", "Waiting")) == (
        b'{"status":"Waiting","progressDetail":{},"id":"abc"}'
    )
