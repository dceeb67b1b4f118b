import getpass
import os
import sys

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.credentials import HUB_KEY, Credentials, find, key_of, store
from knarr.client.calls import system
from knarr.errors import InvalidArgument, KnarrError, Unauthorized

_NO_TERMINAL = "Error: Cannot perform an interactive login from a non TTY device"


@command("login", usage="[SERVER]")
def login(
    cli: Cli,
    server: str = "",
    *,
    password: Annotated[
        str, Flag("Password or token; '-' reads it from standard input", short="-p")
    ] = "",
    password_stdin: Annotated[bool, Flag("Read the password from standard input")] = False,
    username: Annotated[str, Flag("User name", short="-u")] = "",
) -> None:
    """Log in to a registry"""
    if password and not password_stdin:
        cli.warn("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
    if password_stdin:
        if password:
            raise InvalidArgument("--password and --password-stdin are mutually exclusive")
        if not username:
            raise InvalidArgument("the --password-stdin option requires --username to be set")
        password = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    key = key_of(server.removeprefix("https://").removeprefix("http://").rstrip("/"))
    if not username and not password and (kept := find(cli, key)) is not None:
        cli.print("Authenticating with existing credentials...")
        try:
            _log_in(cli, kept)
        except Unauthorized as error:
            cli.print(f"Login did not succeed, error: {error}")
        else:
            return
    if not username or not password:
        username, password = _asked(cli, key, username, password)
    _log_in(cli, Credentials(server=key, username=username, password=password))


def _asked(cli: Cli, key: str, username: str, password: str) -> tuple[str, str]:
    if not os.isatty(sys.stdin.fileno()):
        raise KnarrError(_NO_TERMINAL)
    if not username:
        if key == HUB_KEY:
            cli.print("Log in with your Docker ID, or with an access token in place of a password.")
        cli.out.write("Username: ")
        cli.out.flush()
        username = sys.stdin.readline().strip()
    if not username:
        raise InvalidArgument("Error: Non-null Username Required")
    password = password or getpass.getpass("Password: ")
    if not password:
        raise InvalidArgument("Error: Password Required")
    return username, password


def _log_in(cli: Cli, credentials: Credentials) -> None:
    """Check them with the registry, through the engine, and keep them."""
    answer = cli.engine.ask(system.auth(credentials.document())) or {}
    if token := answer.get("IdentityToken"):
        credentials = Credentials(server=credentials.server, username=credentials.username,
                                  identity_token=token)  # fmt: skip
    place = store(cli, credentials)
    if place.startswith("/"):
        cli.warn(
            f"\nWARNING! Your credentials are stored unencrypted in '{place}'.\n"
            "Configure a credential helper to remove this warning. See\n"
            "https://docs.docker.com/go/credential-store/\n"
        )
    if status := answer.get("Status"):
        cli.print(str(status))
