import json

from knarr.cli.building.asking import refuse_unsupported
from knarr.cli.building.options import BuildOptions
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.bringing_up import build_printer
from knarr.cli.compose.build_section import Overrides
from knarr.cli.compose.building import build as build_image
from knarr.cli.compose.building import check as check_image
from knarr.cli.compose.building import section_of
from knarr.cli.compose.call import Call, called
from knarr.cli.compose.flags import Common
from knarr.cli.flags import BYTES
from knarr.compose.actions import BuildImage, Plan
from knarr.compose.images import all_builds
from knarr.compose.project import Project
from knarr.errors import InvalidArgument


@command("compose build", usage="[SERVICE...]")
def build(
    cli: Cli,
    *services: str,
    common: Common,
    build_arg: Annotated[tuple[str, ...], Flag("NAME[=VALUE] of a build's ARG")] = (),
    builder: Annotated[str, Flag("Builder to use: the engine's is the only one")] = "",
    check: Annotated[bool, Flag("Check the Dockerfiles and build nothing")] = False,
    compress: Annotated[bool, Flag("Has no effect", hidden=True)] = True,  # noqa: ARG001
    force_rm: Annotated[bool, Flag("Has no effect", hidden=True)] = True,  # noqa: ARG001
    memory: Annotated[int, Flag("Memory a build may use", short="-m", kind=BYTES)] = 0,
    no_cache: Annotated[bool, Flag("Use nothing that was built before")] = False,
    no_rm: Annotated[bool, Flag("Has no effect", hidden=True)] = False,  # noqa: ARG001
    parallel: Annotated[bool, Flag("Has no effect", hidden=True)] = True,  # noqa: ARG001
    print_: Annotated[bool, Flag("Print what would be built as a bake file")] = False,
    progress: Annotated[str, Flag("Old place of --progress", hidden=True)] = "",  # noqa: ARG001
    provenance: Annotated[str, Flag("Refused unless 'false'", hidden=True)] = "",
    pull: Annotated[bool, Flag("Fetch newer base images")] = False,
    push: Annotated[bool, Flag("Send images to their registries")] = False,
    quiet: Annotated[bool, Flag("Show no steps", short="-q")] = False,
    sbom: Annotated[str, Flag("Refused unless 'false'", hidden=True)] = "",
    ssh: Annotated[str, Flag("SSH agent for steps: default, or ID=SOCKET")] = "",
    with_dependencies: Annotated[bool, Flag("Build dependencies as well")] = False,
) -> int:
    """Build the images of services"""
    refuse_unsupported(BuildOptions(provenance=provenance, sbom=sbom))
    if ssh and "=" not in ssh and ssh != "default":
        raise InvalidArgument(f'invalid ssh key "{ssh}"')
    args = {
        name: value if equals else None
        for name, equals, value in (each.partition("=") for each in build_arg)
    }
    overrides = Overrides(
        args=args, no_cache=no_cache, pull=pull, quiet=quiet, memory=memory,
        ssh=(ssh,) if ssh else (), all_platforms=True,
    )  # fmt: skip
    with called(cli, common) as call:
        project = call.project(services, dependencies=with_dependencies or not services)
        plan = all_builds(project, call.separator)
        if print_:
            return _printed(call, project, plan, overrides, push=push, check=check)
        if plan.empty:
            call.warn("No services to build")
            return 0
        if builder:
            from knarr.cli.builders import Builder

            Builder.of(cli, builder)  # raises for one that is not there
        if check:
            return _checked(call, project, plan, overrides)
        printer = build_printer(call, plan)
        call.carry_out(
            plan, project, call.observe(project),
            build=lambda action: build_image(call, project, action, printer, overrides),
        )  # fmt: skip
    if push:
        from knarr.cli.commands.compose.push import push as push_images

        push_images(cli, *services, common=common, include_deps=with_dependencies)
    return 0


def _checked(call: Call, project: Project, plan: Plan, overrides: Overrides) -> int:
    """What the checks find in each service's Dockerfile; 1 if it was anything."""
    count = 0
    for action in plan.actions:
        if isinstance(action, BuildImage):
            found = check_image(call, project, action, overrides)
            count += len(found)
            for text in found:
                call.cli.print(f"{action.service}: {text}")
    told = f"{count} warning{'s have' if count > 1 else ' has'} been found!" if count else ""
    call.cli.print(f"Check complete, {told or 'no warnings found.'}")
    return 1 if count else 0


def _printed(
    call: Call, project: Project, plan: Plan, overrides: Overrides, *, push: bool, check: bool
) -> int:
    from knarr.cli.compose.bake import bake_file

    sections = [
        section_of(call, project, action, overrides)
        for action in plan.actions
        if isinstance(action, BuildImage)
    ]
    call.cli.print(json.dumps(bake_file(sections, push=push, check=check), indent=2))
    return 0
