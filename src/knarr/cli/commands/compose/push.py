from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import Call, called
from knarr.cli.compose.flags import Common
from knarr.cli.credentials import header_for
from knarr.client.calls import images
from knarr.compose.report import Progress, State
from knarr.errors import KnarrError
from knarr.reference import Reference


@command("compose push", usage="[SERVICE...]")
def push(
    cli: Cli,
    *services: str,
    common: Common,
    ignore_push_failures: Annotated[bool, Flag("Go on where a push fails")] = False,
    include_deps: Annotated[bool, Flag("Send what these services depend on too")] = False,
    quiet: Annotated[bool, Flag("Show no progress", short="-q")] = False,
) -> None:
    """Send the images of services to their registries"""
    with called(cli, common) as call:
        project = call.project(services, dependencies=include_deps or not services)
        names: dict[str, None] = {}
        for service in project.services.values():
            if service.get("build") and service.get("image"):
                tags = service.get("build").get("tags", ())
                names.update(dict.fromkeys((service.get("image"), *tags)))
            elif service.get("image"):
                text = "Skipped"
                call.report(Progress(subject=service.name, text=text, state=State.DONE))
        for name in names:
            try:
                _push(call, name, quiet=quiet)
            except KnarrError as error:
                state = State.WARNING if ignore_push_failures else State.ERROR
                text = str(error)
                call.report(Progress(subject=f"Image {name}", text=text, state=state))
                if not ignore_push_failures:
                    raise


def _push(call: Call, name: str, *, quiet: bool) -> None:
    reference = Reference.parse(name).tagged()
    subject = f"Image {name}"
    call.report(Progress(subject=subject, text="Pushing"))
    if call.dry_run:
        call.report(Progress(subject=subject, text="Pushed", state=State.DONE))
        return
    auth = header_for(call.cli, reference.domain)
    request = images.push(reference.name, tag=reference.tag, auth=auth)
    for message in call.engines.lines(request):
        if (error := message.get("errorDetail") or message.get("error")) is not None:
            raise KnarrError(str(error.get("message") if isinstance(error, dict) else error))
        if not quiet and message.get("id") and message.get("progressDetail"):
            detail = message["progressDetail"]
            call.report(
                Progress(
                    subject=message["id"],
                    text=message.get("status", ""),
                    parent=subject,
                    current=detail.get("current", 0),
                    total=detail.get("total", 0),
                )
            )
    call.report(Progress(subject=subject, text="Pushed", state=State.DONE))
