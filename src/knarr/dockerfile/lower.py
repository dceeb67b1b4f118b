"""From a Dockerfile to a graph of operations and the config of the image that comes out.

Pure: what it needs to know about base images is asked for by ``bases_needed`` and handed in.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from knarr.build.graph import Vertex
from knarr.build.ops import Context, Copy, Image, Scratch, Selection
from knarr.dockerfile.arguments import PROXIES, check_options, epoch, platform_args, proxies
from knarr.dockerfile.expansion import ExpansionError, expand
from knarr.dockerfile.instructions.arg import Arg
from knarr.dockerfile.instructions.onbuild import OnBuild
from knarr.dockerfile.model import Dockerfile, StageText, Statement, parse_trigger
from knarr.dockerfile.plan import BaseRequest, BuildOptions, Plan, Step
from knarr.dockerfile.platforms import parse_platform
from knarr.dockerfile.source import BuildError, DockerfileError, suggestion
from knarr.dockerfile.stage import DEFAULT_PATH, Stage
from knarr.errors import InvalidArgument, KnarrError, NotFound
from knarr.reference import Reference
from knarr.spec.docker.image import ImageConfig
from knarr.spec.oci.image import ImageDocument, Platform
from knarr.times import rfc3339_ns

SCRATCH: Final = "scratch"
_BUILTIN: Final = re.compile(r"BUILDKIT_\w+|SOURCE_DATE_EPOCH")


Bases = Mapping[BaseRequest, ImageDocument]


def bases_needed(dockerfile: Dockerfile, options: BuildOptions, known: Bases) -> set[BaseRequest]:
    """The images that have to be known before ``lower`` can be called.

    Ask again with more of them known: an image's ONBUILD may need others.
    """
    lowering = _Lowering(dockerfile, options, known)
    pending = [lowering.target_text(), *(dockerfile.stages if options.all_stages else ())]
    seen, needed = set[int](), set[BaseRequest]()
    while pending:
        text = pending.pop()
        if text.index in seen:
            continue
        seen.add(text.index)
        for found in lowering.needs(text):
            if isinstance(found, StageText):
                pending.append(found)
            elif found not in known:
                needed.add(found)
    return needed


def lower(dockerfile: Dockerfile, options: BuildOptions, bases: Bases) -> Plan:
    """The plan of the build. Raises BuildError or DockerfileError at the line that is wrong."""
    lowering = _Lowering(dockerfile, options, bases)
    for text in dockerfile.stages if options.all_stages else ():
        lowering.stage(text)
    target = lowering.stage(lowering.target_text())
    labels = {**target.config.labels, **options.labels}
    target = target.configured(labels=labels)
    return Plan(
        dockerfile=dockerfile,
        options=options,
        target=target,
        bases=lowering.base_of,
        base_reference=_base_reference(target.node),
        global_args=lowering.global_args,
        steps=tuple(lowering.numbered_steps()),
        unused_args=lowering.unused_args(),
        epoch=epoch(lowering.global_args, options.build_args),
        proxies=proxies(options.build_args),
        check=check_options(dockerfile, options.build_args),
    )


def default_global_args(dockerfile: Dockerfile, options: BuildOptions) -> dict[str, str]:
    """The global ARGs as they would be if the client gave none."""
    return _Lowering(dockerfile, replace(options, build_args={}), {}).global_args


def normal_image_name(text: str) -> str:
    """The full reference of an image's name in a Dockerfile. Raises InvalidArgument."""
    try:
        return str(Reference.parse(text).tagged())
    except InvalidArgument as error:
        raise InvalidArgument(f'failed to parse stage name "{text}": {error}') from error


def _base_reference(vertex: Vertex) -> str:
    while vertex.inputs:
        vertex = vertex.inputs[0]
    return vertex.op.reference if isinstance(vertex.op, Image) else ""


def _as_root(files: Vertex) -> Vertex:
    """A named context that a stage stands on: its files are the whole root."""
    everything = Copy(selections=(Selection(input=1, paths=(".",)),), destination="/")
    return Vertex(everything, (Vertex(Scratch()), files))


def _created_ns(document: ImageDocument) -> int:
    """When the image says it was made; 0 where it says nothing that is a time."""
    try:
        return rfc3339_ns(document.created)
    except InvalidArgument:
        return 0


@dataclass(frozen=True, slots=True)
class _Done:
    """A step before it is known how many there will be."""

    stage: str
    statement: Statement
    before: Stage | None
    after: Stage


class _Lowering:
    """One run of ``lower``: the stages done so far, each of them once."""

    def __init__(self, dockerfile: Dockerfile, options: BuildOptions, bases: Bases) -> None:
        self.dockerfile = dockerfile
        self.options = options
        self.base_of: dict[int, ImageDocument] = {}
        self._bases = bases
        self._stages: dict[int, Stage] = {}
        self._done: dict[int, list[_Done]] = {}
        self.global_args = {
            **platform_args(options),
            "TARGETSTAGE": options.target or dockerfile.stages[-1].name or "default",
        }
        for statement, arg in zip(dockerfile.globals, dockerfile.global_args, strict=True):
            self._add_globals(statement, arg)

    def _add_globals(self, statement: Statement, arg: Arg) -> None:
        for pair in arg.pairs:
            if pair.key in self.options.build_args:
                self.global_args[pair.key] = self.options.build_args[pair.key]
            elif pair.value is not None:
                value = self._expand_global(statement, pair.value)
                self.global_args[pair.key] = value

    def _expand_global(self, statement: Statement, text: str) -> str:
        try:
            escape = self.dockerfile.directives.escape
            return expand(text, self.global_args, escape=escape).text
        except ExpansionError as error:
            raise statement.line.error(str(error)) from error

    # What a stage asks about the world outside of it

    @property
    def build_args(self) -> Mapping[str, str]:
        return self.options.build_args

    @property
    def network(self) -> str:
        return self.options.network

    @property
    def hostname(self) -> str:
        return self.options.build_args.get("BUILDKIT_SANDBOX_HOSTNAME", "")

    @property
    def cache_namespace(self) -> str:
        return self.options.build_args.get("BUILDKIT_CACHE_MOUNT_NS", "")

    def context(self) -> Vertex:
        return Vertex(Context())

    def files_of(self, origin: str, stage: Stage) -> Vertex:
        match self._origin(origin, self.dockerfile.stages[stage.index]):
            case StageText() as text:
                return self.stage(text).node
            case BaseRequest() as request:
                return self._image_vertex(request)
            case vertex:
                return vertex

    # Names

    def target_text(self) -> StageText:
        """The stage that is asked for: by name, by number, or the last one."""
        target = self.options.target
        if not target:
            return self.dockerfile.stages[-1]
        if found := self.dockerfile.stage_named(target):
            return found
        if target.isdecimal() and int(target) < len(self.dockerfile.stages):
            return self.dockerfile.stages[int(target)]
        names = [stage.name for stage in self.dockerfile.stages if stage.name]
        hint = suggestion(target, names)
        raise InvalidArgument(f'target stage "{target}" could not be found{hint}')

    def _origin(self, origin: str, user: StageText) -> StageText | BaseRequest | Vertex:
        """What ``--from`` or ``from=`` means in the stage ``user``."""
        if named := self.options.contexts.get(origin.lower()):
            return named.vertex or self._request(named.reference, self.options.platform)
        found = self.dockerfile.stage_named(origin)
        if found is None and origin.isascii() and origin.isdecimal():
            if int(origin) >= len(self.dockerfile.stages):
                raise InvalidArgument(f"invalid stage index {origin}")
            found = self.dockerfile.stages[int(origin)]
        if found is None:
            if origin == SCRATCH:
                return Vertex(Scratch())
            return self._request(origin, self.options.platform)
        if found.index == user.index:
            raise InvalidArgument(f"circular dependency detected on stage: {user.title}")
        if found.index > user.index:
            raise InvalidArgument(
                f'cannot copy from stage "{origin}", '
                f'it needs to be defined before current stage "{user.title}"'
            )
        return found

    def _request(self, name: str, platform: Platform) -> BaseRequest:
        return BaseRequest(reference=normal_image_name(name), platform=platform)

    def _base(self, text: StageText) -> StageText | BaseRequest | Vertex:
        """What the stage stands on."""
        platform = self._platform(text)
        name = self._expand_global(text.start, text.from_.base)
        if not name:
            problem = f"base name ({text.from_.base}) should not be blank"
            raise text.start.line.error(problem)
        named = self.options.contexts.get(text.name) if text.name else None
        if named := named or self.options.contexts.get(name.lower()):
            if named.vertex is not None:
                return _as_root(named.vertex)
            return self._request(named.reference, platform)
        if stage := self.dockerfile.stage_named(name, before=text.index):
            return stage
        return Vertex(Scratch()) if name == SCRATCH else self._request(name, platform)

    def _platform(self, text: StageText) -> Platform:
        written = text.from_.platform
        if not written:
            return self.options.platform
        value = self._expand_global(text.start, written)
        if not value:
            raise text.start.line.error(f"empty platform value from expression {written}")
        try:
            return parse_platform(value)
        except InvalidArgument as error:
            problem = f"failed to parse platform {value}: {error}"
            raise text.start.line.error(problem) from error

    # What a stage needs

    def needs(self, text: StageText) -> Iterator[StageText | BaseRequest]:
        """The stages and images that the stage cannot be lowered without."""
        with _at(text.start):
            found = [self._base(text)]
        for statement in (*self._triggers(text), *text.statements):
            with _at(statement):
                found.extend(self._origin(name, text) for name in statement.what.origins())
        yield from (each for each in found if not isinstance(each, Vertex))

    def _triggers(self, text: StageText) -> list[Statement]:
        """What the base has for those who build on it."""
        match self._base(text):
            case StageText() as base:
                own = [each.what for each in base.statements]
                expressions = [each.trigger for each in own if isinstance(each, OnBuild)]
            case BaseRequest() as request if request in self._bases:
                config = self._bases[request].config
                expressions = list((config and config.on_build) or ())
            case _:
                expressions = []
        return [parse_trigger(expression) for expression in expressions]

    # Lowering

    def stage(self, text: StageText) -> Stage:
        """The stage, done; its base and its sources are done before it."""
        if text.index not in self._stages:
            with _at(text.start):
                current = self._start(text)
            done = [_Done(text.title, text.start, None, current)]
            for statement in (*self._triggers(text), *text.statements):
                with _at(statement):
                    after = statement.what.lower(current)
                done.append(_Done(text.title, statement, current, after))
                current = after
            self._done[text.index] = done
            self._stages[text.index] = current
        return self._stages[text.index]

    def _start(self, text: StageText) -> Stage:
        platform = self._platform(text)
        base = self._base(text)
        if isinstance(base, StageText):
            below = self.stage(base)
            self.base_of[text.index] = self.base_of[base.index]
            return replace(
                below.configured(on_build=None),
                name=text.title,
                index=text.index,
                cmd_is_set=False,
            )
        document = self._document(base, platform)
        self.base_of[text.index] = document
        config = document.config or ImageConfig(working_dir="/")
        vertex = base if isinstance(base, Vertex) else self._image_vertex(base)
        stage = Stage(
            world=self,
            name=text.title,
            index=text.index,
            platform=platform,
            node=vertex,
            config=config,
            author=document.author,
            escape=self.dockerfile.directives.escape,
            noted_node=vertex,
        ).configured(on_build=None)
        return stage if "PATH" in stage.env else stage.with_env("PATH", DEFAULT_PATH)

    def _document(self, base: BaseRequest | Vertex, platform: Platform) -> ImageDocument:
        if isinstance(base, Vertex):
            return ImageDocument(
                architecture=platform.architecture,
                os=platform.os,
                variant=platform.variant,
                config=ImageConfig(working_dir="/"),
            )
        if base not in self._bases:
            raise NotFound(f"{base.reference}: not found")
        return self._bases[base]

    def _image_vertex(self, request: BaseRequest) -> Vertex:
        document = self._document(request, request.platform)
        return Vertex(
            Image(
                reference=request.reference,
                diff_ids=document.rootfs.diff_ids,
                time_ns=_created_ns(document),
            )
        )

    # What is told about the whole

    def numbered_steps(self) -> Iterator[Step]:
        """The steps of all stages that were needed, in the file's order."""
        done = [each for index in sorted(self._done) for each in self._done[index]]
        for number, each in enumerate(done, start=1):
            yield Step(
                number=number,
                total=len(done),
                stage=each.stage,
                statement=each.statement,
                before=each.before,
                after=each.after,
            )

    def unused_args(self) -> tuple[str, ...]:
        declared = {pair.key for arg in self.dockerfile.global_args for pair in arg.pairs}
        for done in self._done.values():
            declared |= {arg.name for arg in done[-1].after.arguments}
        known = declared | self.global_args.keys()
        return tuple(
            name
            for name in sorted(self.options.build_args)
            if name not in known and name.upper() not in PROXIES and not _BUILTIN.fullmatch(name)
        )


@contextmanager
def _at(statement: Statement) -> Iterator[None]:
    """Whatever goes wrong inside is told with the statement's line."""
    try:
        yield
    except (DockerfileError, BuildError):
        raise
    except (ExpansionError, KnarrError) as error:
        logical = statement.line.logical
        raise BuildError(str(error), logical.source, statement.place, logical.last_line) from error
