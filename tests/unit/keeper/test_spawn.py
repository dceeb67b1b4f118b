from pathlib import Path

import pytest

from knarr.keeper.spawn import lose_protection


@pytest.mark.parametrize(("before", "after"), [("-500\n", "0"), ("0\n", "0"), ("300\n", "300")])
def test_what_the_keeper_starts_is_not_spared_when_memory_runs_out(
    tmp_path: Path, before: str, after: str
) -> None:
    score = tmp_path / "oom_score_adj"
    score.write_text(before)
    lose_protection(str(score))
    assert score.read_text().split()[0] == after
