from dataclasses import replace

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.bringing_up import ensure_images, plan_for
from knarr.cli.compose.build_section import Overrides
from knarr.cli.compose.call import Call, called
from knarr.cli.compose.flags import Common
from knarr.cli.compose.logs import LogPrinter
from knarr.cli.compose.providing import prepared
from knarr.cli.compose.watching import Watcher
from knarr.compose.draft import UpOptions
from knarr.compose.images import ImageOptions
from knarr.compose.project import Project
from knarr.compose.reasons import NEVER


@command("compose watch", usage="[SERVICE...]")
def watch(
    cli: Cli,
    *services: str,
    common: Common,
    no_up: Annotated[bool, Flag("Start nothing first")] = False,
    prune: Annotated[bool, Flag("Remove images that a new one replaces")] = True,
    quiet: Annotated[bool, Flag("Show no steps of builds")] = False,
) -> None:
    """Follow changes of files: copy, restart, build anew"""
    with called(cli, common) as call:
        project = call.project(services)
        builds = Overrides(quiet=quiet)
        printer = LogPrinter(cli.out, prefix=False)
        watched = project.selected(services) if services else project
        watcher = Watcher(call, watched, printer, builds=builds, prune=prune)
        if not no_up:
            _bring_up(call, project, services, builds)
        if call.dry_run:
            return
        watcher.start()
        try:
            watcher.wait()
        except KeyboardInterrupt:
            watcher.stop()


def _bring_up(call: Call, project: Project, services: tuple[str, ...], builds: Overrides) -> None:
    """What has a build and rules is built in any case, so that the first state is that of now."""
    built = {
        name: service.with_values(pull_policy="build")
        if service.get("build") and service.get("develop")
        else service
        for name, service in project.services.items()
    }
    project = replace(project, services=built)
    images = ImageOptions(separator=call.separator)
    project = prepared(call, project)
    observed = ensure_images(call, project, images, quiet=builds.quiet, builds=builds)
    options = UpOptions(
        services=services,
        recreate_dependencies=NEVER,
        separator=call.separator,
        env_files=call.found.env_files,
    )
    call.carry_out(plan_for(call, project, observed, options), project, observed)
