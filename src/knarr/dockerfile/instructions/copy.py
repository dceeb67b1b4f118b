"""COPY and ADD: what they have in common, and what ADD has besides."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from knarr.build.graph import Vertex
from knarr.build.modes import mode_change
from knarr.build.ops import Copy as CopyOperation
from knarr.build.ops import Http, InlineFile, InlineFiles, Merge, Scratch, Selection
from knarr.dockerfile.expansion import expand
from knarr.dockerfile.instruction import instruction
from knarr.dockerfile.lexer import Heredoc, parse_heredoc
from knarr.dockerfile.line import Line, Options
from knarr.dockerfile.remote import file_name_of, is_http, parse_git
from knarr.dockerfile.stage import Stage
from knarr.errors import InvalidArgument
from knarr.patterns import has_wildcard

_CHECKSUM: Final = re.compile(r"sha256:[0-9a-f]{64}|[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The arguments and flags that both have."""

    sources: tuple[str, ...]
    heredocs: tuple[Heredoc, ...]
    destination: str
    owner: str = ""
    mode: str = ""
    link: bool = False
    exclude: tuple[str, ...] = ()

    def expanded(self) -> tuple[str, ...]:
        texts = (*self.sources, self.destination, self.owner, self.mode, *self.exclude)
        return tuple(text for text in texts if text)

    def _target(self, stage: Stage) -> str:
        """The destination as an absolute path; ends in a slash where it must be a folder."""
        text = stage.expand(self.destination)
        here = stage.config.working_dir or "/"
        path = posixpath.normpath(posixpath.join("/", here, text)).replace("//", "/")
        is_folder = text.endswith(("/", "/.")) or text in {"", ".", "./"}
        return f"{path.rstrip('/')}/" if is_folder else path

    def _operation(
        self,
        stage: Stage,
        inputs: list[Vertex],
        selections: list[Selection],
        said: str,
        *,
        parents: bool = False,
    ) -> Stage:
        mode = stage.expand(self.mode)
        mode_change(mode)
        operation = CopyOperation(
            selections=tuple(selections),
            destination=self._target(stage),
            owner=stage.expand(self.owner),
            mode=mode,
            exclude=tuple(stage.expand(pattern) for pattern in self.exclude),
            parents=parents,
            follow=not self.link,
        )
        if not self.link:
            return stage.then(operation, *inputs).noted(f"{said} # buildkit")
        layer = Vertex(operation, (_copied_onto(stage, operation.owner), *inputs))
        return stage.then(Merge(), layer).noted(f"{said} # buildkit")

    def _inline(self, stage: Stage, inputs: list[Vertex]) -> Iterator[Selection]:
        if not self.heredocs:
            return
        files = tuple(
            InlineFile(
                name=heredoc.name,
                text=_heredoc_text(heredoc, stage),
            )
            for heredoc in self.heredocs
        )
        inputs.append(Vertex(InlineFiles(files=files)))
        yield Selection(input=len(inputs), paths=tuple(file.name for file in files))

    def _words(self, stage: Stage) -> list[str]:
        return [stage.expand(source) for source in self.sources]

    def _check_count(self, keyword: str, words: list[str], destination: str) -> None:
        """A wildcard may find one file, or be one of several that need not be there."""
        sure = not any(has_wildcard(word) for word in words)
        if sure and len(words) + len(self.heredocs) > 1 and not destination.endswith("/"):
            raise InvalidArgument(
                f"When using {keyword} with more than one source file, "
                "the destination must be a directory and end with a /"
            )


def _copied_onto(stage: Stage, owner: str) -> Vertex:
    """What a linked copy stands on: nothing, unless names of owners have to be looked up."""
    named = any(part and not part.isdecimal() for part in owner.split(":"))
    return stage.node if named else Vertex(Scratch())


def _heredoc_text(heredoc: Heredoc, stage: Stage) -> str:
    if not heredoc.expands:
        return heredoc.text
    return expand(heredoc.text, stage.variables, quotes=False).text


def _arguments(line: Line) -> tuple[tuple[str, ...], tuple[Heredoc, ...], str]:
    """Sources, heredocs among them, destination."""
    json = line.json()
    *sources, destination = (json if json is not None else line.words()) or ("",)
    if not sources:
        raise line.error(
            f"{line.name} requires at least two arguments, but only one was provided. "
            "Destination could not be determined",
            line.rest_offset,
        )
    if json is not None:
        return tuple(sources), (), destination
    if parse_heredoc(destination):
        raise line.error(
            f"{line.name} cannot accept a heredoc as a destination",
            line.logical.text.rindex(destination),
        )
    bodies = {heredoc.name: heredoc for heredoc in line.logical.heredocs}
    announced = {word: heredoc for word in sources if (heredoc := parse_heredoc(word))}
    paths = tuple(word for word in sources if word not in announced)
    return paths, tuple(bodies[heredoc.name] for heredoc in announced.values()), destination


def _said(keyword: str, transfer: Transfer, words: list[str], stage: Stage) -> str:
    owner, mode = stage.expand(transfer.owner), stage.expand(transfer.mode)
    destination = stage.expand(transfer.destination)
    flags = [
        *([f"--chown={owner}"] if owner else []),
        *([f"--chmod={mode}"] if mode else []),
        *(["--link"] if transfer.link else []),
    ]
    inline = [f"<<{heredoc.name}" for heredoc in transfer.heredocs]
    return " ".join([keyword, *flags, *words, *inline, destination])


def _local_path(word: str) -> str:
    """A path below the context's root: it cannot be left, neither by / nor by ``..``."""
    pivot = "/./" in word
    path = word if pivot else posixpath.normpath(f"/{word}").lstrip("/")
    return path.lstrip("/") or "."


def _mode(line: Line, options: Options) -> str:
    mode = options.texts.get("chmod", "")
    if "$" not in mode:
        try:
            mode_change(mode)
        except InvalidArgument as error:
            raise line.error(str(error), line.flag_offset("chmod")) from error
    return mode


@instruction("COPY")
@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Transfer):
    """Files of the build context, a stage, an image or a named context, as a layer.

    Source: Dockerfile reference, "COPY".
    """

    origin: str = ""  # --from
    parents: bool = False

    @classmethod
    def parse(cls, line: Line) -> Self:
        options = line.options(
            texts=("chown", "chmod", "from"), booleans=("link", "parents"), lists=("exclude",)
        )
        sources, heredocs, destination = _arguments(line)
        origin = options.texts.get("from", "")
        if "$" in origin:
            raise line.error(
                "variable expansion is not supported for --from, define a new stage with FROM "
                "using ARG from global scope as a workaround",
                line.flag_offset("from"),
            )
        return cls(
            sources=sources,
            heredocs=heredocs,
            destination=destination,
            origin=origin,
            parents=options.booleans.get("parents", False),
            owner=options.texts.get("chown", ""),
            mode=_mode(line, options),
            link=options.booleans.get("link", False),
            exclude=options.lists.get("exclude", ()),
        )

    def lower(self, stage: Stage) -> Stage:
        words = self._words(stage)
        target = self._target(stage)
        self._check_count("COPY", words, target)
        inputs: list[Vertex] = []
        selections: list[Selection] = []
        if words:
            world = stage.world
            inputs.append(world.files_of(self.origin, stage) if self.origin else world.context())
            paths = tuple(_local_path(word) for word in words)
            selections.append(Selection(input=1, paths=paths))
        selections.extend(self._inline(stage, inputs))
        said = _said("COPY", self, words, stage)
        return self._operation(stage, inputs, selections, said, parents=self.parents)

    def origins(self) -> tuple[str, ...]:
        return (self.origin,) if self.origin else ()


@instruction("ADD")
@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Transfer):
    """Like COPY, from web addresses and git repositories too; local archives are unpacked.

    Source: Dockerfile reference, "ADD".
    """

    checksum: str = ""
    keep_git_dir: bool = False
    unpack: bool | None = None  # None: local archives yes, files from the web no

    @classmethod
    def parse(cls, line: Line) -> Self:
        options = line.options(
            texts=("chown", "chmod", "checksum"),
            booleans=("link", "keep-git-dir", "unpack"),
            lists=("exclude",),
        )
        sources, heredocs, destination = _arguments(line)
        checksum = options.texts.get("checksum", "")
        if checksum and len(sources) + len(heredocs) > 1:
            raise line.error(
                "checksum can't be specified for multiple sources", line.flag_offset("checksum")
            )
        return cls(
            sources=sources,
            heredocs=heredocs,
            destination=destination,
            checksum=checksum,
            keep_git_dir=options.booleans.get("keep-git-dir", False),
            unpack=options.booleans.get("unpack"),
            owner=options.texts.get("chown", ""),
            mode=_mode(line, options),
            link=options.booleans.get("link", False),
            exclude=options.lists.get("exclude", ()),
        )

    def lower(self, stage: Stage) -> Stage:
        words = self._words(stage)
        target = self._target(stage)
        self._check_count("ADD", words, target)
        checksum = stage.expand(self.checksum)
        inputs: list[Vertex] = []
        selections: list[Selection] = []
        local = [word for word in words if not self._remote(word, checksum, target)]
        if checksum and local:
            raise InvalidArgument("checksum requires HTTP(S) or Git sources")
        if local:
            inputs.append(stage.world.context())
            paths = tuple(_local_path(word) for word in local)
            selections.append(Selection(input=1, paths=paths, unpack=self.unpack))
        for word in words:
            if remote := self._remote(word, checksum, target):
                inputs.append(remote)
                selections.append(self._remote_selection(remote, len(inputs)))
        selections.extend(self._inline(stage, inputs))
        said = _said("ADD", self, words, stage)
        return self._operation(stage, inputs, selections, said)

    def _remote(self, word: str, checksum: str, target: str) -> Vertex | None:
        if checksum and not _CHECKSUM.fullmatch(checksum):
            raise InvalidArgument(f"invalid checksum digest format: {checksum}")
        git = parse_git(word, keep_git_dir=self.keep_git_dir, checksum=checksum)
        if git is not None:
            return Vertex(git)
        if not is_http(word):
            return None
        name = file_name_of(word)
        if not name and target.endswith("/"):
            raise InvalidArgument(f"cannot determine filename from url: {word}")
        return Vertex(Http(url=word, file_name=name or "download", checksum=checksum))

    def _remote_selection(self, vertex: Vertex, index: int) -> Selection:
        if isinstance(vertex.op, Http):
            paths = (vertex.op.file_name,)
            return Selection(input=index, paths=paths, unpack=bool(self.unpack))
        return Selection(input=index, paths=(".",))

    def origins(self) -> tuple[str, ...]:
        return ()
