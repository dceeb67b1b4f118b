import os
import time
from dataclasses import replace

from knarr.cli.attached import STDIN_FD
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.bringing_up import (
    check_flags,
    ensure_images,
    image_options,
    plan_for,
    rolls_out,
    up_options,
)
from knarr.cli.compose.build_section import Overrides
from knarr.cli.compose.call import Call, called, positive_timeout
from knarr.cli.compose.flags import Common, CreateFlags
from knarr.cli.compose.providing import prepared
from knarr.compose.discovery import is_true
from knarr.compose.project import Project
from knarr.compose.reasons import FORCE
from knarr.errors import InvalidArgument


@command("compose up", usage="[SERVICE...]")
def up(
    cli: Cli,
    *services: str,
    common: Common,
    flags: CreateFlags,
    abort_on_container_exit: Annotated[bool, Flag("Stop all when one container ends")] = False,
    abort_on_container_failure: Annotated[bool, Flag("Stop all when one container fails")] = False,
    always_recreate_deps: Annotated[bool, Flag("Replace dependencies as well")] = False,
    attach: Annotated[tuple[str, ...], Flag("Show the output of these services only")] = (),
    attach_dependencies: Annotated[bool, Flag("Show the output of dependencies too")] = False,
    detach: Annotated[bool, Flag("Run in the background", short="-d")] = False,
    exit_code_from: Annotated[str, Flag("End with this service's exit code")] = "",
    menu: Annotated[bool, Flag("Keys for what is often done, while it runs")] = False,
    no_attach: Annotated[tuple[str, ...], Flag("Do not show the output of these")] = (),
    no_color: Annotated[bool, Flag("No colours")] = False,
    no_deps: Annotated[bool, Flag("Leave dependencies alone")] = False,
    no_log_prefix: Annotated[bool, Flag("No names before lines")] = False,
    no_start: Annotated[bool, Flag("Create and do not start")] = False,
    quiet_build: Annotated[bool, Flag("Show no steps of builds")] = False,
    renew_anon_volumes: Annotated[
        bool, Flag("New anonymous volumes in place of those before", short="-V")
    ] = False,
    timeout: Annotated[int, Flag("Seconds that a container has to stop", short="-t")] = 0,
    timestamps: Annotated[bool, Flag("Show when lines came")] = False,
    wait: Annotated[bool, Flag("Wait until all run or are healthy; implies --detach")] = False,
    wait_timeout: Annotated[int, Flag("Seconds to wait at most")] = 0,
    watch: Annotated[bool, Flag("Follow changes of files", short="-w")] = False,
) -> int:
    """Create and start containers"""
    check_flags(flags)
    _check(
        flags,
        in_background=detach or wait,
        wait=wait,
        follows=bool(attach_dependencies or attach or watch)
        or abort_on_container_exit
        or abort_on_container_failure,
        renew=renew_anon_volumes,
        deps=always_recreate_deps,
    )
    if abort_on_container_exit and abort_on_container_failure:
        raise InvalidArgument(
            "--abort-on-container-failure cannot be combined with --abort-on-container-exit"
        )
    with called(cli, common) as call:
        project = call.project(services, dependencies=not no_deps, scale=flags.scale)
        in_front = not (detach or wait or no_start or call.dry_run)
        options = up_options(
            call, flags, services,
            start=not no_start, roll=not no_start, wait=wait, inherit=not renew_anon_volumes,
            timeout=positive_timeout(cli, timeout),
            **({"recreate_dependencies": FORCE} if always_recreate_deps else {}),
        )  # fmt: skip
        limit = float(wait_timeout) if wait_timeout else None
        project = prepared(call, project)
        observed = ensure_images(
            call, project, image_options(call, flags),
            quiet=flags.quiet_pull, builds=Overrides(quiet=quiet_build),
        )  # fmt: skip
        plan = plan_for(call, project, observed, options)
        if in_front and not rolls_out(plan):  # what starts does so when its output is followed
            plan = plan_for(call, project, observed, replace(options, start=False))
        began = time.time()
        call.carry_out(plan, project, observed, wait_timeout=limit)
        if not in_front:
            return 0
        from knarr.cli.compose.foreground import Ending, Foreground
        from knarr.cli.compose.logs import LogPrinter

        ending = Ending(
            on_exit=abort_on_container_exit,
            on_failure=abort_on_container_failure,
            code_of=exit_code_from,
        )
        shown = _shown(project, services, attach, no_attach, dependencies=attach_dependencies)
        printer = LogPrinter(
            cli.out,
            colour=call.coloured and not no_color and cli.out.isatty(),
            prefix=not no_log_prefix,
            timestamps=timestamps,
        )
        foreground = Foreground(call, project, observed, printer, shown, ending, began)
        if watch or any(each.get("develop") for each in project.services.values()):
            from knarr.cli.compose.watching import Watcher

            foreground.follow_changes(
                Watcher(
                    call, project, printer, rested=foreground.rested,
                    builds=None if flags.no_build else Overrides(quiet=quiet_build),
                )
            )  # fmt: skip
        return foreground.run(options, limit, watch=watch, keys=_keys(call, menu=menu))


def _keys(call: Call, *, menu: bool) -> bool:
    """Whether keys are listened to: where there is somebody to press them."""
    cli = call.cli
    wanted = menu if "menu" in cli.given else is_true(call.setting("COMPOSE_MENU") or "1")
    return wanted and os.isatty(STDIN_FD) and cli.out.isatty()


def _check(
    flags: CreateFlags, *, in_background: bool, wait: bool, follows: bool, renew: bool, deps: bool
) -> None:
    if in_background and follows:
        word = "--wait" if wait else "--detach"
        raise InvalidArgument(
            f"{word} cannot be combined with --abort-on-container-exit, "
            "--abort-on-container-failure, --attach, --attach-dependencies or --watch"
        )
    if renew and flags.no_recreate:
        raise InvalidArgument("--no-recreate and --renew-anon-volumes are incompatible")
    if deps and flags.no_recreate:
        raise InvalidArgument("--always-recreate-deps and --no-recreate are incompatible")


def _shown(
    project: Project,
    services: tuple[str, ...],
    attach: tuple[str, ...],
    no_attach: tuple[str, ...],
    *,
    dependencies: bool,
) -> set[str]:
    """The services whose output is shown."""
    unknown = sorted(set(attach) - set(project.services))
    if unknown:
        raise InvalidArgument(f"cannot attach to services not included in up: {', '.join(unknown)}")
    if attach:
        return set(attach) - set(no_attach)
    named = set(services) or set(project.services)
    wanted = set(project.services) if dependencies else named
    return {
        name
        for name in wanted
        if name not in no_attach and project.services[name].get("attach", True)
    }
