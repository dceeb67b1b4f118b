import os
import secrets
from dataclasses import replace

from knarr.cli.attached import STDIN_FD, check_terminal
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.bringing_up import ensure_images
from knarr.cli.compose.build_section import Overrides
from knarr.cli.compose.call import Call, called
from knarr.cli.compose.flags import Common
from knarr.cli.compose.providing import prepared
from knarr.cli.running import keys_in_force, run_attached
from knarr.client.calls import containers
from knarr.compose import command as shell
from knarr.compose import dotenv
from knarr.compose.discovery import is_true
from knarr.compose.draft import UpOptions
from knarr.compose.images import ImageOptions
from knarr.compose.making import OneOff, create_one_off
from knarr.compose.naming import one_off_name
from knarr.compose.observed import Observed
from knarr.compose.one_off import RunOptions, one_off
from knarr.compose.plan_one_off import plan_dependencies
from knarr.compose.project import Project
from knarr.errors import InvalidArgument, KnarrError


@command("compose run", usage="[OPTIONS] SERVICE [COMMAND] [ARGS...]", interspersed=False)
def run(
    cli: Cli,
    service: str,
    *words: str,
    common: Common,
    build: Annotated[bool, Flag("Build the image first")] = False,
    cap_add: Annotated[tuple[str, ...], Flag("Add a capability")] = (),
    cap_drop: Annotated[tuple[str, ...], Flag("Drop a capability")] = (),
    detach: Annotated[bool, Flag("Run in the background and print the name", short="-d")] = False,
    entrypoint: Annotated[str, Flag("Entrypoint in place of the image's")] = "",
    env: Annotated[tuple[str, ...], Flag("Set a variable", short="-e")] = (),
    env_from_file: Annotated[tuple[str, ...], Flag("File of variables")] = (),
    interactive: Annotated[bool, Flag("Keep STDIN open", short="-i")] = True,
    label: Annotated[tuple[str, ...], Flag("Set a label", short="-l", also=("labels",))] = (),
    name: Annotated[str, Flag("Name of the container")] = "",
    no_tty: Annotated[
        bool, Flag("No terminal for the process", short="-T", also=("no-TTY",), shown="")
    ] = False,
    no_deps: Annotated[bool, Flag("Start no other services")] = False,
    publish: Annotated[tuple[str, ...], Flag("Publish a port", short="-p")] = (),
    pull: Annotated[
        str, Flag('When to fetch the image ("always"|"missing"|"never")', shown='"policy"')
    ] = "",
    quiet: Annotated[bool, Flag("Show nothing but the process's own output", short="-q")] = False,
    quiet_build: Annotated[bool, Flag("Show no steps of builds")] = False,
    quiet_pull: Annotated[bool, Flag("Show no progress of pulls")] = False,
    remove_orphans: Annotated[bool, Flag("Remove containers of services that are gone")] = False,
    rm: Annotated[bool, Flag("Remove the container when it ends")] = False,
    service_ports: Annotated[bool, Flag("Publish the service's ports", short="-P")] = False,
    tty: Annotated[bool, Flag("A terminal for the process", short="-t", hidden=True)] = True,
    use_aliases: Annotated[bool, Flag("Be found under the service's names")] = False,
    user: Annotated[str, Flag("Who runs the process", short="-u")] = "",
    volume: Annotated[tuple[str, ...], Flag("Mount a volume", short="-v", also=("volumes",))] = (),
    workdir: Annotated[str, Flag("Folder to start in", short="-w")] = "",
) -> int:
    """Run a service's image once, with a command of its own"""
    if publish and service_ports:
        raise InvalidArgument("--service-ports and --publish are incompatible")
    with called(cli, common) as call:
        if quiet:
            cli.group["progress"] = "quiet"
        project = call.project([service], dependencies=not no_deps)
        options = RunOptions(
            command=words,
            entrypoint=tuple(shell.split(entrypoint)) if "entrypoint" in cli.given else None,
            tty=_terminal(cli, no_tty=no_tty, tty=tty),
            interactive=interactive,
            user=user,
            working_dir=workdir,
            environment=_variables(project, env, env_from_file),
            labels=_labels(label),
            cap_add=cap_add,
            cap_drop=cap_drop,
            volumes=volume,
            ports=publish,
            service_ports=service_ports,
            directory=os.getcwd(),
        )
        changed = one_off(project.service(service), options)
        project = replace(project, services={**project.services, service: changed})
        check_terminal(stdin=interactive and not detach, tty=options.tty)
        images = ImageOptions(pull=pull, build=build, separator=call.separator)
        project = prepared(call, project)
        observed = ensure_images(
            call, project, images, quiet=quiet_pull, builds=Overrides(quiet=quiet_build)
        )
        observed = _with_dependencies(call, project, observed, service, orphans=remove_orphans)
        slug = secrets.token_hex(32)
        container = OneOff(
            service=changed,
            name=name or one_off_name(project.name, changed, slug, call.separator),
            slug=slug,
            aliases=use_aliases,
            auto_remove=rm,
        )
        if call.only_tells(f"Container {container.name}", "Creating", "Created"):
            return 0
        identifier = create_one_off(container, project, observed, call.engines, call.means())
        call.settle()
        if detach:
            call.engines.do(containers.start(identifier))
            cli.print(container.name)
            return 0
    streams = {"stdout", "stderr"} | ({"stdin"} if interactive else set())
    return run_attached(
        cli, identifier, attach=frozenset(streams), tty=options.tty, keys=keys_in_force(cli, ""),
        signals=True, removed=rm, refused=_unchanged,
    )  # fmt: skip


def _unchanged(error: KnarrError) -> KnarrError:
    return error


def _terminal(cli: Cli, *, no_tty: bool, tty: bool) -> bool:
    if "tty" in cli.given:
        if "no_tty" in cli.given:
            raise InvalidArgument("--tty and --no-TTY can't be used together")
        return tty
    if "no_tty" in cli.given:
        return not no_tty
    return cli.out.isatty() and ("interactive" in cli.given or os.isatty(STDIN_FD))


def _variables(project: Project, given: tuple[str, ...], files: tuple[str, ...]) -> dict[str, str]:
    """Those of the command line before those of files; bare names come from outside."""
    found: dict[str, str] = {}
    for entry in given:
        name, equals, value = entry.partition("=")
        if equals:
            found[name] = value
        elif name in project.environment:
            found[name] = project.environment[name]
    for path in files:
        with open(path, encoding="utf-8") as file:
            found = {**dotenv.parse(file.read(), found), **found}
    return found


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in given]
    if not all(equals for _, equals, _ in pairs):
        raise InvalidArgument("label must be set as KEY=VALUE")
    return {name: value for name, _, value in pairs}


def _with_dependencies(
    call: Call, project: Project, observed: Observed, service: str, *, orphans: bool
) -> Observed:
    options = UpOptions(
        remove_orphans=orphans,
        ignore_orphans=is_true(call.setting("COMPOSE_IGNORE_ORPHANS")),
        separator=call.separator,
        env_files=call.found.env_files,
    )
    plan = plan_dependencies(project, observed, service, options)
    call.carry_out(plan, project, observed)
    return observed if plan.empty else call.observe(project)
