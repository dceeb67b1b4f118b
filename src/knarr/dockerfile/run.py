"""One build, once its context is here and its Dockerfile is read."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from knarr.build import Layered, Session, Solver, StepFailed, Vertex
from knarr.build.keys import Inputs
from knarr.build.laststeps import LastBuild, Slot, Worked, worked
from knarr.build.ops import Image, Squash
from knarr.build.progress import Silence
from knarr.dockerfile.assembly import image_config, squashed_config
from knarr.dockerfile.bases import Bases, documents
from knarr.dockerfile.caches import Caches
from knarr.dockerfile.listening import StepListener
from knarr.dockerfile.lower import lower
from knarr.dockerfile.model import Dockerfile
from knarr.dockerfile.opening import Opened
from knarr.dockerfile.plan import BuildOptions, Plan, Step
from knarr.dockerfile.platforms import host_platform
from knarr.dockerfile.request import BuildRequest
from knarr.dockerfile.source import BuildError
from knarr.dockerfile.telling import Console, Quiet, Trace
from knarr.dockerfile.wants import agents_of, refuse_rights, secrets_of
from knarr.errors import InvalidArgument, KnarrError
from knarr.ids import Digest, ImageId
from knarr.image import Image as StoredImage
from knarr.image import ImageService
from knarr.image.events import image_event
from knarr.image.model import NewImage
from knarr.reference import Reference
from knarr.spec.docker.progress import Progress
from knarr.spec.document import decode
from knarr.spec.oci.image import ImageDocument, Platform
from knarr.spec.oci.platform import platform_text
from knarr.store import Database

_SECOND_NS = 1_000_000_000
_RUN_TOO = {"amd64": "386", "arm64": "arm"}  # what a machine runs besides its own
Say = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A build before it begins.

    steps_before: how many steps the builds for other platforms had, where there are several.
    """

    request: BuildRequest
    opened: Opened
    dockerfile: Dockerfile
    options: BuildOptions
    tags: tuple[Reference, ...]
    steps_before: int = 0

    @property
    def one_of_several(self) -> bool:
        return len(self.request.platforms) > 1


class Built(NamedTuple):
    """What came of a build."""

    image: ImageId
    steps: int


class Building:
    """Carries out one build; ``say`` takes what the client is to read."""

    def __init__(
        self,
        prepared: Prepared,
        db: Database,
        images: ImageService,
        solver: Solver,
        bases: Bases,
        say: Say,
    ) -> None:
        self._prepared = prepared
        self._request = prepared.request
        self._db = db
        self._images = images
        self._solver = solver
        self._bases = bases
        self._say = say
        self._caches = Caches(prepared.request, db, images, bases, say)
        self._base_ids: dict[str, ImageId] = {}
        self._last = LastBuild(db, _project(prepared), prepared.opened.trees)

    async def run(self) -> Built | None:
        """None where it stopped before a step. Raises StepFailed, BuildError and what else can go
        wrong.
        """
        plan = await self._plan()
        refuse_rights(plan.steps, self._request.allowed)
        await self._caches.take_in()
        slots = _slots(plan)
        teller = self._teller(plan)
        listener = StepListener(
            plan,
            teller,
            why=lambda step, inputs: self._why(slots, step, inputs),
            recall=self._solver.recall,
        )
        if isinstance(teller, Console):
            teller.begin()
        listener.begin()
        with self._solver.leased() as lease:
            session = await self._asked(plan, self._session(plan, listener, lease))
            if self._request.debug_step:
                await self._stop_before(plan, session, listener)
                return None
            try:
                result = await self._solver.solve(plan.vertex, session)
            except KnarrError as error:
                raise self._told(plan, listener, error) from error
            listener.rest(result)
            config = await self._config(plan, session, result)
            config = self._caches.told_in(config, plan.vertex, listener.keys)
            image = self._recorded(plan, config)
            self._caches.give_out(config, plan.vertex, listener.keys)
        self._last.remember(_worked(plan, slots, listener))
        names = tuple(tag.familiar for tag in self._prepared.tags)
        teller.finished(image.id, names, _warnings(plan))
        return Built(image.id, len(plan.steps))

    async def _stop_before(self, plan: Plan, session: Session, listener: StepListener) -> None:
        """Everything that one step stands on, and then the state as an image."""
        number = self._request.debug_step
        step = next((each for each in plan.steps if each.number == number), None)
        if step is None or step.before is None:
            known = ", ".join(str(each.number) for each in plan.steps if each.before)
            raise InvalidArgument(f"no step {number} to stop before: there are {known or 'none'}")
        try:
            below = await self._solver.solve(step.before.node, session)
        except KnarrError as error:
            raise self._told(plan, listener, error) from error
        self._say_state(plan, step, below)

    async def _plan(self) -> Plan:
        quiet = self._request.quiet and not self._request.trace
        prepared = self._prepared
        images = await self._bases.all(
            prepared.dockerfile,
            prepared.options,
            self._request.logins,
            (lambda _: None) if quiet else self._say,
            pull=self._request.pull,
            exact=prepared.one_of_several,
        )
        self._base_ids = {base.reference: image.id for base, image in images.items()}
        return lower(prepared.dockerfile, prepared.options, documents(images))

    def _teller(self, plan: Plan) -> Console | Quiet | Trace:
        if self._request.trace:
            prepared = self._prepared
            named = platform_text(prepared.options.platform)
            lead = f"{named} " if prepared.one_of_several else ""
            trace = Trace(self._say, lead=lead, first=prepared.steps_before)
            trace.plan(plan)
            return trace
        if self._request.quiet:
            return Quiet(self._say)

        def image_of(step: Step, result: Layered) -> str:
            op = step.after.node.op
            if step.before is None and isinstance(op, Image):
                return self._base_ids[op.reference]
            return NewImage(config=image_config(plan, step.after, result)).id

        came_by = self._images.beginnings(self._caches.trusted())

        def is_old(step: Step, result: Layered) -> bool:
            return came_by(decode(image_config(plan, step.after, result), ImageDocument))

        anew = self._request.no_cache
        return Console(
            plan,
            self._say,
            image_of,
            is_old=(lambda *_: False) if anew else is_old,
            removes=self._request.remove,
        )

    def _why(self, slots: dict[int, Slot], step: Step, inputs: Inputs) -> str:
        if step.number not in slots or step.vertex is None or not self._request.trace:
            return ""
        return self._last.why(Worked(slots[step.number], worked(step.vertex), inputs))

    def _session(self, plan: Plan, listener: StepListener, lease: str) -> Session:
        request, trusted = self._request, self._caches.trusted()
        return Session(
            contexts=self._prepared.opened.trees,
            secrets=self._prepared.opened.secrets,
            agents=request.agent_sockets,
            proxies=plan.proxies,
            hosts=request.hosts,
            resources=request.resources,
            epoch_ns=None if plan.epoch is None else plan.epoch * _SECOND_NS,
            no_cache=request.no_cache,
            uncached=_uncached(plan, request.no_cache_filter),
            trusted=None if trusted is None else tuple(image.diff_ids for image in trusted),
            lease=lease,
            timeout_s=request.timeout_s,
            allowed=request.allowed,
            listener=listener,
        )

    async def _asked(self, plan: Plan, session: Session) -> Session:
        """With the secrets and agents that the plan names, where the client keeps them."""
        if (keeper := self._request.keeper) is None:
            return session
        secrets, agents = dict(session.secrets), dict(session.agents)
        for name in secrets_of(plan.vertex) - secrets.keys():
            if (value := await keeper.secret(name)) is not None:
                secrets[name] = value
        for name in agents_of(plan.vertex) - agents.keys():
            if (socket := await keeper.agent(name)) is not None:
                agents[name] = socket
        return replace(session, secrets=secrets, agents=agents)

    # How it ended

    def _told(self, plan: Plan, listener: StepListener, error: KnarrError) -> KnarrError:
        """The error with the line of the Dockerfile that it comes from."""
        step = listener.failure
        if step is None:
            return error
        if isinstance(error, StepFailed):
            self._say_state_before(plan, step, listener)
            foreign = _foreign(step.after.platform)
            return StepFailed(f"{error}{foreign}", error.code) if foreign else error
        logical = step.statement.line.logical
        if isinstance(error, BuildError):
            return error
        return BuildError(str(error), logical.source, step.statement.place, logical.last_line)

    def _say_state_before(self, plan: Plan, step: Step, listener: StepListener) -> None:
        """So that a person can look into it: the state before the step, as an image."""
        below = listener.state_before(step)
        if self._request.keep_failed and below is not None:
            self._say_state(plan, step, below)

    def _say_state(self, plan: Plan, step: Step, below: Layered) -> None:
        if step.before is None:
            return
        config = image_config(plan, step.before, below)
        image = self._images.add(NewImage(config=config))
        self._say(Progress(aux={"Before": image.id, "Step": step.number}))

    async def _config(self, plan: Plan, session: Session, result: Layered) -> bytes:
        added = len(result.diff_ids) - len(plan.base.rootfs.diff_ids)
        if not self._request.squash or added < 2:
            return image_config(plan, plan.target, result)
        base = plan.vertex
        while base.inputs:
            base = base.inputs[0]
        squashing = Vertex(Squash(), (base, plan.vertex))
        quietly = replace(session, listener=Silence(), no_cache=False, uncached=frozenset())
        squashed = await self._solver.solve(squashing, quietly)
        return squashed_config(plan, plan.target, result, squashed)

    def _recorded(self, plan: Plan, config: bytes) -> StoredImage:
        """The image and its names; a name that led elsewhere is moved."""
        tags = self._prepared.tags
        image = self._images.add(NewImage(config=config, tags=tags, parent=self._parent(plan)))
        with self._db.transaction() as tx:
            for tag in tags:
                tx.emit(image_event("tag", image, tag.familiar))
        return image

    def _parent(self, plan: Plan) -> ImageId | None:
        """The local image that the target stands on."""
        base = plan.base_reference
        with suppress(KnarrError):
            return self._images.resolve(base).id if base else None
        return None


def _foreign(platform: Platform) -> str:
    """What to say of a command that failed, where its program may be of another machine.

    Otherwise nothing: the sentence is Docker's own, to the letter.
    """
    here = host_platform()
    if platform.architecture in {here.architecture, _RUN_TOO.get(here.architecture)}:
        return ""
    return (
        f"; it is for {platform_text(platform)}, which this machine runs only with an emulator"
        " (qemu-user and binfmt_misc)"
    )


def _project(prepared: Prepared) -> str:
    """By what the next build of the same thing will be known."""
    request = prepared.request
    if request.project:
        return request.project
    if prepared.tags:
        return str(prepared.tags[0])
    where = request.folder.path if request.folder else request.remote
    return f"{where} {prepared.opened.name}"


def _slots(plan: Plan) -> dict[int, Slot]:
    """Of the steps that do something, by their numbers."""
    slots: dict[int, Slot] = {}
    counts: dict[str, int] = {}
    for step in plan.steps:
        if step.before is not None and step.vertex is not None:
            ordinal = counts[step.stage] = counts.get(step.stage, 0) + 1
            slots[step.number] = Slot(step.stage, ordinal, step.text)
    return slots


def _worked(plan: Plan, slots: dict[int, Slot], listener: StepListener) -> list[Worked]:
    return [
        Worked(slots[step.number], worked(step.vertex), listener.keys[worked(step.vertex).digest])
        for step in plan.steps
        if step.number in slots
        and step.vertex is not None
        and worked(step.vertex).digest in listener.keys
    ]


def _uncached(plan: Plan, stages: tuple[str, ...]) -> frozenset[Digest]:
    """What ``--no-cache-filter`` wants done anew; what a stage stands on is another's work."""
    wanted = {stage.lower() for stage in stages}
    return frozenset(
        worked(step.vertex).digest
        for step in plan.steps
        if step.before is not None and step.vertex is not None and step.stage.lower() in wanted
    )


def _warnings(plan: Plan) -> tuple[str, ...]:
    if not plan.unused_args:
        return ()
    names = " ".join(plan.unused_args)
    return (f"[Warning] One or more build-args [{names}] were not consumed\n",)
