from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.bringing_up import build_printer
from knarr.cli.compose.building import BuildOptions
from knarr.cli.compose.building import build as build_image
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.cli.flags import BYTES
from knarr.compose.images import all_builds
from knarr.errors import Unsupported


@command("compose build", usage="[SERVICE...]")
def build(
    cli: Cli,
    *services: str,
    common: Common,
    build_arg: Annotated[tuple[str, ...], Flag("NAME[=VALUE] of a build's ARG")] = (),
    builder: Annotated[str, Flag("Builder to use", hidden=True)] = "",
    check: Annotated[bool, Flag("Check the Dockerfiles and build nothing")] = False,
    compress: Annotated[bool, Flag("Has no effect", hidden=True)] = True,  # noqa: ARG001
    force_rm: Annotated[bool, Flag("Has no effect", hidden=True)] = True,  # noqa: ARG001
    memory: Annotated[int, Flag("Memory a build may use", short="-m", kind=BYTES)] = 0,
    no_cache: Annotated[bool, Flag("Use nothing that was built before")] = False,
    no_rm: Annotated[bool, Flag("Has no effect", hidden=True)] = False,  # noqa: ARG001
    parallel: Annotated[bool, Flag("Has no effect", hidden=True)] = True,  # noqa: ARG001
    print_: Annotated[bool, Flag("Print what would be built as a bake file")] = False,
    progress: Annotated[str, Flag("Old place of --progress", hidden=True)] = "",  # noqa: ARG001
    provenance: Annotated[str, Flag("Attest where an image comes from", hidden=True)] = "",
    pull: Annotated[bool, Flag("Fetch newer base images")] = False,
    push: Annotated[bool, Flag("Send images to their registries")] = False,
    quiet: Annotated[bool, Flag("Show no steps", short="-q")] = False,
    sbom: Annotated[str, Flag("Attest what is in an image", hidden=True)] = "",
    ssh: Annotated[str, Flag("Keys for builds", hidden=True)] = "",
    with_dependencies: Annotated[bool, Flag("Build dependencies as well")] = False,
) -> None:
    """Build the images of services"""
    for name, value in (
        ("builder", builder), ("check", check), ("print", print_), ("provenance", provenance),
        ("sbom", sbom), ("ssh", ssh),
    ):  # fmt: skip
        if value:
            raise Unsupported(f"--{name}: the engine's build endpoint has no word for this")
    args = {
        name: value if equals else None
        for name, equals, value in (each.partition("=") for each in build_arg)
    }
    options = BuildOptions(args=args, no_cache=no_cache, pull=pull, quiet=quiet, memory=memory)
    with called(cli, common) as call:
        project = call.project(services, dependencies=with_dependencies or not services)
        plan = all_builds(project, call.separator)
        if plan.empty:
            call.warn("No services to build")
            return
        printer = build_printer(call, plan)
        call.carry_out(
            plan, project, call.observe(project),
            build=lambda action: build_image(call, project, action, printer, options),
        )  # fmt: skip
    if push:
        from knarr.cli.commands.compose.push import push as push_images

        push_images(cli, *services, common=common, include_deps=with_dependencies)
