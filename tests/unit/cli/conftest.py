"""The command line in this process, against an engine that a test writes."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from knarr.cli.app import run
from knarr.cli.cli import Cli
from support.fake_engine import FakeEngine, fake_engine


@dataclass
class Knarr:
    """``knarr WORDS``: the exit code, what was printed, what was said on stderr."""

    environ: dict[str, str]
    out: str = ""
    err: str = ""
    code: int = field(default=-1)

    def __call__(self, *words: str) -> int:
        out, err = io.StringIO(), io.StringIO()
        cli = Cli(environ=self.environ, out=out, err=err)
        self.code = run(cli, list(words))
        self.out, self.err = out.getvalue(), err.getvalue()
        return self.code


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        yield engine


@pytest.fixture
def knarr(engine: FakeEngine, tmp_path: Path) -> Knarr:
    return Knarr({"DOCKER_HOST": engine.host, "DOCKER_CONFIG": str(tmp_path / "config")})
