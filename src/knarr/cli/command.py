"""Commands from signatures: what a function takes is what its command takes.

    @command("volume create")
    def create(
        cli: Cli,
        volume: str = "",
        *,
        driver: Annotated[str, Flag("Driver", short="-d")] = "local",
        label: Annotated[tuple[str, ...], Flag("Label")] = (),
    ) -> None:
        '''Make a volume'''

Positional parameters are arguments, ``*more`` any number of them, keyword-only ones are flags. A
parameter whose type is a ``FlagGroup`` stands for all flags of that class. Signatures are read from
the code object: ``inspect`` and ``typing`` would cost more than the command.
"""

from __future__ import annotations

from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Annotated as Annotated
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., "int | None"])
else:

    class Annotated:
        """``Annotated[int, Flag(...)]`` as the pair (int, Flag)."""

        def __class_getitem__(cls, pair):
            return pair


class Kind:
    """How the value of a flag is written: its name in help, and the function that reads it."""

    __slots__ = ("bare", "name", "read", "zero")

    def __init__(
        self, name: str, read: Callable[[str], Any], *, zero: str = "", bare: str | None = None
    ) -> None:
        self.name = name
        self.read = read
        self.zero = zero  # a default that goes without saying
        self.bare = bare  # the value of a flag that stands alone; None demands one


_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


def _bool(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidArgument(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def integer(
    text: str, *, function: str = "ParseInt", low: int = -(2**63), high: int = 2**63
) -> int:
    """An integer as Go reads it with base 0: ``0x10``, ``0o7``, ``010`` and ``1_000`` too."""
    body = text.lstrip("+-") if text[:1] in "+-" and text[1:2] not in ("+", "-") else text
    base = 8 if len(body) > 1 and body[0] == "0" and body.isdecimal() else 0
    try:
        value = int(text, base)
    except ValueError:
        value = None
    if value is None or not body[:1].isdecimal() or text != text.strip():
        raise InvalidArgument(f'strconv.{function}: parsing "{text}": invalid syntax')
    if not low <= value < high:
        raise InvalidArgument(f'strconv.{function}: parsing "{text}": value out of range')
    return value


BOOL = Kind("", _bool, zero="false", bare="true")
STRING = Kind("string", str)
INT = Kind("int", integer, zero="0")
LIST = Kind("list", str)


class Flag:
    """One flag's help, and what its parameter's type does not say.

    short: one letter, with its dash.  kind: where the type alone does not tell.
    also: older spellings, which work and are not shown; a pair (name, True) warns as deprecated.
    since: the API version that an engine must speak for it.
    windows: only engines on Windows have it, so that knarr refuses it.
    shown: the default in the help text, where it is not the parameter's.
    """

    __slots__ = (
        "also",
        "deprecated",
        "help",
        "hidden",
        "kind",
        "short",
        "shown",
        "since",
        "windows",
    )

    def __init__(
        self,
        help: str,  # noqa: A002
        *,
        short: str = "",
        kind: Kind | None = None,
        also: tuple[str, ...] = (),
        deprecated: tuple[str, ...] = (),
        since: str = "",
        shown: str | None = None,
        hidden: bool = False,
        windows: bool = False,
    ) -> None:
        self.help = help
        self.short = short
        self.kind = kind
        self.also = also
        self.deprecated = deprecated
        self.since = since
        self.shown = shown
        self.hidden = hidden or windows
        self.windows = windows


class FlagGroup:
    """Flags that several commands share, as annotated attributes of a subclass with defaults."""

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)


class Option:
    """A flag bound to its parameter."""

    __slots__ = ("default", "flag", "group", "kind", "name", "parameter", "repeated")

    def __init__(self, parameter: str, pair: Any, default: Any, group: str = "") -> None:
        kind, flag = pair
        self.parameter = parameter
        self.name = parameter.rstrip("_").replace("_", "-")
        self.flag: Flag = flag
        self.default = default
        self.group = group
        self.repeated = isinstance(default, tuple)
        self.kind = flag.kind or _kind_of(kind)

    @property
    def spelling(self) -> str:
        """As messages name it: ``-m, --memory``."""
        return f"{self.flag.short}, --{self.name}" if self.flag.short else f"--{self.name}"


def _kind_of(annotation: Any) -> Kind:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    if not text or "|" in str(annotation):
        text = str(annotation)
    for word, kind in (("tuple", LIST), ("bool", BOOL), ("int", INT), ("str", STRING)):
        if text.startswith(word):
            return kind
    raise TypeError(f"no kind of flag for {annotation!r}")


class Command:
    """One command: its path, its function, and what the signature says.

    path: the words that call it, ``container ls``.
    usage: the arguments in the usage line.
    least, most: how many arguments it takes; ``most`` is None without a limit.
    interspersed: whether flags may follow the first argument.
    """

    __slots__ = (
        "function", "groups", "interspersed", "least", "most", "note", "options", "path", "since",
        "usage",
    )  # fmt: skip

    def __init__(
        self,
        path: str,
        function: Callable[..., int | None],
        *,
        usage: str | None,
        interspersed: bool,
        since: str,
        note: str,
    ) -> None:
        self.path = path
        self.function = function
        self.interspersed = interspersed
        self.since = since
        self.note = note
        code: CodeType = function.__code__
        defaults: tuple[Any, ...] = function.__defaults__ or ()
        keywords: dict[str, Any] = function.__kwdefaults__ or {}
        names = code.co_varnames
        arguments = names[1 : code.co_argcount]
        named = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        more = names[code.co_argcount + code.co_kwonlyargcount] if code.co_flags & 0x04 else ""
        self.least = len(arguments) - len(defaults)
        self.most = None if more else len(arguments)
        self.usage = _usage(arguments, self.least, more) if usage is None else usage
        self.groups: dict[str, type[FlagGroup]] = {}
        self.options: list[Option] = []
        for name in named:
            self._declare(name, function.__annotations__[name], keywords.get(name))

    def _declare(self, name: str, annotation: Any, default: Any) -> None:
        if isinstance(annotation, tuple):
            self.options.append(Option(name, annotation, default))
            return
        self.groups[name] = annotation
        for owner in reversed(annotation.__mro__):
            for each, pair in getattr(owner, "__annotations__", {}).items():
                self.options.append(Option(each, pair, getattr(annotation, each), name))

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    @property
    def has_options(self) -> bool:
        return any(not option.flag.hidden for option in self.options)

    def call(self, cli: Any, values: dict[str, Any], arguments: list[str]) -> int:
        """Run it with what was given; what was not keeps its default."""
        named: dict[str, Any] = {}
        grouped: dict[str, dict[str, Any]] = {name: {} for name in self.groups}
        for option in self.options:
            if option.parameter in values:
                target = grouped[option.group] if option.group else named
                target[option.parameter] = values[option.parameter]
        for name, kind in self.groups.items():
            named[name] = kind(**grouped[name])
        return self.function(cli, *arguments, **named) or 0


def _usage(arguments: tuple[str, ...], least: int, more: str) -> str:
    words = [
        name.upper() if place < least else f"[{name.upper()}]"
        for place, name in enumerate(arguments)
    ]
    if more:
        words.append(f"[{(arguments[-1] if arguments else more).upper()}...]")
    return " ".join(words)


COMMANDS: dict[str, Command] = {}  # by path; a command is here once its module has been imported


def command(
    path: str,
    *,
    usage: str | None = None,
    interspersed: bool = True,
    since: str = "",
    note: str = "",
) -> Callable[[F], F]:
    """Make a function the command ``path``. The file is found by that path, so they must agree."""

    def declare(function: F) -> F:
        COMMANDS[path] = Command(
            path, function, usage=usage, interspersed=interspersed, since=since, note=note
        )
        return function

    return declare
