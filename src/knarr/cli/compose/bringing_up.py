"""Images, then containers: what ``up``, ``create``, ``run`` and ``scale`` have in common."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from knarr.compose.actions import BuildImage
from knarr.compose.consistency import check_container_names
from knarr.compose.container_actions import RecreateContainer, RollOut
from knarr.compose.discovery import is_true
from knarr.compose.draft import UpOptions
from knarr.compose.images import ImageOptions, plan_images
from knarr.compose.observing import with_details
from knarr.compose.plan import plan_up
from knarr.compose.reasons import DIVERGED, FORCE, NEVER
from knarr.errors import InvalidArgument

if TYPE_CHECKING:
    from knarr.cli.compose.build_section import Overrides
    from knarr.cli.compose.call import Call
    from knarr.cli.compose.flags import CreateFlags
    from knarr.cli.compose.logs import LogPrinter
    from knarr.compose.actions import Plan
    from knarr.compose.observed import Observed
    from knarr.compose.project import Project


def check_flags(flags: CreateFlags) -> None:
    """Refuse what contradicts itself, in Compose's words."""
    if flags.build and flags.no_build:
        raise InvalidArgument("--build and --no-build are incompatible")
    if flags.force_recreate and flags.no_recreate:
        raise InvalidArgument("--force-recreate and --no-recreate are incompatible")


def up_options(call: Call, flags: CreateFlags, services: tuple[str, ...], **more: Any) -> UpOptions:
    """What the flags say; ``more`` are further fields."""
    recreate = FORCE if flags.force_recreate else NEVER if flags.no_recreate else DIVERGED
    given: dict[str, Any] = {
        "services": services,
        "recreate": recreate,
        "recreate_dependencies": NEVER if flags.no_recreate else DIVERGED,
        "remove_orphans": flags.remove_orphans or is_true(call.setting("COMPOSE_REMOVE_ORPHANS")),
        "ignore_orphans": is_true(call.setting("COMPOSE_IGNORE_ORPHANS")),
        "replace_volumes": flags.yes,
        "separator": call.separator,
        "env_files": call.found.env_files,
    }
    return UpOptions(**(given | more))


def image_options(call: Call, flags: CreateFlags) -> ImageOptions:
    return ImageOptions(
        pull=flags.pull,
        build=flags.build,
        no_build=flags.no_build,
        now_ns=time.time_ns(),
        separator=call.separator,
    )


def ensure_images(
    call: Call,
    project: Project,
    options: ImageOptions,
    *,
    quiet: bool = False,
    builds: Overrides | None = None,
) -> Observed:
    """Fetch and build what is missing; what there is of the project after that."""
    check_container_names(project)
    observed = call.observe(project)
    plan = plan_images(project, observed, options)
    if plan.empty:
        return observed
    from knarr.cli.compose.building import build
    from knarr.cli.compose.images import pull

    printer = build_printer(call, plan)
    call.carry_out(
        plan, project, observed,
        pull=lambda action: pull(call, action, quiet=quiet),
        build=lambda action: build(call, project, action, printer, builds),
    )  # fmt: skip
    return call.observe(project)


def build_printer(call: Call, plan: Plan) -> LogPrinter:
    """For the steps of builds; their services' names stand before them when there are several."""
    from knarr.cli.compose.logs import LogPrinter

    names = [each.service for each in plan.actions if isinstance(each, BuildImage)]
    if names:
        call.use_lines()  # a block that is redrawn would overwrite them
    out = call.cli.out
    printer = LogPrinter(out, prefix=len(names) > 1, colour=call.coloured and out.isatty())
    printer.register(names)
    return printer


def replacements(plan: Plan) -> list[RecreateContainer]:
    """Everything that a plan puts in the place of something else."""
    alone = [each for each in plan.actions if isinstance(each, RecreateContainer)]
    rolled = [each for each in plan.actions if isinstance(each, RollOut)]
    return alone + [step for each in rolled for step in each.steps]


def rolls_out(plan: Plan) -> bool:
    return any(isinstance(each, RollOut) for each in plan.actions)


def plan_for(call: Call, project: Project, observed: Observed, options: UpOptions) -> Plan:
    """The plan; where it replaces something, with what was there to tell why."""
    plan = plan_up(project, observed, options)
    unexplained = [
        each.replaced for each in replacements(plan) if each.changes[0].attribute == "configuration"
    ]
    if not unexplained:
        return plan
    return plan_up(project, with_details(call.engines, observed, unexplained), options)
