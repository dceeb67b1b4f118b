from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import FORMAT_HELP
from knarr.cli.table import aligned
from knarr.cli.text import ellipsis, short
from knarr.client.calls import images
from knarr.client.lean import Any
from knarr.units import human_size

_STEP_WIDTH = 60


@command("image show")
def show(
    cli: Cli,
    image: str,
    *,
    files: Annotated[bool, Flag("List each file that a layer adds, changes or removes")] = False,
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    no_trunc: Annotated[bool, Flag("Print whole values")] = False,
) -> None:
    """Show the layers of an image: who made each, its files, what is wasted"""
    found = cli.engine.ask(images.show(image, files=files))
    if format_:
        from knarr.cli.formatted import one

        one(cli, found, format_)
        return
    names = ", ".join(found["Names"]) or "no name"
    share = f" ({found['Wasted'] * 100 // found['Size']}%)" if found["Size"] else ""
    cli.print(f"{short(found['Id'])}  {names}  {found['Platform']}")
    cli.print(f"{human_size(found['Size'])}, {human_size(found['Wasted'])} of it wasted{share}\n")
    if files:
        _show_files(cli, found["Steps"], whole=no_trunc)
    else:
        cli.out.write(aligned([
            "LAYER\tSIZE\tADDED\tCHANGED\tREMOVED\tWASTED\tMADE BY",
            *("\t".join(_row(step, whole=no_trunc)) for step in found["Steps"]),
        ]))  # fmt: skip
    if found["WastedPaths"]:
        cli.print("\nWasted most: in the layers, and not in the image")
        cli.out.write(aligned([
            "SIZE\tTIMES\tPATH",
            *(f"{human_size(each['Size'])}\t{each['Times']}\t{each['Path']}"
              for each in found["WastedPaths"]),
        ]))  # fmt: skip


def _row(step: dict[str, Any], *, whole: bool) -> list[str]:
    made_by = _made_by(step, whole=whole)
    if not step["DiffId"]:
        return ["-", "0B", "", "", "", "", made_by]
    layer = step["DiffId"] if whole else short(step["DiffId"])
    counts = [str(step[name]) for name in ("Added", "Changed", "Removed")]
    return [layer, human_size(step["Size"]), *counts, human_size(step["Wasted"]), made_by]


def _made_by(step: dict[str, Any], *, whole: bool) -> str:
    text = " ".join(step["CreatedBy"].split()) or "unknown"
    return text if whole else ellipsis(text, _STEP_WIDTH)


def _show_files(cli: Cli, steps: list[dict[str, Any]], *, whole: bool) -> None:
    for step in steps:
        if not step["DiffId"]:
            continue
        cli.print(f"{short(step['DiffId'])}  {_made_by(step, whole=whole)}")
        for each in step["Files"]:
            size = f"  {human_size(each['Size'])}" if each.get("Size") else ""
            cli.print(f"  {each['Kind']} {each['Path']}{size}")
