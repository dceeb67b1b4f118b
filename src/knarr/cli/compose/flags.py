"""The flags of ``compose`` itself, and those that several of its commands take.

Source: Docker Compose CLI reference, root options.
"""

from knarr.cli.command import BOOL, INT, LIST, STRING, Annotated, Flag, FlagGroup, Option
from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from knarr.cli.command import Kind


def _option(name: str, kind: "Kind", default: object, help_text: str, **more: object) -> Option:
    return Option(name, (kind, Flag(help_text, kind=kind, **more)), default)  # type: ignore[arg-type]


def options() -> list[Option]:
    """What stands between ``compose`` and its command."""
    return [
        _option("all_resources", BOOL, False, "Keep resources that no service uses"),
        _option("ansi", STRING, "auto", 'When to use colours ("never"|"always"|"auto")'),
        _option("compatibility", BOOL, False, "Name containers with _ as Compose v1 did"),
        _option("dry_run", BOOL, False, "Show what would be done and do nothing"),
        _option("env_file", LIST, (), "File of variables, in place of .env"),
        _option("file", LIST, (), "Compose file", short="-f"),
        _option("insecure_registry", LIST, (), "Registry without TLS", hidden=True),
        _option("no_ansi", BOOL, False, "Old form of --ansi never", hidden=True),
        _option("parallel", INT, -1, "How many requests at once; -1 for as many as there are"),
        _option("profile", LIST, (), "Profile to activate"),
        _option("progress", STRING, "", "How progress is shown (auto, tty, plain, json, quiet)"),
        _option("project_directory", STRING, "", "Folder that relative paths count from"),
        _option("project_name", STRING, "", "Project name", short="-p"),
        _option("verbose", BOOL, False, "Say more", hidden=True),
        _option("version", BOOL, False, "Show the version", short="-v", hidden=True),
        _option("workdir", STRING, "", "Old form of --project-directory", hidden=True),
    ]


class Common(FlagGroup):
    """What every command of ``compose`` takes."""

    dry_run: Annotated[bool, Flag("Show what would be done and do nothing")] = False


class CreateFlags(FlagGroup):
    """How containers come to be: of ``up`` and ``create``."""

    build: Annotated[bool, Flag("Build images first")] = False
    force_recreate: Annotated[bool, Flag("Replace containers that have not changed too")] = False
    no_build: Annotated[bool, Flag("Build nothing, even where an image is missing")] = False
    no_recreate: Annotated[bool, Flag("Keep containers that have changed")] = False
    pull: Annotated[
        str, Flag('When to fetch images ("always"|"missing"|"never"|"build")', shown='"policy"')
    ] = ""
    quiet_pull: Annotated[bool, Flag("Show no progress of pulls")] = False
    remove_orphans: Annotated[bool, Flag("Remove containers of services that are gone")] = False
    scale: Annotated[tuple[str, ...], Flag("SERVICE=N: how many containers it has")] = ()
    yes: Annotated[bool, Flag("Answer every question with yes", short="-y")] = False
