"""Laws of the merge, for services of any shape."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from knarr.compose.files import Texts
from knarr.compose.loader import Request, load
from knarr.compose.model import attributes, service_shape
from knarr.compose.project import Project
from knarr.compose.shape import Form, Place

words = st.sampled_from(["a", "b", "c", "d"])
numbers = st.integers(min_value=1, max_value=9)
pairs = st.dictionaries(words, st.one_of(words, numbers, st.booleans(), st.none()), max_size=3)
pair_lists = st.lists(st.builds("{}={}".format, words, numbers), max_size=3, unique=True)
ports = st.lists(st.builds("{}:{}".format, numbers, numbers), max_size=3, unique=True)
mounts = st.lists(st.builds("vol{}:/{}".format, numbers, words), max_size=3, unique=True)
services = st.fixed_dictionaries(
    {},
    optional={
        "hostname": words,
        "tty": st.booleans(),
        "command": st.one_of(st.lists(words, max_size=2), words),
        "environment": st.one_of(pairs, pair_lists),
        "labels": st.one_of(pairs, pair_lists),
        "ports": ports,
        "volumes": mounts,
        "cap_add": st.lists(words, max_size=3, unique=True),
        "dns": st.one_of(words, st.lists(words, max_size=3, unique=True)),
        "networks": st.lists(words, max_size=3, unique=True),
        "depends_on": st.lists(words, max_size=3, unique=True),
        "ulimits": st.dictionaries(words, numbers, max_size=2),
        "healthcheck": st.fixed_dictionaries({}, optional={"test": words, "retries": numbers}),
        "deploy": st.fixed_dictionaries({}, optional={"replicas": numbers, "labels": pairs}),
        "x-more": st.dictionaries(words, numbers, max_size=2),
    },
)
AT = Place(("services", "web"))


def read(service: dict[str, Any]) -> Any:
    shape = service_shape()
    shape.check(service, AT)
    return shape.read(service, AT)


def merged(*given: dict[str, Any]) -> Any:
    result: Any = {}
    for each in given:
        result = service_shape().merge(result, read(each))
    return result


def written(service: Any) -> str:
    """What ``config`` shows, so that the order of keys does not count."""
    shape = service_shape()
    return json.dumps(shape.write(shape.complete(service, AT), Form.JSON), sort_keys=True)


@given(services)
def test_nothing_over_something_changes_nothing(service: dict[str, Any]) -> None:
    assert merged(service, {}) == merged({}, service) == read(service)


@given(services)
def test_a_file_given_twice_says_no_more_than_once(service: dict[str, Any]) -> None:
    assert written(merged(service, service)) == written(merged(service))


@given(services, services, services)
def test_files_may_be_merged_in_any_grouping(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    shape = service_shape()
    left = shape.merge(shape.merge(read(one), read(two)), read(three))
    right = shape.merge(read(one), shape.merge(read(two), read(three)))
    assert written(left) == written(right)


@given(services, services)
def test_the_later_file_has_the_last_word(one: dict[str, Any], two: dict[str, Any]) -> None:
    result, later = merged(one, two), read(two)
    for name in ("hostname", "tty", "command"):
        if name in later:
            assert result[name] == later[name]
    for name in ("environment", "labels"):
        assert result.get(name, {}).items() >= later.get(name, {}).items()
    assert all(port in result["ports"] for port in later.get("ports", []))


@given(services)
def test_what_config_shows_reads_as_the_same_service(service: dict[str, Any]) -> None:
    """Resolving is idempotent: the canonical form is a lawful spelling of itself."""
    first = written(read(service))
    again = {key: value for key, value in json.loads(first).items() if value is not None}
    assert written(read(again)) == first


def load_text(text: str) -> Project:
    request = Request(files=("/p/compose.yaml",), directory="/p", name="p", profiles=())
    return load(request, Texts({"/p/compose.yaml": text}))


def test_every_attribute_says_where_it_is_specified() -> None:
    assert all(attribute.source for attribute in attributes().values())


def test_selecting_services_takes_what_they_need() -> None:
    project = load_text("""
      services:
        web: {image: a, depends_on: [db], volumes: ["code:/code"]}
        db: {image: b, depends_on: [disk], volumes: ["data:/data"]}
        disk: {image: c}
        other: {image: d, depends_on: [web]}
      volumes: {code: , data: }
    """)
    assert set(project.selected(["db"]).services) == {"db", "disk"}
    assert set(project.selected(["d*"], with_dependencies=False).services) == {"db", "disk"}
    lonely = project.selected(["web"], with_dependencies=False)
    assert lonely.services["web"].dependencies == {}
    assert set(lonely.without_unused_resources().volumes) == {"code"}
    assert set(project.dependents("web")) == {"other"}
