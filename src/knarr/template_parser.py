"""Tokens become a tree: texts, pipelines, branches.

Source: the documentation of Go's text/template; its errors are repeated word for word.
"""

from __future__ import annotations

from knarr.template_tokens import (
    TemplateSyntaxError,
    Token,
    Tokens,
    lexed,
    quoted,
    unquoted,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

_KEYWORDS: Final = ("if", "else", "end", "range", "with", "break", "continue")
_ABSENT: Final = ("define", "template", "block")


class Break(Exception):
    pass


class Continue(Exception):
    pass


class Operand:
    """A value of a command: what it is, the fields taken from it, and its text for messages."""

    __slots__ = ("fields", "kind", "line", "place", "places", "text", "value")

    def __init__(self, kind: str, value: Any, token: Token) -> None:
        self.kind = kind  # dot, nil, constant, variable, function, pipe
        self.value = value
        self.fields: list[str] = []
        self.places: list[int] = []  # of each field in its line
        self.text = token.text
        self.line = token.line
        self.place = token.place

    def add_field(self, token: Token) -> None:
        self.fields.append(token.text[1:])
        self.places.append(token.place)
        self.text += token.text
        self.place = token.place


class Pipe:
    __slots__ = ("commands", "declares", "line", "names", "place", "text")

    def __init__(self, token: Token) -> None:
        self.names: list[str] = []
        self.declares = False
        self.commands: list[list[Operand]] = []
        self.line = token.line
        self.place = token.place
        self.text = ""


class Branch:
    """if, with and range: the pipeline, what follows where it holds, and where it does not."""

    __slots__ = ("body", "kind", "otherwise", "pipe")

    def __init__(self, kind: str, pipe: Pipe) -> None:
        self.kind = kind
        self.pipe = pipe
        self.body: list[Node] = []
        self.otherwise: list[Node] = []


Node = str | Pipe | Branch | type[Break] | type[Continue]


class Parser:
    def __init__(self, source: str, name: str, functions: Mapping[str, object]) -> None:
        self.name = name
        self.functions = functions
        self._items = lexed(source, name)
        self._loops = 0
        self._variables: list[list[str]] = [["$"]]

    def parse(self) -> list[Node]:
        nodes, end = self._block()
        if end:
            raise self._error(end, "unexpected {{" + end.text + "}}")
        return nodes

    def _error(self, token: Token, problem: str) -> TemplateSyntaxError:
        return TemplateSyntaxError(f"template: {self.name}:{token.line}: {problem}")

    def _block(self) -> tuple[list[Node], Token | None]:
        """Nodes up to the ``end`` or ``else`` that nobody here opened."""
        nodes: list[Node] = []
        self._line = 1
        for item in self._items:
            if isinstance(item, str):
                if item:
                    nodes.append(item)
                continue
            tokens = Tokens(item)
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

    def _node(self, tokens: Tokens, first: Token) -> Node:
        word = first.text if first.kind == "word" else ""
        if word in ("if", "with", "range"):
            tokens.next()
            return self._branch(word, tokens)
        if word in ("break", "continue"):
            if not self._loops:
                raise self._error(first, "{{" + word + "}} outside {{range}}")
            return Break if word == "break" else Continue
        if word in _ABSENT:
            raise self._error(first, "{{" + word + "}} is not supported by knarr")
        return self._pipe(tokens, first)

    def _branch(self, kind: str, tokens: Tokens) -> Branch:
        self._variables.append([])
        first = tokens.peek()
        if first is None:
            raise TemplateSyntaxError(
                f"template: {self.name}:{self._line}: missing value for {kind}"
            )
        branch = Branch(kind, self._pipe(tokens, first, kind))
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

    def _pipe(self, tokens: Tokens, first: Token, kind: str = "") -> Pipe:
        pipe = Pipe(first)
        self._declarations(tokens, pipe, kind)
        pipe.text = tokens.rest_text()
        while True:
            command = self._command(tokens, kind or "command")
            pipe.commands.append(command)
            token = tokens.next()
            if token is None or token.text == ")":
                break
        if tokens.peek() is not None and not tokens.depth:
            raise self._error(first, f"unexpected {quoted(tokens.rest_text())} in {kind}")
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

    def _declarations(self, tokens: Tokens, pipe: Pipe, kind: str) -> None:
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
                f"template: {self.name}:{self._line}: undefined variable {quoted(name)}"
            )

    def _command(self, tokens: Tokens, context: str) -> list[Operand]:
        operands: list[Operand] = []
        while (token := tokens.peek()) is not None and token.text not in ("|", ")"):
            operands.append(self._operand(tokens))
        if not operands:
            raise TemplateSyntaxError(
                f"template: {self.name}:{self._line}: missing value for {context}"
            )
        return operands

    def _operand(self, tokens: Tokens) -> Operand:
        token = tokens.next()
        assert token is not None
        operand = self._simple(token, tokens)
        while (field := tokens.adjacent_field()) is not None:
            if operand.kind in ("constant", "nil"):
                raise self._error(token, f"unexpected . after term {quoted(operand.text)}")
            operand.add_field(field)
        return operand

    def _simple(self, token: Token, tokens: Tokens) -> Operand:
        match token.kind:
            case "field":
                operand = Operand("dot", None, token)
                operand.fields.append(token.text[1:])
                operand.places.append(token.place)
                return operand
            case "dot":
                return Operand("dot", None, token)
            case "variable":
                self._known(token.text)
                return Operand("variable", token.text, token)
            case "word":
                return self._word(token)
            case "string" | "raw" | "char" | "number":
                return Operand("constant", self._constant(token), token)
            case _ if token.text == "(":
                return self._parenthesis(token, tokens)
        raise self._error(token, f"unexpected {quoted(token.text)} in operand")

    def _parenthesis(self, token: Token, tokens: Tokens) -> Operand:
        tokens.depth += 1
        first = tokens.peek()
        if first is None:
            raise self._error(token, "unclosed left paren")
        pipe = self._pipe(tokens, first)
        tokens.depth -= 1
        if tokens.last is None or tokens.last.text != ")":
            raise self._error(token, "unclosed left paren")
        operand = Operand("pipe", pipe, first)
        operand.text = f"({pipe.text})"
        return operand

    def _word(self, token: Token) -> Operand:
        if token.text in ("true", "false"):
            return Operand("constant", token.text == "true", token)
        if token.text == "nil":
            return Operand("nil", None, token)
        if token.text in _KEYWORDS:
            raise self._error(token, f"unexpected <{token.text}> in operand")
        if token.text not in self.functions:
            raise self._error(token, f"function {quoted(token.text)} not defined")
        return Operand("function", token.text, token)

    def _constant(self, token: Token) -> Any:
        text = token.text
        if token.kind == "raw":
            return text[1:-1]
        if token.kind in ("string", "char"):
            value = unquoted(text[1:-1])
            return ord(value) if token.kind == "char" else value
        try:
            return int(text.replace("_", ""), 0)
        except ValueError:
            pass
        try:
            return float(text)
        except ValueError:
            raise self._error(token, f"bad number syntax: {quoted(text)}") from None
