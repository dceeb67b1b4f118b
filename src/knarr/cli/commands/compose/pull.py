from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.cli.compose.images import pull as pull_image
from knarr.compose.actions import Plan, PullImage
from knarr.compose.images import BUILD, NEVER
from knarr.compose.project import Project, Service
from knarr.compose.report import Progress, State
from knarr.errors import InvalidArgument, KnarrError


@command("compose pull", usage="[SERVICE...]")
def pull(
    cli: Cli,
    *services: str,
    common: Common,
    ignore_buildable: Annotated[bool, Flag("Leave out what can be built")] = False,
    ignore_pull_failures: Annotated[bool, Flag("Go on where a pull fails")] = False,
    include_deps: Annotated[bool, Flag("Fetch what these services depend on too")] = False,
    no_parallel: Annotated[bool, Flag("Has no effect", hidden=True)] = True,  # noqa: ARG001
    parallel: Annotated[bool, Flag("Has no effect", hidden=True)] = True,  # noqa: ARG001
    policy: Annotated[str, Flag('Which images to fetch ("missing"|"always")')] = "",
    quiet: Annotated[bool, Flag("Show no progress", short="-q")] = False,
) -> None:
    """Fetch the images of services"""
    if policy not in ("", "missing", "always"):
        raise InvalidArgument(f'unsupported pull policy "{policy}"')
    with called(cli, common) as call:
        project = call.project(services, dependencies=include_deps or not services)
        observed = call.observe(project)
        wanted: dict[str, list[Service]] = {}
        for service in project.services.values():
            reason = _skipped(service, project, policy, set(observed.images), ignore_buildable)
            if reason:
                call.report(Progress(subject=service.name, text=reason, state=State.DONE))
            else:
                wanted.setdefault(service.get("image"), []).append(service)
        plan = Plan(
            project=project.name,
            actions=tuple(
                PullImage(
                    key=f"pull {image}",
                    image=image,
                    services=tuple(each.name for each in users),
                    platform=users[0].get("platform", ""),
                    optional=ignore_pull_failures or any(each.get("build") for each in users),
                )
                for image, users in sorted(wanted.items())
            ),
        )
        failed: list[str] = []

        def fetch(action: PullImage) -> None:
            try:
                pull_image(call, action, quiet=quiet)
            except KnarrError:
                failed.extend(action.services)
                raise

        call.carry_out(plan, project, observed, pull=fetch)
        buildable = [name for name in failed if project.services[name].get("build")]
        if buildable:
            cli.warn(
                "WARNING: Some service image(s) must be built from source by running:\n"
                f"    {cli.name.rpartition(' ')[0]} build {' '.join(sorted(buildable))}"
            )


def _skipped(
    service: Service, project: Project, policy: str, there: set[str], ignore_buildable: bool
) -> str:
    """Why a service's image is not fetched; empty when it is."""
    own = policy or service.get("pull_policy", "")
    if service.get("provider") or not service.get("image"):
        return "Skipped - No image to be pulled"
    if own in (NEVER, BUILD):
        return "Skipped"
    if own in ("missing", "if_not_present") and service.image_name(project.name) in there:
        return "Skipped - Image is already present locally"
    if ignore_buildable and service.get("build"):
        return "Skipped - Image can be built"
    return ""
