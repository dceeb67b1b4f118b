"""Templates as Go carries them out; each expectation was printed by docker's own client."""

from typing import Any

import pytest

from knarr.template import Template, TemplateError, TemplateSyntaxError

DATA: dict[str, Any] = {
    "Name": "one",
    "Count": 3,
    "On": True,
    "Nothing": None,
    "Words": ["a", "b", "c"],
    "Map": {"b": 2, "a": 1, "with-dash": "d"},
    "Deep": {"Er": {"Value": "x"}},
    "Empty": [],
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("{{.Name}} {{.Count}} {{.On}}", "one 3 true"),
        ("{{.Deep.Er.Value}}", "x"),
        ("{{.Missing}}", "<no value>"),
        ("{{.Nothing}}", "<no value>"),
        ("{{.Words}} {{.Map}}", "[a b c] map[a:1 b:2 with-dash:d]"),
        ("{{- .Name -}} x", "onex"),
        ("a {{- /* comment */ -}} b", "ab"),
        ("{{/* a\nb */}}x", "x"),
        ("{{upper .Name}} {{lower `X`}} {{title .Name}}", "ONE x One"),
        ('{{join .Words "-"}} {{split "a-b" "-"}}', "a-b-c [a b]"),
        ("{{json .Words}} {{json .Map}}", '["a","b","c"] {"b":2,"a":1,"with-dash":"d"}'),
        ('{{pad .Name 1 2}}|{{pad "" 1 2}}|{{truncate .Name 2}}', " one  ||on"),
        ('{{index .Words 1}} {{index .Map "with-dash"}} {{index .Map "none"}}', "b d <no value>"),
        ("{{slice .Words 1}} {{slice .Name 0 2}} {{len .Words}}", "[b c] on 3"),
        ('{{printf "%-5s|%5d|%q|%v" .Name .Count .Name .Words}}', 'one  |    3|"one"|[a b c]'),
        ('{{printf "%d" .Name}}', "%!d(string=one)"),
        ("{{println .Name}}", "one\n"),
        ('{{print 1 2 "a" "b" 3}}', "1 2ab3"),
        ('{{if eq .Name "two" "one"}}yes{{else}}no{{end}}', "yes"),
        ("{{if .Empty}}yes{{else if .On}}elif{{else}}no{{end}}", "elif"),
        ("{{with .Deep.Er}}{{.Value}}{{$.Name}}{{end}}", "xone"),
        ("{{with .Empty}}x{{else}}none{{end}}", "none"),
        ("{{range .Words}}[{{.}}]{{end}}", "[a][b][c]"),
        ("{{range $i, $w := .Words}}{{$i}}{{$w}}{{end}}", "0a1b2c"),
        ("{{range $k, $v := .Map}}{{$k}}={{$v}};{{end}}", "a=1;b=2;with-dash=d;"),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ('{{range .Words}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}', "ac"),
        ('{{range .Words}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', "a"),
        ("{{$x := .Name}}{{$x = upper $x}}{{$x}}", "ONE"),
        ("{{.Name | upper | printf `%s!`}}", "ONE!"),
        ("{{(index .Words 0) | upper}}{{(.Deep.Er).Value}}", "Ax"),
        ("{{and .On .Name}} {{or .Empty .Name}} {{not .On}}", "one one false"),
        ("{{lt 1 2}} {{ge 2 2}} {{ne 1 2}} {{le 1.5 1.0}}", "true true true false"),
        ('{{html "<a>"}} {{urlquery "a b"}} {{js "it\'s"}}', "&lt;a&gt; a+b it\\'s"),
        ('{{"a\\tb\\u00e9"}} {{0x10}} {{1.5}} {{\'a\'}}', "a\tbé 16 1.5 97"),
    ],
)  # fmt: skip
def test_templates_are_carried_out_as_go_does(source: str, text: str) -> None:
    assert Template(source).render(DATA) == text


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{.Name", "template: :1: unclosed action"),
        ("{{nofunc .}}", 'template: :1: function "nofunc" not defined'),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{else}}", "template: :1: unexpected {{else}}"),
        ("{{if .Name}}", "template: :1: unexpected EOF"),
        ('{{"a', "template: :1: unterminated quoted string"),
        ("\n{{$y}}", 'template: :2: undefined variable "$y"'),
        ("{{break}}", "template: :1: {{break}} outside {{range}}"),
        ("{{}}", "template: :1: missing value for command"),
        ("{{if}}x{{end}}", "template: :1: missing value for if"),
        ("{{(.Name}}", "template: :1: unclosed left paren"),
    ],
)
def test_what_cannot_be_read_is_refused_in_gos_words(source: str, problem: str) -> None:
    with pytest.raises(TemplateSyntaxError) as refused:
        Template(source)
    assert str(refused.value) == problem


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{.Name.Foo}}", "7 .Name.Foo: can't evaluate field Foo in type string"),
        ("{{range .On}}{{end}}", "8 .On: range can't iterate over true"),
        ("{{1 | upper}}", "6 upper: wrong type for value; expected string; got int"),
        ("{{upper}}", "2 upper: wrong number of args for upper: want 1 got 0"),
        ('{{"a" "b"}}', '2 "a": can\'t give argument to non-function "a"'),
        ("{{index .Words 9}}", "2 index .Words 9: error calling index: index out of range: 9"),
        ("{{nil}}", "2 nil: nil is not a command"),
        ("{{.Nothing.X}}", "10 .Nothing.X: nil pointer evaluating interface {}.X"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_gos_words(source: str, problem: str) -> None:
    with pytest.raises(TemplateError) as refused:
        Template(source).render(DATA)
    place, _, rest = problem.partition(" ")
    node, _, why = rest.partition(": ")
    assert str(refused.value) == f'template: :1:{place}: executing "" at <{node}>: {why}'


def test_a_missing_key_can_be_an_error() -> None:
    with pytest.raises(TemplateError, match='map has no entry for key "Foo"'):
        Template("{{.Foo}}", missing_is_error=True).render(DATA)
