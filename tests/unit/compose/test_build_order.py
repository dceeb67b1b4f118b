"""Which images are built, and in which order: a context may be another service's image."""

import pytest

from knarr.compose.actions import BuildImage
from knarr.compose.images import all_builds, in_build_order
from knarr.compose.project import Project
from knarr.errors import InvalidArgument
from support.projects import project_of

CHAIN = """
services:
  app: {build: {context: ., additional_contexts: {lib: "service:lib", files: ./files}}}
  lib: {build: {context: ., additional_contexts: [base=service:base]}}
  base: {build: {context: ., secrets: [token]}}
  other: {build: .}
secrets:
  token: {environment: TOKEN}
  unused: {environment: TOKEN}
"""


def after(project: Project) -> dict[str, list[str]]:
    return {
        each.service: sorted(each.after)
        for each in all_builds(project).actions
        if isinstance(each, BuildImage)
    }


def test_an_image_is_built_after_those_it_is_built_from() -> None:
    assert after(project_of(CHAIN)) == {
        "base": [], "lib": ["build base"], "app": ["build lib"], "other": [],
    }  # fmt: skip


def test_what_is_not_asked_for_is_built_where_it_is_needed() -> None:
    project = project_of(CHAIN).selected(["lib"], with_dependencies=False)
    assert list(after(project)) == ["base", "lib"]


def test_secrets_of_what_is_built_along_are_still_known() -> None:
    project = project_of(CHAIN).selected(["app"], with_dependencies=False)
    assert list(project.without_unused_resources().secrets) == ["token"]
    other = project_of(CHAIN).selected(["other"], with_dependencies=False)
    assert not other.without_unused_resources().secrets


def test_a_circle_is_refused() -> None:
    project = project_of("""
services:
  app: {build: {context: ., additional_contexts: {c: "service:it"}}}
  it: {build: {context: ., additional_contexts: {d: "service:app"}}}
""")
    with pytest.raises(InvalidArgument, match="cycle found: app -> it -> app"):
        in_build_order(project, [project.services["app"]])
