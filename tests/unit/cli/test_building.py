"""What ``build`` makes of its flags, and how it shows what the engine tells."""

import base64
import gzip
import io
from pathlib import Path
from typing import Any

import pytest

from knarr.cli.building.context import find_context
from knarr.cli.building.display import Plain, Steps, explanation, failure_text, slowest
from knarr.cli.building.outputs import Output
from knarr.errors import InvalidArgument, NotFound, Unsupported

SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("out", Output(type="local", destination="out")),
        ("-", Output(type="tar", destination="-")),
        ("type=tar,dest=x.tar", Output(type="tar", destination="x.tar")),
        ("type=oci", Output(type="oci", destination="-")),
        ("type=registry", Output(type="registry", push=True)),
        ("type=image,push=true", Output(type="image", push=True)),
        ("type=image,push=false,unpack=true,store=true", Output(type="image")),
        ('type=image,"name=a:1,b",push=1', Output(type="image", push=True, names=("a:1", "b"))),
        ("type=oci,dest=d,tar=false", Output(type="oci", destination="d", as_folder=True)),
        (
            "type=oci,annotation.Key=v=1,annotation-index.k=i,annotation[linux/arm64].p=q",
            Output(
                type="oci",
                destination="-",
                annotations=("Key=v=1", "index:k=i", "manifest[linux/arm64]:p=q"),
            ),
        ),
    ],
)
def test_an_output_is_read(text: str, output: Output) -> None:
    assert Output.parse(text) == output


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("type=zip", 'unknown exporter "zip"'),
        ("dest=x", "type is required for output"),
        ("type=local", "dest is required for local output"),
        ("type=tar,dest=x,name=y", "name= is an image's"),
        ("type=docker,tar=false", "tar=false is for type=oci,dest=FOLDER"),
        ("type=oci,dest=x,compresion=gzip", 'unknown attribute "compresion"'),
        ("type=oci,dest", "takes NAME=VALUE"),
    ],
)
def test_an_output_that_makes_no_sense_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        Output.parse(text)


@pytest.mark.parametrize("attribute", ["push-by-digest=true", "compression=zstd"])
def test_an_output_whose_wish_would_go_unnoticed_is_refused(attribute: str) -> None:
    with pytest.raises(Unsupported, match=attribute.partition("=")[0]):
        Output.parse(f"type=image,name=x,{attribute}")


def test_the_dockerfile_is_looked_for_in_the_context_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    context = tmp_path / "context"
    context.mkdir()
    (tmp_path / "Dockerfile").write_text("FROM outside\n")
    with pytest.raises(NotFound, match=f"lstat {context}/Dockerfile: no such file"):
        find_context("context", "", io.BytesIO())
    (context / "dockerfile").write_text("FROM inside\n")
    assert find_context("context", "", io.BytesIO()).dockerfile == "dockerfile"
    elsewhere = find_context("context", "Dockerfile", io.BytesIO())
    assert (elsewhere.dockerfile, elsewhere.text) == (".dockerfile.knarr", b"FROM outside\n")


def test_standard_input_is_an_archive_or_a_dockerfile() -> None:
    assert find_context("-", "", io.BytesIO(b"FROM scratch\n")).text == b"FROM scratch\n"
    assert find_context("-", "", io.BytesIO(gzip.compress(b"tar"))).archive is not None
    with pytest.raises(InvalidArgument, match="it is empty"):
        find_context("-", "", io.BytesIO())
    with pytest.raises(InvalidArgument, match="both build context and dockerfile"):
        find_context("-", "-", io.BytesIO())


def trace(number: int, state: str, at_s: float = 0, **more: Any) -> dict[str, Any]:
    return {"Number": number, "State": state, "TimeNano": int(at_s * SECOND_NS) or 1, **more}


def planned(number: int, text: str) -> dict[str, Any]:
    return trace(number, "planned", Total=2, Stage="stage-0", Text=text)


def output(number: int, text: bytes, at_s: float) -> dict[str, Any]:
    return trace(number, "output", at_s, Data=base64.b64encode(text).decode())


def shown(*traces: dict[str, Any]) -> tuple[Steps, str]:
    steps, out = Steps(), io.StringIO()
    display = Plain(steps, out)
    for each in traces:
        display.trace(each)
    display.end()
    return steps, out.getvalue()


def test_lines_in_a_pipe_have_their_steps_number_and_time() -> None:
    _, text = shown(
        planned(1, "FROM x"),
        planned(2, "RUN make"),
        trace(1, "cached"),
        trace(2, "started", 10, Why="the command changed"),
        output(2, b"one\ntw", 10.5),
        output(2, b"o\n\x1b[31mred", 11),
        trace(2, "done", 12.5),
    )
    assert text.splitlines() == [
        "#1 [stage-0 1/2] FROM x",
        "#1 CACHED",
        "#2 [stage-0 2/2] RUN make",
        "#2 done again: the command changed",
        "#2 0.500 one",
        "#2 1.000 two",
        "#2 red",
        "#2 DONE 2.5s",
    ]


def test_the_end_says_what_was_there_what_took_the_time_and_what_failed() -> None:
    steps, _ = shown(
        planned(1, "FROM x"),
        planned(2, "RUN make"),
        trace(1, "cached"),
        trace(2, "started", 10, Why="a.c changed"),
        output(2, b"no rule\n", 11),
        trace(2, "failed", 14, Text="it returned 2\nDockerfile:2\n"),
    )
    assert "hit   [stage-0 1/2] FROM x" in explanation(steps)
    assert any("a.c changed" in line for line in explanation(steps))
    assert any("4.0s" in line and "RUN make" in line for line in slowest(steps))
    told = failure_text(steps)
    assert "no rule" in told
    assert "Dockerfile:2" in told
