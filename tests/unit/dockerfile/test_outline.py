"""What a Dockerfile says of itself: its targets, and what each of them takes."""

from knarr.dockerfile import BuildOptions, lower, parse_dockerfile
from knarr.dockerfile.outline import outline, targets
from knarr.dockerfile.platforms import parse_platform

TEXT = """\
# VERSION what is built
ARG VERSION=1
# base common things
FROM scratch AS base
RUN --mount=type=cache,target=/c --mount=type=secret,id=token,required true
# app The app
FROM base AS app
ARG VERSION
# not a description
ARG LEVEL=high
RUN --mount=type=ssh true
FROM scratch
ARG OTHER
"""
PLATFORM = parse_platform("linux/amd64")


def outlined(**options: object) -> str:
    asked = BuildOptions(platform=PLATFORM, build_platform=PLATFORM, **options)  # type: ignore[arg-type]
    return outline(lower(parse_dockerfile(TEXT), asked, {}))


def test_targets_are_the_stages_with_their_descriptions() -> None:
    assert targets(parse_dockerfile(TEXT)) == (
        "TARGET        DESCRIPTION\n"
        "base          common things\n"
        "app           The app\n"
        "2 (default)\n"
    )


def test_an_outline_has_what_the_target_and_its_stages_take() -> None:
    assert outlined(target="app", build_args={"LEVEL": "low"}) == (
        "TARGET:        app\n"
        "DESCRIPTION:   The app\n"
        "\n"
        "BUILD ARG   VALUE   DESCRIPTION\n"
        "VERSION     1       what is built\n"
        "LEVEL       low\n"
        "\n"
        "SECRET   REQUIRED\n"
        "token    true\n"
        "\n"
        "SSH       REQUIRED\n"
        "default\n"
        "\n"
        "CACHE MOUNT\n"
        "/c\n"
    )


def test_another_stage_takes_nothing_of_that() -> None:
    assert outlined() == (
        "TARGET:   2\n\nBUILD ARG   VALUE   DESCRIPTION\nVERSION     1       what is built\nOTHER\n"
    )
