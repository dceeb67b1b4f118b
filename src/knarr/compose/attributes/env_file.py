"""Files of variables; later files win, ``environment`` has the last word."""

from dataclasses import dataclass
from typing import Any

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Boolean, Either, Fields, FilePath, Form, ListOf, Text
from knarr.compose.shape.collection import by_field


@dataclass(frozen=True, slots=True)
class _EnvFile(Fields):
    def write(self, value: Any, form: Form) -> Any:
        """A file that must be there is shown by its path alone, as Compose does."""
        return value["path"] if value.get("required") else Fields.write(self, value, form)


ENV_FILE = Attribute(
    name="env_file",
    shape=ListOf(
        Either(
            Text(),
            lambda path, _: {"path": path},
            _EnvFile(
                {"path": FilePath(), "required": Boolean(tristate=True), "format": Text()},
                required=("path",),
                defaults={"required": True},
                extensible=False,
            ),
        ),
        key=by_field("path"),
        lonely=True,
    ),
    source="Compose Specification, services, env_file",
)
