"""``compose config``: the resolved project, and what else can be asked about it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from knarr.compose.consistency import check_container_names
from knarr.compose.discovery import ProjectOptions, find
from knarr.compose.env_files import Warn, silent, with_env_files
from knarr.compose.files import Files
from knarr.compose.loader import load
from knarr.compose.project import Project
from knarr.compose.rendering import as_json, as_yaml, document
from knarr.compose.shape import Form
from knarr.compose.tree import sorted_tree


def select(project: Project, services: Iterable[str], *, all_resources: bool = False) -> Project:
    """The project with only the named services, their dependencies and what they use."""
    names = tuple(services)
    project = project.with_services_enabled(names).selected(names)
    return project if all_resources else project.without_unused_resources()


def config_text(
    options: ProjectOptions,
    services: Iterable[str],
    form: Form,
    *,
    environment: Mapping[str, str],
    here: str,
    files: Files,
    warn: Warn = silent,
) -> str:
    """The resolved project as a document in which every dollar is doubled, so that it can be read
    again."""
    found = find(options, environment, here, files, warn)
    loaded = load(replace(found.request, resolve_environment=False), files, warn)
    project = with_env_files(select(loaded, services), files, warn)
    check_container_names(project)
    return rendered(project, form).replace("$", "$$")


def rendered_tree(tree: Mapping[str, Any], form: Form) -> str:
    """A merged tree whose variables are not expanded yet, as the files have it."""
    ordered = sorted_tree(tree, natural=form is Form.YAML)
    return as_yaml(ordered) if form is Form.YAML else as_json(ordered)


def rendered(project: Project, form: Form) -> str:
    tree = document(project, form)
    return as_yaml(tree) if form is Form.YAML else as_json(tree)
