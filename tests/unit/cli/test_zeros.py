import json
from typing import Any

import pytest

from knarr.cli.templated import with_zeros
from knarr.template import Template, TemplateError

DOCUMENT: dict[str, Any] = {
    "Name": "/web",
    "ExecIDs": None,
    "State": {"Status": "created"},
    "HostConfig": {"Binds": None, "PidsLimit": None, "Memory": 7},
    "Config": {"Volumes": None, "Labels": {"a": "b"}, "Cmd": ["sh"]},
    "NetworkSettings": {"Networks": {"bridge": {"Aliases": None, "IPAddress": ""}}},
}


def shown(form: str) -> str:
    return Template(form, missing_is_error=True).render(with_zeros(DOCUMENT))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("{{.HostConfig.Binds}} {{len .HostConfig.Binds}}", "[] 0"),
        ("{{.Config.Volumes}} {{len .Config.ExposedPorts}}", "map[] 0"),
        ("{{.HostConfig.PidsLimit}} {{.HostConfig.Init}}", "<nil> <nil>"),
        ("{{if .State.Health}}probed{{else}}not probed{{end}}", "not probed"),
        ("{{with .State.Health}}{{.Status}}{{end}}", ""),
        ('{{index .Config.Labels "a"}}{{index .Config.Labels "c"}}', "b"),
        ("{{.Config.StopSignal}}{{.Config.Entrypoint}}", "[]"),
        ("{{range $name, $it := .NetworkSettings.Networks}}{{$name}}{{$it.Links}}{{end}}",
         "bridge[]"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_the_zero_of_its_kind(form: str, expected: str) -> None:
    assert shown(form) == expected


@pytest.mark.parametrize("path", ["", ".HostConfig", ".NetworkSettings.Networks", ".Config"])
def test_as_json_it_is_what_the_engine_told(path: str) -> None:
    told: Any = DOCUMENT
    for name in path.split(".")[1:]:
        told = told[name]
    assert json.loads(shown(f"{{{{json {path or '.'}}}}}")) == told


def test_as_json_a_zero_is_null() -> None:
    assert shown("{{json .HostConfig.Binds}} {{json .State.Health}}") == "null null"


def test_a_field_that_nobody_has_is_an_error_still() -> None:
    with pytest.raises(TemplateError, match='no entry for key "Foo"'):
        shown("{{.HostConfig.Foo}}")
