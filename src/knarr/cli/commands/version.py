import sys

from knarr import __version__
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.exit import Exit, text_of
from knarr.cli.flags import INSPECT_FORMAT_HELP
from knarr.cli.machine import machine_name
from knarr.client.calls import system
from knarr.client.lean import Any
from knarr.client.versions import NEWEST
from knarr.errors import KnarrError


@command("version")
def version(
    cli: Cli, *, format_: Annotated[str, Flag(INSPECT_FORMAT_HELP, short="-f")] = ""
) -> None:
    """Show the versions of the client and of the engine"""
    template = _template(format_) if format_ else None
    server: dict[str, Any] | None = None
    failure: KnarrError | None = None
    try:
        server = cli.engine.ask(system.version())
    except Exit:
        raise
    except KnarrError as error:
        failure = error
    client = _client(cli, cli.engine.version if server is not None else NEWEST)
    if template is not None:
        cli.print(_rendered(template, client, server))
    else:
        cli.out.write(_client_text(client) + (_server_text(server) if server else ""))
    if failure is not None:
        raise Exit(1, text_of(failure))


def _client(cli: Cli, spoken: str) -> dict[str, Any]:
    return {
        "Version": __version__,
        "ApiVersion": spoken,
        "DefaultAPIVersion": NEWEST,
        "GitCommit": "",
        "GoVersion": "",
        "PythonVersion": sys.version.partition(" ")[0],
        "Os": "linux",
        "Arch": machine_name(),
        "BuildTime": "",
        "Context": cli.context,
    }


def _client_text(client: dict[str, Any]) -> str:
    spoken, newest = client["ApiVersion"], client["DefaultAPIVersion"]
    downgraded = f" (downgraded from {newest})" if spoken != newest else ""
    return (
        "Client:\n"
        f" Version:           {client['Version']}\n"
        f" API version:       {spoken}{downgraded}\n"
        f" Python version:    {client['PythonVersion']}\n"
        f" OS/Arch:           {client['Os']}/{client['Arch']}\n"
        f" Context:           {client['Context']}\n"
    )


def _server_text(server: dict[str, Any]) -> str:
    platform_name = (server.get("Platform") or {}).get("Name")
    out = f"\nServer: {platform_name}\n" if platform_name else "\nServer:\n"
    for component in server.get("Components") or [_engine_component(server)]:
        out += f" {component['Name']}:\n  {'Version:':<17} {component['Version']}\n"
        details = component.get("Details") or {}
        if component["Name"] == "Engine":
            out += _engine_details(details)
        else:
            out += "".join(f"  {key + ':':<17} {value}\n" for key, value in sorted(details.items()))
    return out


def _engine_component(server: dict[str, Any]) -> dict[str, Any]:
    """What engines before API 1.35 say of themselves, as newer ones say it."""
    details = {
        name: str(server.get(name, ""))
        for name in ("ApiVersion", "MinAPIVersion", "GitCommit", "GoVersion", "Os", "Arch",
                     "BuildTime", "Experimental")
    }  # fmt: skip
    return {"Name": "Engine", "Version": server.get("Version", ""), "Details": details}


def _engine_details(details: dict[str, str]) -> str:
    least = details.get("MinAPIVersion")
    rows = (
        ("API version:", details.get("ApiVersion", "") + (
            f" (minimum version {least})" if least else "")),
        ("Go version:", details.get("GoVersion")),
        ("Python version:", details.get("PythonVersion")),
        ("Git commit:", details.get("GitCommit")),
        ("Built:", _built(details.get("BuildTime", ""))),
        ("OS/Arch:", f"{details.get('Os', '')}/{details.get('Arch', '')}"),
        ("Experimental:", details.get("Experimental", "false")),
    )  # fmt: skip
    return "".join(f"  {name:<17} {value}\n" for name, value in rows if value is not None)


def _built(text: str) -> str:
    """``2026-05-07T21:09:36.000000000+00:00`` as ``Thu May  7 21:09:36 2026``."""
    from datetime import datetime

    date, dot, rest = text.partition(".")
    zone = rest[len(rest) - len(rest.lstrip("0123456789")) :] if dot else ""
    try:
        return datetime.fromisoformat(date + zone).ctime()
    except ValueError:
        return text


def _template(form: str) -> Any:
    from knarr.cli.exit import BadTemplate
    from knarr.cli.formatted import unescaped
    from knarr.template import Template, TemplateSyntaxError

    source = "{{json .}}" if form == "json" else unescaped(form)
    try:
        return Template(source, name="version")
    except TemplateSyntaxError as error:
        raise BadTemplate(f"template parsing error: {error}") from error


def _rendered(template: Any, client: dict[str, Any], server: dict[str, Any] | None) -> str:
    from knarr.cli.records import Record

    values = {
        "Client": Record("system.clientVersion", client),
        "Server": server,
    }
    rendered: str = template.render(Record("system.versionInfo", values))
    return rendered
