from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.exit import Exit
from knarr.cli.flags import FORMAT_HELP
from knarr.cli.progress import show_progress
from knarr.cli.text import counted
from knarr.client.calls import system
from knarr.client.lean import Any
from knarr.units import human_size

REPAIRED, LEFT = 1, 4  # exit codes, as fsck(8) has them


@command(
    "fsck",
    note="Reads every blob and layer again, while the engine runs. The exit code is 0 when all is"
    " well,\n1 when all that was wrong has been repaired, 4 when something is left.",
)
def fsck(
    cli: Cli,
    *,
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    repair: Annotated[bool, Flag("Put right what can be")] = False,
) -> int:
    """Check the engine's store, and repair it"""
    report: dict[str, Any] = {}
    progress = None if format_ else cli.err
    show_progress(cli.engine.lines(system.fsck(repair=repair)), progress, aux=report.update)
    if not report:
        raise Exit(1, "the engine ended before the check was over")
    if format_:
        from knarr.cli.formatted import one

        one(cli, report, format_)
    else:
        _show(cli, report)
    problems = report["Problems"]
    left = [each for each in problems if not each["Repaired"]]
    return LEFT if left else REPAIRED if problems else 0


def _show(cli: Cli, report: dict[str, Any]) -> None:
    problems = report["Problems"]
    for each in problems:
        cli.print(f"{each['Subject']}: {each['Problem']}")
        for name in each["NeededBy"]:
            cli.print(f"    needed by {name}")
        cli.print(f"    {each['Outcome']}")
    read = human_size(report["ReadBytes"])
    blobs, layers = counted(report["Blobs"], "blob"), counted(report["Layers"], "layer")
    what = f"{blobs} and {layers}, {read} read"
    if not problems:
        cli.print(f"{what}: all is well")
        return
    repaired = sum(bool(each["Repaired"]) for each in problems)
    left = len(problems) - repaired
    cli.print(f"{what}: {len(problems)} wrong, {repaired} repaired, {left} left")
    if any(each["Outcome"].startswith("can be ") for each in problems):
        cli.print("Repair with: knarr fsck --repair")
