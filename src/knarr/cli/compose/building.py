"""Images of a project: built through the engine, their steps among its progress."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from knarr.cli.building.asking import (
    Asking,
    engine_is_knarr,
    lent_contexts,
    refuse_for_several,
    refuse_unsupported,
)
from knarr.cli.building.caching import cache_sources, cache_targets, keep_cache
from knarr.cli.building.layouts import Lent, sound
from knarr.cli.compose.build_section import Overrides, Section
from knarr.compose.actions import BuildImage
from knarr.compose.project import Project
from knarr.errors import KnarrError, Unsupported

if TYPE_CHECKING:
    from knarr.cli.compose.call import Call
    from knarr.cli.compose.logs import LogPrinter


def section_of(
    call: Call, project: Project, action: BuildImage, overrides: Overrides | None = None
) -> Section:
    return Section(
        project=project,
        service=project.all_services[action.service],
        image=action.image,
        overrides=overrides or Overrides(),
        separator=call.separator,
    )


def build(
    call: Call,
    project: Project,
    action: BuildImage,
    printer: LogPrinter,
    overrides: Overrides | None = None,
) -> None:
    """Build one service's image. Raises KnarrError with what the engine says of a failing step."""
    section = section_of(call, project, action, overrides)
    asking = _asking(call, section)
    cli, lent = asking.cli, Lent(asking.cli)
    try:
        with section.blamed():
            asking = asking._replace(
                cache_from=cache_sources(cli, asking.options.cache_from, lent, knarr=asking.knarr),
                lent=lent_contexts(asking.options, lent),
            )
        _follow(asking.sent(), section, printer)
    finally:
        lent.give_back()
        printer.end(section.service.name)
    for target in asking.cache_to:
        if target.type != "inline":
            keep_cache(cli, target)


def check(call: Call, project: Project, action: BuildImage, overrides: Overrides) -> list[str]:
    """What the checks of a Dockerfile find, for people; nothing is built."""
    section = section_of(call, project, action, overrides)
    asking = _asking(call, section)
    if not asking.knarr:
        raise Unsupported("--check needs knarr's own engine: this is another one")
    asking.options.check = True
    return [document.get("Text", "") for document in sound(asking.sent())]


def _asking(call: Call, section: Section) -> Asking:
    """The build as it will be asked for, in this thread. Raises for what cannot be."""
    cli = call.cli.beside(call.engines.engine)
    knarr = engine_is_knarr(cli)
    for warning in section.warnings():
        call.warn(warning)
    if not knarr:
        for name in section.missed():
            call.warn(f"{name} has no effect with this engine's builder")
    with section.blamed():
        options = section.options
        options.label = (*options.label, *section.labels(knarr=knarr))
        refuse_unsupported(options)
        if "," in options.platform:
            refuse_for_several(options, ())
        return Asking(
            cli=cli,
            options=options,
            source=section.source(),
            extras=section.extras(cli),
            knarr=knarr,
            cache_to=cache_targets(options.cache_to) if knarr else (),
            trace=False,
        )


def _follow(documents: Iterable[dict[str, Any]], section: Section, printer: LogPrinter) -> None:
    name, quiet = section.service.name, section.overrides.quiet
    for document in documents:
        if (error := document.get("errorDetail") or document.get("error")) is not None:
            text = error.get("message") if isinstance(error, dict) else error
            raise KnarrError(f"failed to build {name}: {text}")
        text = document.get("stream", "")
        if document.get("status") and not document.get("progressDetail"):
            told = f"{document['id']}: " if document.get("id") else ""
            text = f"{told}{document['status']}\n"
        if text and not quiet:
            printer.feed(name, text.encode())
