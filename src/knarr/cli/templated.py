"""A template over a document of the engine, whose maps of free keys are no structs."""

from __future__ import annotations

from collections.abc import Callable

from knarr.cli.exit import BadRendering, BadTemplate
from knarr.cli.formatted import unescaped
from knarr.cli.zeros import Told, ToldMap, zeros_of
from knarr.client.lean import Any, Final, loads
from knarr.template import OpenMap, Template, TemplateError, TemplateSyntaxError
from knarr.template_functions import Struct

_OPEN: Final = frozenset(
    ("Annotations", "AuxiliaryAddresses", "Containers", "Data", "DriverOpts", "EndpointsConfig",
     "ExposedPorts", "Labels", "Networks", "Options", "PortBindings", "Ports", "StorageOpt",
     "Sysctls", "Tmpfs", "Volumes")
)  # fmt: skip


def shown_by(form: str) -> Callable[[str], str]:
    """What makes text of a document. Raises BadTemplate, and BadRendering when it is called."""
    try:
        template = Template(unescaped(form), missing_is_error=True)
    except TemplateSyntaxError as error:
        raise BadTemplate(f"template parsing error: {error}") from error

    def show(raw: str) -> str:
        document = loads(raw)
        try:
            return template.render(with_zeros(document))
        except TemplateError:
            pass  # what the structs have not the document may have
        try:
            return template.render(typed(document))
        except TemplateError as error:
            raise BadRendering(f"template parsing error: {error}") from error

    return show


def typed(value: Any, key: str = "", parent: str = "") -> Any:
    """The document with its maps of free keys told apart from its structs."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if not isinstance(value, dict):
        return value
    inside = {name: typed(item, name, key) for name, item in value.items()}
    return OpenMap(inside) if _is_open(key, parent) else Struct(inside)


def with_zeros(value: Any, key: str = "", parent: str = "") -> Any:
    """The same with what Go's structs have where the document has nothing."""
    if isinstance(value, list):
        return [with_zeros(item) for item in value]
    if not isinstance(value, dict):
        return value
    inside = {name: with_zeros(item, name, key) for name, item in value.items()}
    made = ToldMap(inside) if _is_open(key, parent) else Told(inside)
    made.raw = value
    for name, zero in zeros_of(value, key, parent).items():
        if made.get(name) is None:
            made[name] = zero()
    return made


def _is_open(key: str, parent: str) -> bool:
    return key in _OPEN or (parent, key) == ("LogConfig", "Config")
