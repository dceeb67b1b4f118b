"""Go's text/template, as much of it as people write after ``--format``.

Values are plain: strings, numbers, booleans, None, lists, dicts, and objects with a method
``field(name)`` (rows of lists). Pipelines, variables, if, else if, with, range, break, continue,
trim markers and comments are here; ``define``, ``template`` and ``block`` are not.

Source: the documentation of Go's text/template; its errors are repeated word for word, since
scripts match on them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from knarr.errors import KnarrError
from knarr.template_functions import (
    FUNCTIONS,
    FunctionError,
    NoValue,
    is_true,
    kind_name,
    printed,
)  # fmt: skip

_ACTION: Final = re.compile(r"\{\{(?:- |-(?=\n|\t|\r))?")
_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<raw>`[^`]*`)
      | (?P<char>'(?:[^'\\\n]|\\.)+')
      | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
            |(?:\d[\d_]*)?\.?\d[\d_]*\.?(?:[eE][+-]?\d+)?))
      | (?P<field>\.[^\W\d]\w*)
      | (?P<dot>\.)
      | (?P<variable>\$\w*)
      | (?P<word>[^\W\d]\w*)
      | (?P<declare>:=)
      | (?P<mark>[=|(),])
    """,
    re.VERBOSE,
)
_KEYWORDS: Final = ("if", "else", "end", "range", "with", "break", "continue")
_ABSENT: Final = ("define", "template", "block")


@runtime_checkable
class Fields(Protocol):
    """A value whose fields a template may name. Raises LookupError for one it has not."""

    go_type: str

    def field(self, name: str) -> Any: ...


class OpenMap(dict[str, Any]):
    """A map whose keys are anybody's, such as labels: one that is missing is no error."""


class TemplateError(KnarrError):
    """The template cannot be read, or cannot be carried out; the text is Go's."""


class TemplateSyntaxError(TemplateError):
    """The template cannot be read."""


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Token:
    __slots__ = ("kind", "line", "place", "text")

    def __init__(self, kind: str, text: str, line: int, place: int) -> None:
        self.kind = kind
        self.text = text
        self.line = line
        self.place = place  # where it begins in its line, from 0


class _Operand:
    """A value of a command: what it is, the fields taken from it, and its text for messages."""

    __slots__ = ("fields", "kind", "line", "place", "places", "text", "value")

    def __init__(self, kind: str, value: Any, token: _Token) -> None:
        self.kind = kind  # dot, nil, constant, variable, function, pipe
        self.value = value
        self.fields: list[str] = []
        self.places: list[int] = []  # of each field in its line
        self.text = token.text
        self.line = token.line
        self.place = token.place

    def add_field(self, token: _Token) -> None:
        self.fields.append(token.text[1:])
        self.places.append(token.place)
        self.text += token.text
        self.place = token.place


class _Pipe:
    __slots__ = ("commands", "declares", "line", "names", "place", "text")

    def __init__(self, token: _Token) -> None:
        self.names: list[str] = []
        self.declares = False
        self.commands: list[list[_Operand]] = []
        self.line = token.line
        self.place = token.place
        self.text = ""


class _Branch:
    """if, with and range: the pipeline, what follows where it holds, and where it does not."""

    __slots__ = ("body", "kind", "otherwise", "pipe")

    def __init__(self, kind: str, pipe: _Pipe) -> None:
        self.kind = kind
        self.pipe = pipe
        self.body: list[_Node] = []
        self.otherwise: list[_Node] = []


_Node = str | _Pipe | _Branch | type[_Break] | type[_Continue]


class Template:
    """A template that has been read. Raises TemplateSyntaxError where it cannot be.

    name: what messages call it.  missing_is_error: a key that a dict has not is an error, and not
    ``<no value>``.
    """

    def __init__(
        self,
        source: str,
        *,
        name: str = "",
        missing_is_error: bool = False,
        functions: Mapping[str, Callable[..., Any]] = FUNCTIONS,
    ) -> None:
        self.name = name
        self.missing_is_error = missing_is_error
        self.functions = functions
        self._nodes = _Parser(source, name, functions).parse()

    def render(self, data: Any) -> str:
        """The text for ``data``. Raises TemplateError where the template does not fit it."""
        out: list[str] = []
        _Run(self, out, data).walk(self._nodes, data)
        return "".join(out)


def _lexed(source: str, name: str) -> Iterator[str | list[_Token]]:
    """Texts and actions in turn, the trim markers obeyed and comments gone."""
    place, trim = 0, False
    while True:
        start = _ACTION.search(source, place)
        text = source[place : start.start() if start else len(source)]
        if trim:
            text = text.lstrip(" \t\r\n")
        if start is None:
            yield text
            return
        if start.group() != "{{":
            text = text.rstrip(" \t\r\n")
        yield text
        place = start.end()
        comment = re.compile(r"\s*/\*.*?\*/(?P<trim>\s-)?\}\}", re.DOTALL).match(source, place)
        if comment:
            place, trim = comment.end(), bool(comment["trim"])
            continue
        tokens, place, trim = _action(source, place, name)
        yield tokens


def _action(source: str, place: int, name: str) -> tuple[list[_Token], int, bool]:
    tokens: list[_Token] = []
    while True:
        if end := re.compile(r"(?:[ \t\r\n]-)?\}\}").match(source, place):
            return tokens, end.end(), len(end.group()) > 2
        line = source.count("\n", 0, place) + 1
        found = _TOKEN.match(source, place)
        if found is None:
            raise TemplateSyntaxError(f"template: {name}:{line}: {_unreadable(source, place)}")
        kind = found.lastgroup or ""
        begin = source.rfind("\n", 0, place) + 1
        if kind != "space":
            tokens.append(_Token(kind, found.group(), line, place - begin))
        elif tokens and tokens[-1].kind != "space":
            tokens.append(_Token("space", " ", line, place - begin))
        place = found.end()


def _unreadable(source: str, place: int) -> str:
    rest = source[place:]
    if not rest:
        return "unclosed action"
    named = {'"': "unterminated quoted string", "`": "unterminated raw quoted string",
             "'": "unterminated character constant"}  # fmt: skip
    letter = rest[0]
    return named.get(letter, f"unexpected {_quoted(letter)} in operand")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Parser:
    def __init__(self, source: str, name: str, functions: Mapping[str, object]) -> None:
        self.name = name
        self.functions = functions
        self._items = _lexed(source, name)
        self._loops = 0
        self._variables: list[list[str]] = [["$"]]

    def parse(self) -> list[_Node]:
        nodes, end = self._block()
        if end:
            raise self._error(end, "unexpected {{" + end.text + "}}")
        return nodes

    def _error(self, token: _Token, problem: str) -> TemplateSyntaxError:
        return TemplateSyntaxError(f"template: {self.name}:{token.line}: {problem}")

    def _block(self) -> tuple[list[_Node], _Token | None]:
        """Nodes up to the ``end`` or ``else`` that nobody here opened."""
        nodes: list[_Node] = []
        self._line = 1
        for item in self._items:
            if isinstance(item, str):
                if item:
                    nodes.append(item)
                continue
            tokens = _Tokens(item)
            first = tokens.peek()
            if first is None:
                line = item[0].line if item else 1
                raise TemplateSyntaxError(
                    f"template: {self.name}:{line}: missing value for command"
                )
            self._line = first.line
            if first.kind == "word" and first.text in ("end", "else"):
                self._pending = tokens
                return nodes, first
            nodes.append(self._node(tokens, first))
        return nodes, None

    def _node(self, tokens: _Tokens, first: _Token) -> _Node:
        word = first.text if first.kind == "word" else ""
        if word in ("if", "with", "range"):
            tokens.next()
            return self._branch(word, tokens)
        if word in ("break", "continue"):
            if not self._loops:
                raise self._error(first, "{{" + word + "}} outside {{range}}")
            return _Break if word == "break" else _Continue
        if word in _ABSENT:
            raise self._error(first, "{{" + word + "}} is not supported by knarr")
        return self._pipe(tokens, first)

    def _branch(self, kind: str, tokens: _Tokens) -> _Branch:
        self._variables.append([])
        first = tokens.peek()
        if first is None:
            raise TemplateSyntaxError(
                f"template: {self.name}:{self._line}: missing value for {kind}"
            )
        branch = _Branch(kind, self._pipe(tokens, first, kind))
        self._loops += kind == "range"
        branch.body, end = self._block()
        self._loops -= kind == "range"
        if end is not None and end.text == "else":
            rest = self._pending
            rest.next()
            if (more := rest.peek()) is not None and more.text in ("if", "with"):
                rest.next()
                branch.otherwise = [self._branch(more.text, rest)]
                self._variables.pop()
                return branch
            branch.otherwise, end = self._block()
        if end is None:
            raise TemplateSyntaxError(f"template: {self.name}:{self._line}: unexpected EOF")
        if end.text == "else":
            raise self._error(end, "unexpected {{else}}")
        self._variables.pop()
        return branch

    def _pipe(self, tokens: _Tokens, first: _Token, kind: str = "") -> _Pipe:
        pipe = _Pipe(first)
        self._declarations(tokens, pipe, kind)
        pipe.text = tokens.rest_text()
        while True:
            command = self._command(tokens, kind or "command")
            pipe.commands.append(command)
            token = tokens.next()
            if token is None or token.text == ")":
                break
        if tokens.peek() is not None and not tokens.depth:
            raise self._error(first, f"unexpected {_quoted(tokens.rest_text())} in {kind}")
        for operands in pipe.commands[1:]:
            operand = operands[0]
            if operand.kind in ("constant", "nil", "dot") and not operand.fields:
                raise self._error(
                    first,
                    f"non executable command in pipeline stage {pipe.commands.index(operands) + 1}",
                )
        if pipe.declares:
            self._variables[-1] += pipe.names
        return pipe

    def _declarations(self, tokens: _Tokens, pipe: _Pipe, kind: str) -> None:
        names, mark = tokens.declarations(two=kind == "range")
        if not names:
            return
        pipe.names = names
        pipe.declares = mark == ":="
        for name in names if not pipe.declares else ():
            self._known(name)

    def _known(self, name: str) -> None:
        if not any(name in scope for scope in self._variables):
            raise TemplateSyntaxError(
                f"template: {self.name}:{self._line}: undefined variable {_quoted(name)}"
            )

    def _command(self, tokens: _Tokens, context: str) -> list[_Operand]:
        operands: list[_Operand] = []
        while (token := tokens.peek()) is not None and token.text not in ("|", ")"):
            operands.append(self._operand(tokens))
        if not operands:
            raise TemplateSyntaxError(
                f"template: {self.name}:{self._line}: missing value for {context}"
            )
        return operands

    def _operand(self, tokens: _Tokens) -> _Operand:
        token = tokens.next()
        assert token is not None
        operand = self._simple(token, tokens)
        while (field := tokens.adjacent_field()) is not None:
            if operand.kind in ("constant", "nil"):
                raise self._error(token, f"unexpected . after term {_quoted(operand.text)}")
            operand.add_field(field)
        return operand

    def _simple(self, token: _Token, tokens: _Tokens) -> _Operand:
        match token.kind:
            case "field":
                operand = _Operand("dot", None, token)
                operand.fields.append(token.text[1:])
                operand.places.append(token.place)
                return operand
            case "dot":
                return _Operand("dot", None, token)
            case "variable":
                self._known(token.text)
                return _Operand("variable", token.text, token)
            case "word":
                return self._word(token)
            case "string" | "raw" | "char" | "number":
                return _Operand("constant", self._constant(token), token)
            case _ if token.text == "(":
                return self._parenthesis(token, tokens)
        raise self._error(token, f"unexpected {_quoted(token.text)} in operand")

    def _parenthesis(self, token: _Token, tokens: _Tokens) -> _Operand:
        tokens.depth += 1
        first = tokens.peek()
        if first is None:
            raise self._error(token, "unclosed left paren")
        pipe = self._pipe(tokens, first)
        tokens.depth -= 1
        if tokens.last is None or tokens.last.text != ")":
            raise self._error(token, "unclosed left paren")
        operand = _Operand("pipe", pipe, first)
        operand.text = f"({pipe.text})"
        return operand

    def _word(self, token: _Token) -> _Operand:
        if token.text in ("true", "false"):
            return _Operand("constant", token.text == "true", token)
        if token.text == "nil":
            return _Operand("nil", None, token)
        if token.text in _KEYWORDS:
            raise self._error(token, f"unexpected <{token.text}> in operand")
        if token.text not in self.functions:
            raise self._error(token, f"function {_quoted(token.text)} not defined")
        return _Operand("function", token.text, token)

    def _constant(self, token: _Token) -> Any:
        text = token.text
        if token.kind == "raw":
            return text[1:-1]
        if token.kind in ("string", "char"):
            value = _unquoted(text[1:-1])
            return ord(value) if token.kind == "char" else value
        try:
            return int(text.replace("_", ""), 0)
        except ValueError:
            pass
        try:
            return float(text)
        except ValueError:
            raise self._error(token, f"bad number syntax: {_quoted(text)}") from None


_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)")
_LETTERS: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _unquoted(text: str) -> str:
    def letter(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "xuU" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code.isdecimal() and len(code) == 3:
            return chr(int(code, 8))
        return _LETTERS.get(code, code)

    return _ESCAPE.sub(letter, text)


class _Tokens:
    """The tokens of one action, read from the left; spaces matter only before a field."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self.depth = 0  # of parentheses
        self.last: _Token | None = None

    def _skip(self) -> None:
        while self._place < len(self._tokens) and self._tokens[self._place].kind == "space":
            self._place += 1

    def peek(self) -> _Token | None:
        self._skip()
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def next(self) -> _Token | None:
        self.last = self.peek()
        self._place += self.last is not None
        return self.last

    def adjacent_field(self) -> _Token | None:
        if self._place < len(self._tokens) and self._tokens[self._place].kind == "field":
            self._place += 1
            return self._tokens[self._place - 1]
        return None

    def rest_text(self) -> str:
        """What is left, as it was written, up to a parenthesis that closes more than was opened."""
        words, depth = [], 0
        for token in self._tokens[self._place :]:
            depth += (token.text == "(") - (token.text == ")")
            if depth < 0:
                break
            words.append(token.text)
        return "".join(words).strip()

    def declarations(self, *, two: bool) -> tuple[list[str], str]:
        """``$x :=``, ``$i, $e :=`` (in range), ``$x =``; nothing is taken where none stands."""
        before = self._place
        names: list[str] = []
        while (token := self.next()) is not None and token.kind == "variable":
            names.append(token.text)
            mark = self.next()
            if mark is not None and mark.text in (":=", "="):
                return names, mark.text
            if mark is None or mark.text != "," or not two or len(names) == 2:
                break
        self._place = before
        return [], ""


class _Run:
    """One rendering: the output, and the variables of the scopes that are open."""

    def __init__(self, template: Template, out: list[str], data: Any) -> None:
        self.template = template
        self.out = out
        self.variables: list[tuple[str, Any]] = [("$", data)]

    def error(self, where: _Operand | _Pipe, problem: str) -> TemplateError:
        name = self.template.name
        return TemplateError(
            f"template: {name}:{where.line}:{where.place}: "
            f"executing {_quoted(name)} at <{where.text}>: {problem}"
        )

    def walk(self, nodes: Sequence[_Node], dot: Any) -> None:
        for node in nodes:
            if isinstance(node, str):
                self.out.append(node)
            elif isinstance(node, _Pipe):
                value = self.pipe(node, dot)
                if not node.names:
                    self.out.append(printed(value, top=True))
            elif isinstance(node, _Branch):
                depth = len(self.variables)
                self.branch(node, dot)
                del self.variables[depth:]
            else:
                raise node

    def branch(self, node: _Branch, dot: Any) -> None:
        if node.kind == "range":
            self.loop(node, dot)
            return
        value = self.pipe(node.pipe, dot)
        if is_true(value):
            self.walk(node.body, value if node.kind == "with" else dot)
        else:
            self.walk(node.otherwise, dot)

    def loop(self, node: _Branch, dot: Any) -> None:
        names, node_pipe = node.pipe.names, node.pipe
        value = self.commands(node_pipe, dot)
        pairs = self.pairs(node_pipe, value)
        depth = len(self.variables)
        for key, item in pairs:
            values = (key, item) if len(names) == 2 else (item,)
            self.variables += zip(names, values, strict=False)
            try:
                self.walk(node.body, item)
            except _Break:
                break
            except _Continue:
                continue
            finally:
                del self.variables[depth:]
        if not pairs:
            self.walk(node.otherwise, dot)

    def pairs(self, pipe: _Pipe, value: Any) -> list[tuple[Any, Any]]:
        if value is None or isinstance(value, NoValue):
            return []
        if isinstance(value, Mapping):
            return sorted(value.items())
        if isinstance(value, (list, tuple)):
            return list(enumerate(value))
        if isinstance(value, int) and not isinstance(value, bool):
            return [(number, number) for number in range(value)]
        raise self.error(_last_operand(pipe), f"range can't iterate over {printed(value)}")

    def pipe(self, pipe: _Pipe, dot: Any) -> Any:
        value = self.commands(pipe, dot)
        for name in pipe.names:
            if pipe.declares:
                self.variables.append((name, value))
            else:
                place = max(i for i, (known, _) in enumerate(self.variables) if known == name)
                self.variables[place] = (name, value)
        return value

    def commands(self, pipe: _Pipe, dot: Any) -> Any:
        value: Any = None
        for place, operands in enumerate(pipe.commands):
            value = self.command(operands, dot, [value] if place else [])
        return value

    def command(self, operands: list[_Operand], dot: Any, piped: list[Any]) -> Any:
        head = operands[0]
        if head.kind == "nil":
            raise self.error(head, "nil is not a command")
        if head.kind == "function" and not head.fields:
            return self.function(head, operands, dot, piped)
        given = len(operands) > 1 or bool(piped)
        value = self.operand(head, dot, lambda: [*self.arguments(operands, dot), *piped])
        if given and not (head.fields and self.called):
            raise self.error(head, f"can't give argument to non-function {head.text}")
        return value

    called = False  # whether the last field that was looked up was a method

    def arguments(self, operands: list[_Operand], dot: Any) -> list[Any]:
        return [self.operand(operand, dot) for operand in operands[1:]]

    def function(self, head: _Operand, operands: list[_Operand], dot: Any, piped: list[Any]) -> Any:
        whole = _Operand("", None, _Token("", "", head.line, head.place))
        whole.text = " ".join(operand.text for operand in operands)
        if head.value in ("and", "or"):
            return self.short_circuit(head.value, operands[1:], dot, piped)
        values = [*self.arguments(operands, dot), *piped]
        function = self.template.functions[head.value]
        if problem := _count_problem(function, len(values)):
            raise self.error(head, f"wrong number of args for {head.value}: {problem}")
        try:
            return function(*values)
        except FunctionError as error:
            if error.bare:
                raise self.error(head, str(error)) from error
            raise self.error(whole, f"error calling {head.value}: {error}") from error

    def short_circuit(self, name: str, operands: list[_Operand], dot: Any, piped: list[Any]) -> Any:
        value: Any = None
        for operand in operands:
            value = self.operand(operand, dot)
            if is_true(value) == (name == "or"):
                return value
        return piped[0] if piped else value

    def operand(
        self, operand: _Operand, dot: Any, arguments: Callable[[], list[Any]] = list
    ) -> Any:
        match operand.kind:
            case "dot":
                value = dot
            case "variable":
                value = next(v for name, v in reversed(self.variables) if name == operand.value)
            case "pipe":
                value = self.pipe(operand.value, dot)
            case "function":
                value = self.function(operand, [operand], dot, [])
            case _:
                value = operand.value
        last = len(operand.fields) - 1
        for place, name in enumerate(operand.fields):
            operand.place = operand.places[place]  # a message points to the field it is about
            value = self.field(operand, value, name, arguments if place == last else list)
        return value

    def field(
        self, operand: _Operand, value: Any, name: str, arguments: Callable[[], list[Any]]
    ) -> Any:
        self.called = False
        if isinstance(value, Mapping):
            if name in value:
                return value[name]
            if self.template.missing_is_error and not isinstance(value, OpenMap):
                raise self.error(operand, f"map has no entry for key {_quoted(name)}")
            return NoValue()
        if isinstance(value, Fields):
            return self.member(operand, value, name, arguments)
        if value is None or isinstance(value, NoValue):
            raise self.error(operand, f"nil pointer evaluating interface {{}}.{name}")
        raise self.error(operand, f"can't evaluate field {name} in type {kind_name(value)}")

    def member(
        self, operand: _Operand, value: Fields, name: str, arguments: Callable[[], list[Any]]
    ) -> Any:
        try:
            found = value.field(name)
        except LookupError:
            raise self.error(
                operand, f"can't evaluate field {name} in type {value.go_type}"
            ) from None
        words = arguments()
        self.called = True
        wanted = found.__code__.co_argcount if callable(found) else 0
        if len(words) != wanted:
            raise self.error(
                operand, f"wrong number of args for {name}: want {wanted} got {len(words)}"
            )
        return found(*words) if callable(found) else found


def _count_problem(function: Callable[..., Any], given: int) -> str:
    code = function.__code__
    least, more = code.co_argcount, bool(code.co_flags & 0x04)
    if given == least or (more and given > least):
        return ""
    return f"want {'at least ' if more else ''}{least} got {given}"


def _last_operand(pipe: _Pipe) -> _Operand:
    return pipe.commands[-1][0]
