import sys
from collections.abc import Iterable

from knarr.cli.building.asking import (
    Asking,
    engine_is_knarr,
    extras_of,
    lent_contexts,
    platforms_of,
    refuse_for_several,
    refuse_own_flags,
    refuse_unsupported,
)
from knarr.cli.building.caching import cache_sources, cache_targets, keep_cache
from knarr.cli.building.context import find_context
from knarr.cli.building.display import (
    TRACE,
    Steps,
    display_for,
    explanation,
    failure_text,
    slowest,
)
from knarr.cli.building.layouts import Lent, sound
from knarr.cli.building.options import BuildOptions
from knarr.cli.building.outputs import Output
from knarr.cli.building.results import keep, write_files
from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.exit import Exit
from knarr.cli.progress import show_progress
from knarr.client.calls import images
from knarr.client.lean import Any
from knarr.errors import InvalidArgument, KnarrError, Unsupported


@command("image build", usage="PATH | URL | -")
def build(cli: Cli, place: str, *, options: BuildOptions) -> int:
    """Make an image from a Dockerfile

    The context is a folder, the address of a repository or archive, or '-' for an archive (or a
    Dockerfile alone) on standard input. An engine on this machine reads the folder by itself.
    """
    outputs = tuple(Output.parse(text) for text in options.output)
    for output in outputs:
        options.tag += tuple(name for name in output.names if name not in options.tag)
        options.annotation += output.annotations
        options.push = options.push or output.push
    _check(options)
    several = len(platforms_of(options, cli)) > 1
    if several:
        refuse_for_several(options, outputs)
    knarr = engine_is_knarr(cli)
    if not knarr:
        refuse_own_flags(options)
        if several:
            raise Unsupported("several platforms at once need knarr's own engine")
    targets = cache_targets(options.cache_to)
    asking = Asking(
        cli=cli,
        options=options,
        source=find_context(place, options.file, sys.stdin.buffer),
        extras=extras_of(options, cli),
        knarr=knarr,
        cache_to=targets,
    )
    if options.check:
        return _checked(cli, asking.sent())
    if options.call != "build":
        return _answered(cli, asking.sent())
    lent = Lent(cli)
    try:
        asking = asking._replace(
            cache_from=cache_sources(cli, options.cache_from, lent, knarr=knarr),
            lent=lent_contexts(options, lent),
        )
        image = _Built(cli, options).shown(asking.sent())
    finally:
        lent.give_back()
    if options.debug_step:
        return 0
    for target in targets:
        if target.type != "inline":
            keep_cache(cli, target)
    indexed = several or options.annotation
    keep(cli, options.tag[0] if indexed else image, options.tag, outputs, knarr=knarr)
    write_files(image, options.tag, iidfile=options.iidfile, metadata_file=options.metadata_file)
    if options.push:
        _push(cli, options)
    return 0


def _check(options: BuildOptions) -> None:
    if options.call not in {"build", "check", "outline", "targets"}:
        raise Unsupported(f"--call={options.call}: knarr knows build, check, outline and targets")
    refuse_unsupported(options)
    options.check = options.check or options.call == "check"
    if options.progress not in {"auto", "tty", "plain", "quiet", "rawjson", "none"}:
        raise InvalidArgument(f'invalid progress mode "{options.progress}"')
    if options.debug_step < 0:
        raise InvalidArgument(f"invalid --debug-step {options.debug_step}: steps count from 1")
    if options.on_error not in {"", "shell"}:
        raise InvalidArgument(f'invalid --on-error "{options.on_error}": only shell is known')
    if options.push and not options.tag:
        raise InvalidArgument("tag is needed when pushing to registry")


class _Built:
    """One build as it is shown."""

    def __init__(self, cli: Cli, options: BuildOptions) -> None:
        self._cli = cli
        self._options = options
        self._steps = Steps()
        quiet = options.quiet or options.progress in {"quiet", "none"}
        progress = "quiet" if quiet else options.progress
        self._display = display_for(progress, self._steps, cli.err, explain=options.explain)
        self._image = ""
        self._before = ""

    def shown(self, documents: Iterable[dict[str, Any]]) -> str:
        """Until the end; answers with the image's ID. Raises KnarrError, Exit."""
        try:
            for document in documents:
                if (error := document.get("errorDetail") or document.get("error")) is not None:
                    return self._failed(error)
                self._take(document)
        finally:
            self._display.end()
        if self._options.debug_step:
            self._shell(f"A shell in the state before step {self._options.debug_step}")
            return ""
        if self._options.explain:
            for line in explanation(self._steps):
                self._cli.print(line)
        self._told()
        return self._image

    def _take(self, document: dict[str, Any]) -> None:
        aux = document.get("aux")
        if document.get("id") == TRACE and isinstance(aux, dict):
            self._display.trace(aux)
        elif isinstance(aux, dict):
            self._image = aux.get("ID", self._image)
            self._before = aux.get("Before", self._before)
        elif document.get("stream"):
            self._display.message(document["stream"])
        elif document.get("status") and not document.get("progressDetail"):
            identifier = f"{document['id']}: " if document.get("id") else ""
            self._display.message(f"{identifier}{document['status']}")

    def _told(self) -> None:
        if self._options.quiet:
            self._cli.print(self._image)
            return
        if self._options.progress in {"quiet", "none", "rawjson"}:
            return
        slow = slowest(self._steps)
        if slow:
            self._display.message("What took the time:\n" + "\n".join(slow))
        names = ", ".join(self._options.tag)
        self._display.message(f"Built {self._image}" + (f" as {names}" if names else ""))

    def _failed(self, error: Any) -> str:
        message = error.get("message", "") if isinstance(error, dict) else str(error)
        code = error.get("code", 0) if isinstance(error, dict) else 0
        self._display.end()
        told = failure_text(self._steps)
        if told:
            self._cli.err.write(told)
        if self._before and self._options.on_error == "shell":
            self._shell("A shell in the state before the step")
        raise Exit(code or 1, f"ERROR: {message}")

    def _shell(self, what: str) -> None:
        """In the state before a step, which goes away with the shell."""
        from knarr.cli.commands.container.run import run
        from knarr.cli.create.options import ContainerOptions

        self._cli.warn(f"{what}; 'exit' ends it.")
        tty = sys.stdin.isatty()
        shell = ContainerOptions(interactive=True, tty=tty, rm=True, entrypoint="/bin/sh")
        try:
            run(self._cli, self._before, options=shell)
        except KnarrError as error:
            self._cli.warn(str(error))
        finally:
            self._cli.engine.ask(images.remove(self._before, force=True))


def _checked(cli: Cli, documents: Iterable[dict[str, Any]]) -> int:
    """What the checks found; 1 if it was anything."""
    count = 0
    for document in documents:
        if (error := document.get("errorDetail")) is not None:
            raise KnarrError(error.get("message", ""))
        cli.print(document.get("Text", ""))
        count += 1
    if not count:
        cli.print("Check complete, no warnings found.")
        return 0
    cli.print(f"Check complete, {count} warning{'s have' if count > 1 else ' has'} been found!")
    return 1


def _answered(cli: Cli, documents: Iterable[dict[str, Any]]) -> int:
    """What the engine says of the Dockerfile."""
    for document in sound(documents):
        cli.print(document.get("stream", "").removesuffix("\n"))
    return 0


def _push(cli: Cli, options: BuildOptions) -> None:
    from knarr.cli.credentials import header_for
    from knarr.reference import Reference

    for text in options.tag:
        reference = Reference.parse(text).tagged()
        request = images.push(
            reference.name, tag=reference.tag, auth=header_for(cli, reference.domain)
        )
        show_progress(cli.engine.lines(request), cli.err)
