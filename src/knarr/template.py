"""Go's text/template, as much of it as people write after ``--format``.

Values are plain: strings, numbers, booleans, None, lists, dicts, and objects with a method
``field(name)`` (rows of lists). Pipelines, variables, if, else if, with, range, break, continue,
trim markers and comments are here; ``define``, ``template`` and ``block`` are not.

Source: the documentation of Go's text/template; its errors are repeated word for word, since
scripts match on them.
"""

from __future__ import annotations

from collections.abc import Mapping

from knarr.template_functions import (
    FUNCTIONS,
    FunctionError,
    NoValue,
    is_true,
    kind_name,
    printed,
)  # fmt: skip
from knarr.template_parser import Branch, Break, Continue, Node, Operand, Parser, Pipe
from knarr.template_tokens import TemplateError, TemplateSyntaxError, Token, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol, TypeGuard

    class Fields(Protocol):
        """A value whose fields a template may name. Raises LookupError for one it has not."""

        go_type: str

        def field(self, name: str) -> Any: ...

    _Map = dict[str, Any]
else:
    _Map = dict  # who starts the command line pays for these modules: no ``typing``

__all__ = ["OpenMap", "Template", "TemplateError", "TemplateSyntaxError"]


class OpenMap(_Map):
    """A map whose keys are anybody's, such as labels: one that is missing is no error."""


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
        self._nodes = Parser(source, name, functions).parse()

    def render(self, data: Any) -> str:
        """The text for ``data``. Raises TemplateError where the template does not fit it."""
        out: list[str] = []
        _Run(self, out, data).walk(self._nodes, data)
        return "".join(out)


class _Run:
    """One rendering: the output, and the variables of the scopes that are open."""

    def __init__(self, template: Template, out: list[str], data: Any) -> None:
        self.template = template
        self.out = out
        self.variables: list[tuple[str, Any]] = [("$", data)]

    def error(self, where: Operand | Pipe, problem: str) -> TemplateError:
        name = self.template.name
        return TemplateError(
            f"template: {name}:{where.line}:{where.place}: "
            f"executing {quoted(name)} at <{where.text}>: {problem}"
        )

    def walk(self, nodes: Sequence[Node], dot: Any) -> None:
        for node in nodes:
            if isinstance(node, str):
                self.out.append(node)
            elif isinstance(node, Pipe):
                value = self.pipe(node, dot)
                if not node.names:
                    self.out.append(printed(value, top=True))
            elif isinstance(node, Branch):
                depth = len(self.variables)
                self.branch(node, dot)
                del self.variables[depth:]
            else:
                raise node

    def branch(self, node: Branch, dot: Any) -> None:
        if node.kind == "range":
            self.loop(node, dot)
            return
        value = self.pipe(node.pipe, dot)
        if is_true(value):
            self.walk(node.body, value if node.kind == "with" else dot)
        else:
            self.walk(node.otherwise, dot)

    def loop(self, node: Branch, dot: Any) -> None:
        names, node_pipe = node.pipe.names, node.pipe
        value = self.commands(node_pipe, dot)
        pairs = self.pairs(node_pipe, value)
        depth = len(self.variables)
        for key, item in pairs:
            values = (key, item) if len(names) == 2 else (item,)
            self.variables += zip(names, values, strict=False)
            try:
                self.walk(node.body, item)
            except Break:
                break
            except Continue:
                continue
            finally:
                del self.variables[depth:]
        if not pairs:
            self.walk(node.otherwise, dot)

    def pairs(self, pipe: Pipe, value: Any) -> list[tuple[Any, Any]]:
        if value is None or isinstance(value, NoValue):
            return []
        if isinstance(value, Mapping):
            return sorted(value.items())
        if isinstance(value, (list, tuple)):
            return list(enumerate(value))
        if isinstance(value, int) and not isinstance(value, bool):
            return [(number, number) for number in range(value)]
        raise self.error(_last_operand(pipe), f"range can't iterate over {printed(value)}")

    def pipe(self, pipe: Pipe, dot: Any) -> Any:
        value = self.commands(pipe, dot)
        for name in pipe.names:
            if pipe.declares:
                self.variables.append((name, value))
            else:
                place = max(i for i, (known, _) in enumerate(self.variables) if known == name)
                self.variables[place] = (name, value)
        return value

    def commands(self, pipe: Pipe, dot: Any) -> Any:
        value: Any = None
        for place, operands in enumerate(pipe.commands):
            value = self.command(operands, dot, [value] if place else [])
        return value

    def command(self, operands: list[Operand], dot: Any, piped: list[Any]) -> Any:
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

    def arguments(self, operands: list[Operand], dot: Any) -> list[Any]:
        return [self.operand(operand, dot) for operand in operands[1:]]

    def function(self, head: Operand, operands: list[Operand], dot: Any, piped: list[Any]) -> Any:
        whole = Operand("", None, Token("", "", head.line, head.place))
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

    def short_circuit(self, name: str, operands: list[Operand], dot: Any, piped: list[Any]) -> Any:
        value: Any = None
        for operand in operands:
            value = self.operand(operand, dot)
            if is_true(value) == (name == "or"):
                return value
        return piped[0] if piped else value

    def operand(self, operand: Operand, dot: Any, arguments: Callable[[], list[Any]] = list) -> Any:
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
        self, operand: Operand, value: Any, name: str, arguments: Callable[[], list[Any]]
    ) -> Any:
        self.called = False
        if isinstance(value, Mapping):
            if name in value:
                return value[name]
            if self.template.missing_is_error and not isinstance(value, OpenMap):
                raise self.error(operand, f"map has no entry for key {quoted(name)}")
            return NoValue()
        if _has_fields(value):
            return self.member(operand, value, name, arguments)
        if value is None or isinstance(value, NoValue):
            raise self.error(operand, f"nil pointer evaluating interface {{}}.{name}")
        raise self.error(operand, f"can't evaluate field {name} in type {kind_name(value)}")

    def member(
        self, operand: Operand, value: Fields, name: str, arguments: Callable[[], list[Any]]
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


def _last_operand(pipe: Pipe) -> Operand:
    return pipe.commands[-1][0]


def _has_fields(value: object) -> TypeGuard[Fields]:
    return hasattr(value, "go_type") and hasattr(value, "field")
