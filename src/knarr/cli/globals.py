"""The flags that stand before the command, as declared for parsing and for the root's help."""

from __future__ import annotations

from knarr import __version__
from knarr.cli.cli import PROGRAM, Cli
from knarr.cli.command import BOOL, LIST, STRING, Flag, Kind, Option
from knarr.cli.exit import Exit
from knarr.cli.parse import parse
from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

LEVELS: Final = ("debug", "info", "warn", "error", "fatal", "panic", "trace", "warning")

_FILE: Final = Kind("string", str)


def options() -> list[Option]:
    """Source: docker-cli reference, root options."""
    folder = "~/.docker"
    return [
        Option("config", (STRING, Flag("Client configuration directory", kind=STRING,
                                       shown=f'"{folder}"')), ""),
        Option("context", (STRING, Flag(
            "Connection context to use (instead of DOCKER_HOST and of the current one)",
            short="-c", kind=STRING)), ""),
        Option("debug", (BOOL, Flag("Verbose client diagnostics", short="-D", kind=BOOL)), False),
        Option("host", (LIST, Flag("Daemon endpoint to connect to", short="-H", kind=LIST)), ()),
        Option("log_level", (STRING, Flag(
            'Client log verbosity ("debug", "info", "warn", "error", "fatal")', short="-l",
            kind=STRING)), "info"),
        Option("tls", (BOOL, Flag("Connect with TLS; implied by --tlsverify", kind=BOOL)), False),
        Option("tlscacert", (STRING, Flag(
            "CA file used to verify the server", kind=_FILE, shown=f'"{folder}/ca.pem"')), ""),
        Option("tlscert", (STRING, Flag(
            "Client certificate file", kind=_FILE, shown=f'"{folder}/cert.pem"')), ""),
        Option("tlskey", (STRING, Flag(
            "Client key file", kind=_FILE, shown=f'"{folder}/key.pem"')), ""),
        Option("tlsverify", (BOOL, Flag("Connect with TLS and verify the server", kind=BOOL)),
               False),
        Option("version", (BOOL, Flag("Print client version and quit", short="-v", kind=BOOL)),
               False),
    ]  # fmt: skip


def take_globals(cli: Cli, words: list[str]) -> tuple[list[str], bool]:
    """Put the root's flags where they belong: (the words from the command on, help wanted)."""
    parsed = parse(words, options(), interspersed=False)
    for warning in parsed.warnings:
        cli.warn(warning)
    values = parsed.values
    if values.get("version"):
        raise Exit(0, cli_version(cli))
    chosen = cli.globals
    chosen.hosts = values.get("host", ())
    chosen.context = values.get("context", "")
    chosen.config = values.get("config", "")
    chosen.debug = values.get("debug", False)
    chosen.log_level = values.get("log_level", "info")
    chosen.tls = values.get("tls", False)
    chosen.tlsverify = values.get("tlsverify")
    chosen.tlscacert = values.get("tlscacert", "")
    chosen.tlscert = values.get("tlscert", "")
    chosen.tlskey = values.get("tlskey", "")
    if chosen.log_level not in LEVELS:
        raise Exit(1, f"Unable to parse logging level: {chosen.log_level}")
    return parsed.arguments, parsed.help


def cli_version(cli: Cli) -> str:
    cli.print(f"{PROGRAM.capitalize()} version {__version__}")
    return ""
