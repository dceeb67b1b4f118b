"""How progress looks: as lines, as JSON, as a block that is redrawn, or not at all."""

import io
import json

import pytest

from knarr.cli.compose.display import display
from knarr.compose.report import Progress, State
from knarr.errors import InvalidArgument

STEPS = (
    Progress(subject="Container a-1", text="Starting"),
    Progress(subject="Container b-1", text="Starting", detail="slowly"),
    Progress(subject="Container a-1", text="Started", state=State.DONE),
)


def _shown(mode: str, *, colour: bool = False, dry_run: bool = False) -> str:
    out = io.StringIO()
    shown = display(mode, out, colour=colour, dry_run=dry_run)
    for step in STEPS:
        shown(step)
    shown.close()
    return out.getvalue()


@pytest.mark.parametrize("mode", ["plain", "auto", ""])
def test_a_line_for_each_step_where_nobody_sits(mode: str) -> None:
    assert _shown(mode, colour=True).splitlines() == [
        " Container a-1  Starting",
        " Container b-1  Starting slowly",
        " Container a-1  Started",
    ]


def test_a_dry_run_says_so_in_each_line() -> None:
    assert all(
        line.startswith(" DRY-RUN MODE -  ") for line in _shown("plain", dry_run=True).splitlines()
    )


def test_an_object_for_each_step() -> None:
    first, second, third = map(json.loads, _shown("json").splitlines())
    assert first == {"id": "Container a-1", "status": "Working", "text": "Starting"}
    assert second["details"] == "slowly"
    assert third["status"] == "Done"


def test_the_block_has_a_line_for_each_thing_as_it_ended() -> None:
    last = _shown("tty").rpartition("[+] ")[2].splitlines()
    assert last[0] == "Running 1/2"
    assert len(last) == 3
    assert "✔" in last[1]
    assert "Started" in last[1]
    assert "Starting slowly" in last[2]


def test_quiet_says_nothing() -> None:
    assert _shown("quiet") == ""


def test_another_mode_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="unsupported --progress value"):
        display("loud", io.StringIO(), colour=False)
