"""``inspect`` of anything: the engine's JSON as it came, or a template over it.

Source: docker-cli reference, "inspect".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from knarr.cli.cli import Cli
from knarr.cli.exit import FAILED, BadTemplate, Exit, text_of
from knarr.cli.formatted import unescaped
from knarr.client.lean import loads
from knarr.errors import KnarrError
from knarr.template import OpenMap, Template, TemplateError, TemplateSyntaxError
from knarr.template_functions import Struct

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_INDENT: Final = "    "


def inspect(cli: Cli, refs: Iterable[str], fetch: Callable[[str], bytes], form: str) -> None:
    """Print what ``fetch`` answers for each of ``refs``; failures are told at the end."""
    as_json = form == "json"
    show = _shown_by(form) if form and not as_json else None
    found: list[str] = []
    failures: list[str] = []
    for ref in refs:
        try:
            raw = fetch(ref).decode("utf-8", "surrogateescape")
            found.append(show(typed(loads(raw))) if show else raw.strip())
        except KnarrError as error:
            failures.append(text_of(error))
            if isinstance(error, TemplateError):
                break
    if show:
        cli.out.write("".join(f"{text}\n" for text in found) or ("\n" if failures else ""))
    else:
        whole = f"[{','.join(found)}]"
        cli.print(whole if as_json else indented(whole))
    if failures:
        raise Exit(FAILED, "\n".join(failures))


def _shown_by(form: str) -> Callable[[Any], str]:
    try:
        template = Template(unescaped(form), missing_is_error=True)
    except TemplateSyntaxError as error:
        raise BadTemplate(f"template parsing error: {error}") from error

    def show(value: Any) -> str:
        try:
            return template.render(value)
        except TemplateError as error:
            raise TemplateError(f"template parsing error: {error}") from error

    return show


_OPEN: Final = frozenset(
    ("Annotations", "AuxiliaryAddresses", "Containers", "Data", "DriverOpts", "EndpointsConfig",
     "ExposedPorts", "Labels", "Networks", "Options", "PortBindings", "Ports", "StorageOpt",
     "Sysctls", "Tmpfs", "Volumes")
)  # fmt: skip


def typed(value: Any, key: str = "", parent: str = "") -> Any:
    """The document with its maps of free keys told apart from its structs."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if not isinstance(value, dict):
        return value
    inside = {name: typed(item, name, key) for name, item in value.items()}
    is_open = key in _OPEN or (parent, key) == ("LogConfig", "Config")
    return OpenMap(inside) if is_open else Struct(inside)


def indented(text: str) -> str:
    """JSON over lines with four spaces a level; every value keeps its bytes."""
    out: list[str] = []
    depth, opened = 0, False
    for token in _TOKEN.findall(text):
        if token in "}]":
            depth -= 1
            out.append(token if opened else f"\n{_INDENT * depth}{token}")
            opened = False
            continue
        if opened:
            out.append(f"\n{_INDENT * depth}")
            opened = False
        if token in "{[":
            depth += 1
            opened = True
            out.append(token)
        elif token == ",":
            out.append(f",\n{_INDENT * depth}")
        else:
            out.append(": " if token == ":" else token)
    return "".join(out)
