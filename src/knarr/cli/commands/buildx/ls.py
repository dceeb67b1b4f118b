from knarr.cli.builders import Builder
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import FORMAT_HELP
from knarr.cli.table import aligned

_HEADINGS = ["NAME/NODE", "DRIVER/ENDPOINT", "STATUS", "PLATFORMS"]


@command("buildx ls")
def ls(cli: Cli, *, format_: Annotated[str, Flag(FORMAT_HELP)] = "") -> None:
    """List builders: there is one, knarr's engine"""
    builder = Builder.of(cli)
    if format_ and format_ != "table":
        from knarr.cli.formatted import renderer, unescaped

        form = "{{json .}}" if format_ == "json" else unescaped(format_)
        cli.print(renderer(form)(builder.document()))
        return
    rows = (("default*", "docker", "", ""), (r" \_ default", r" \_ default", "running"))
    lines = [_HEADINGS, list(rows[0]), [*rows[1], builder.platform]]
    cli.out.write(aligned(["\t".join(line) for line in lines]))
