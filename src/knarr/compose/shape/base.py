"""What every shape can do, and how it complains."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Final

from knarr.compose.origin import Path, dotted
from knarr.errors import InvalidArgument


class Form(Enum):
    """What a resolved project is written as; the two leave different things out."""

    YAML = "yaml"
    JSON = "json"


class ShapeError(InvalidArgument):
    """A value that does not fit; ``path`` says which, the text is the whole sentence."""

    def __init__(self, path: Path, complaint: str, *, about: str = "") -> None:
        super().__init__(complaint)
        self.path = path
        self.about = about


@dataclass(frozen=True, slots=True)
class Place:
    """The path of the value at hand, and whether variables in it are still to be expanded.

    as_written: values are for people to read, and stay as they wrote them: only what has a short
    and a long spelling gets the long one, and a single value becomes a list where it is one.
    """

    path: Path = ()
    templates: bool = False
    as_written: bool = False

    def __truediv__(self, key: str | int) -> "Place":
        return Place((*self.path, str(key)), self.templates, self.as_written)

    def canonical(self) -> "Place":
        """The same where values get their canonical form after all."""
        return Place(self.path, self.templates)

    def misfit(self, complaint: str) -> ShapeError:
        """The value is not what the schema allows here."""
        return ShapeError(self.path, f"{dotted(self.path)} {complaint}", about="validating")

    def unreadable(self, complaint: str) -> ShapeError:
        """The value is of the right type, and means nothing."""
        return ShapeError(self.path, f"{dotted(self.path)}: {complaint}")

    def is_template(self, value: object) -> bool:
        """Whether the value must stay as it is until its variables are known."""
        return self.templates and isinstance(value, str) and "$" in value

    def keeps(self, value: object) -> bool:
        """Whether a single value is left as it is, a template or not."""
        return self.as_written or self.is_template(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where relative paths count from."""

    directory: str
    home: str = ""
    real_path: Callable[[str], str] = field(default=lambda path: path)  # symbolic links resolved


_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "boolean"),
    (int, "integer"),
    (str, "string"),
    (list, "array"),
    (dict, "mapping"),
)


def kind_of(value: object) -> str:
    """The name that JSON Schema has for a value's type; ``mapping`` for its object."""
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "null")


def is_one_of(value: object, kinds: tuple[str, ...]) -> bool:
    kind = kind_of(value)
    return kind in kinds or (kind == "integer" and "number" in kinds)


class Shape:
    """The plainest shape: a value of some types that is replaced as a whole.

    check: refuse what the schema refuses.  read: from any spelling to the canonical one.
    merge: a later file's value over an earlier one's.  complete: what can only be said when all
    files are merged: what is missing, what stands twice, defaults.  locate: relative paths to
    absolute.  write: the document that ``config`` shows, in the order it shows it.
    """

    kinds: ClassVar[tuple[str, ...]] = ()

    def accepts(self, value: object) -> bool:
        return is_one_of(value, self.kinds)

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit(f"must be a {_alternatives(self.kinds)}")

    def read(self, value: Any, at: Place) -> Any:
        return value

    def merge(self, base: Any, other: Any) -> Any:
        return base if other is None else other

    def complete(self, value: Any, at: Place) -> Any:
        return value

    def locate(self, value: Any, base: Base) -> Any:
        return value

    def write(self, value: Any, form: Form) -> Any:
        return value

    def omits(self, value: Any) -> bool:
        """Whether a document leaves this value out: it says nothing."""
        return value is None or value is False or value in ("", 0)

    def always(self, form: Form) -> Any:
        """What stands in a document even when nothing is given; ABSENT for nothing."""
        return ABSENT


class _Absent:
    """Not even null."""

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()


def _alternatives(kinds: tuple[str, ...]) -> str:
    names = sorted(kinds)
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
