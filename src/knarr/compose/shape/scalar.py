"""Single values: text, numbers, sizes, durations, commands."""

import re
from dataclasses import dataclass
from typing import Any, Final

from knarr.compose.command import split
from knarr.compose.gotext import duration_text, float32, text_of
from knarr.compose.origin import dotted
from knarr.compose.shape.base import ABSENT, Form, Place, Shape, ShapeError, is_one_of
from knarr.errors import InvalidArgument
from knarr.units import duration_ns, size_bytes

_TRUE: Final = frozenset(("true", "y", "yes", "on"))
_FALSE: Final = frozenset(("false", "n", "no", "off"))
_LONG_UNITS: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([wd])")
_HOURS: Final = {"d": 24, "w": 24 * 7}


def _miscast(at: Place, complaint: str) -> ShapeError:
    sentence = f"error while interpolating {dotted(at.path)}: failed to cast to expected type: "
    return ShapeError(at.path, sentence + complaint)


@dataclass(frozen=True, slots=True)
class Anything(Shape):
    """Whatever YAML can hold, kept as it is."""

    def check(self, value: Any, at: Place) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Shape):
    """A string. pattern: what it must contain; choices: what it may be."""

    pattern: str = ""
    choices: tuple[str, ...] = ()
    or_number: bool = False  # a number may stand for its digits
    or_boolean: bool = False

    def accepts(self, value: object) -> bool:
        return (
            isinstance(value, str)
            or (self.or_number and is_one_of(value, ("number",)))
            or (self.or_boolean and isinstance(value, bool))
        )

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit(f"must be a {self._kinds()}")
        if at.is_template(value):
            return
        if self.choices and value not in self.choices:
            names = ", ".join(f"'{choice}'" for choice in self.choices)
            one_of = "one of " if len(self.choices) > 1 else ""
            raise at.misfit(f"value must be {one_of}{names}")
        if self.pattern and re.search(self.pattern, value) is None:
            raise at.misfit(f"'{value}' does not match pattern '{self.pattern}'")

    def _kinds(self) -> str:
        number = "number or " if self.or_number else ""
        return ("boolean or " if self.or_boolean else number) + "string"

    def read(self, value: Any, at: Place) -> Any:
        return value if isinstance(value, str) or at.keeps(value) else text_of(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boolean(Shape):
    """True or false; the words of YAML 1.1 as well, since people have them in variables.

    tristate: false is not the same as nothing said.  strict: no words.
    """

    tristate: bool = False
    strict: bool = False

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool) or (not self.strict and isinstance(value, str))

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit("must be a boolean" if self.strict else "must be a boolean or string")

    def read(self, value: Any, at: Place) -> Any:
        if isinstance(value, bool) or at.keeps(value):
            return value
        word = value.lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise _miscast(at, f"invalid boolean: {value}")

    def omits(self, value: Any) -> bool:
        return value is None or (value is False and not self.tristate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer(Shape):
    """A whole number, or digits.

    optional: zero is not the same as nothing said.  fractions: the schema lets a fraction pass.
    """

    minimum: int | None = None
    maximum: int | None = None
    optional: bool = False
    fractions: bool = False
    digits: bool = True

    def accepts(self, value: object) -> bool:
        kinds = ("number",) if self.fractions else ("integer",)
        return is_one_of(value, (*kinds, "string") if self.digits else kinds)

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            number = "number" if self.fractions else "integer"
            raise at.misfit(
                f"must be a {number} or string" if self.digits else f"must be a {number}"
            )
        if isinstance(value, str):
            return
        if self.minimum is not None and value < self.minimum:
            raise at.misfit(f"must be greater than or equal to {self.minimum}")
        if self.maximum is not None and value > self.maximum:
            raise at.misfit(f"must be less than or equal to {self.maximum}")

    def read(self, value: Any, at: Place) -> Any:
        if at.keeps(value):
            return value
        try:
            return int(value)
        except ValueError as error:
            raise _miscast(at, f'parsing "{value}": invalid syntax') from error

    def omits(self, value: Any) -> bool:
        return value is None or (value == 0 and not self.optional)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decimal(Shape):
    """A number with a fraction, or its digits; kept to the precision of 32 bits as Docker does."""

    whole: bool = False  # the schema wants it whole between minimum and maximum
    maximum: int | None = None

    def accepts(self, value: object) -> bool:
        return is_one_of(value, ("integer" if self.whole else "number", "string"))

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit(f"must be a {'integer' if self.whole else 'number'} or string")
        if not isinstance(value, str) and self.maximum is not None and value > self.maximum:
            raise at.misfit(f"must be less than or equal to {self.maximum}")

    def read(self, value: Any, at: Place) -> Any:
        if at.keeps(value):
            return value
        try:
            number = float32(float(value))
        except ValueError as error:
            raise _miscast(at, f'parsing "{value}": invalid syntax') from error
        return int(number) if number.is_integer() else number


@dataclass(frozen=True, slots=True, kw_only=True)
class Size(Shape):
    """Bytes: a number, or ``512m``, ``1.5g``; canonical are the digits of the bytes."""

    fractions: bool = True

    def accepts(self, value: object) -> bool:
        return is_one_of(value, ("number" if self.fractions else "integer", "string"))

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit(f"must be a {'number' if self.fractions else 'integer'} or string")

    def read(self, value: Any, at: Place) -> Any:
        if at.keeps(value):
            return value
        if not isinstance(value, str):
            return str(int(value))
        try:
            return str(size_bytes(value))
        except InvalidArgument as error:
            raise at.unreadable(str(error)) from error

    def omits(self, value: Any) -> bool:
        return value in (None, "", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration(Shape):
    """A stretch of time: ``1h30m``, ``500ms``, also days and weeks; canonical as Go prints it."""

    optional: bool = True  # zero is not the same as nothing said

    def accepts(self, value: object) -> bool:
        return isinstance(value, str)

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit("must be a string")

    def read(self, value: Any, at: Place) -> Any:
        if at.keeps(value):
            return value
        hours = _LONG_UNITS.sub(lambda match: f"{float(match[1]) * _HOURS[match[2]]:f}h", value)
        try:
            return duration_text(duration_ns(hours))
        except InvalidArgument as error:
            raise at.unreadable(f"invalid duration: '{value}'") from error

    def omits(self, value: Any) -> bool:
        return value is None or (value == "0s" and not self.optional)


@dataclass(frozen=True, slots=True)
class FileMode(Shape):
    """Permissions: a number (``0440`` is octal in YAML) or octal digits; canonical ``0440``."""

    def accepts(self, value: object) -> bool:
        return is_one_of(value, ("number", "string"))

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit("must be a number or string")

    def read(self, value: Any, at: Place) -> Any:
        if at.keeps(value):
            return value
        try:
            return f"0{int(value, 8) if isinstance(value, str) else int(value):o}"
        except ValueError as error:
            raise at.unreadable(f'parsing "{value}": invalid syntax') from error


@dataclass(frozen=True, slots=True)
class Command(Shape):
    """A program and its arguments: a list, or a line split as a shell would.

    Null leaves the image's own in place; an empty list or line takes it away.
    """

    def accepts(self, value: object) -> bool:
        return value is None or isinstance(value, str | list)

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit("must be a null")
        for index, word in enumerate(value if isinstance(value, list) else ()):
            if not isinstance(word, str):
                raise (at / index).misfit("must be a string")

    def read(self, value: Any, at: Place) -> Any:
        if not isinstance(value, str) or at.keeps(value):
            return value
        try:
            return split(value)
        except InvalidArgument as error:
            raise at.unreadable(str(error)) from error

    def merge(self, base: Any, other: Any) -> Any:
        return other

    def omits(self, value: Any) -> bool:
        return False

    def write(self, value: Any, form: Form) -> Any:
        return ABSENT if value is None and form is Form.YAML else value

    def always(self, form: Form) -> Any:
        return None if form is Form.JSON else ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(Shape):
    """The test of a health check: a list that begins with CMD, CMD-SHELL or NONE, or a line."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, str | list)

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit("must be a string")
        for index, word in enumerate(value if isinstance(value, list) else ()):
            if not isinstance(word, str):
                raise (at / index).misfit("must be a string")

    def read(self, value: Any, at: Place) -> Any:
        if not isinstance(value, str) or at.as_written:
            return value
        return ["CMD-SHELL", value]

    def merge(self, base: Any, other: Any) -> Any:
        return other

    def omits(self, value: Any) -> bool:
        return not value
