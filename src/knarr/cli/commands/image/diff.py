from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import FORMAT_HELP
from knarr.cli.text import short
from knarr.client.calls import images
from knarr.client.lean import Any
from knarr.units import human_size


@command(
    "image diff",
    usage="IMAGE IMAGE",
    note="A, C and D: the second image Adds, Changes or Deletes a path. Times are not compared.\n"
    "The exit code is 0 when both are alike, 1 when they differ.",
)
def diff(
    cli: Cli,
    before: str,
    after: str,
    *,
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
) -> int:
    """Show how one image differs from another: files and settings"""
    found = cli.engine.ask(images.diff(before, after))
    differ = bool(found["Files"] or found["Settings"])
    if format_:
        from knarr.cli.formatted import one

        one(cli, found, format_)
        return int(differ)
    for each in found["Settings"]:
        cli.print(f"{each['Name']}: {each['Before'] or 'nothing'} → {each['After'] or 'nothing'}")
    for each in found["Files"]:
        cli.print(_line(each))
    cli.print(_summary(found))
    return int(differ)


def _line(each: dict[str, Any]) -> str:
    before, after = each.get("Before", 0), each.get("After", 0)
    what = list(each.get("What", ()))
    if each["Kind"] == "C" and before != after:
        what.append(f"{human_size(before)} → {human_size(after)}")
    elif each["Kind"] != "C" and (before or after):
        what.append(human_size(before or after))
    return f"{each['Kind']} {each['Path']}" + (f"  ({', '.join(what)})" if what else "")


def _summary(found: dict[str, Any]) -> str:
    counts = [sum(each["Kind"] == kind for each in found["Files"]) for kind in "ACD"]
    grown = found["AfterSize"] - found["BeforeSize"]
    return (
        f"{short(found['Before'])} → {short(found['After'])}:"
        f" {counts[0]} added, {counts[1]} changed, {counts[2]} deleted;"
        f" {'+' if grown >= 0 else '-'}{human_size(abs(grown))};"
        f" {found['SharedLayers']} of {found['BeforeLayers']} and {found['AfterLayers']}"
        " layers shared"
    )
