"""What a command is given: where to print, whom to ask, what the environment says."""

from __future__ import annotations

import os
import sys

from knarr import __version__
from knarr.cli.exit import Exit
from knarr.client.lean import TYPE_CHECKING
from knarr.errors import KnarrError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TextIO

    from knarr.cli.command import Command
    from knarr.cli.config import Config
    from knarr.client.blocking import Engine, Socket
    from knarr.client.endpoint import Endpoint

PROGRAM = "knarr"


class Globals:
    """The flags before the command. None: not given."""

    __slots__ = ("config", "context", "debug", "hosts", "log_level", "tls", "tlscacert", "tlscert",
                 "tlskey", "tlsverify")  # fmt: skip

    def __init__(self) -> None:
        self.hosts: tuple[str, ...] = ()
        self.context = ""
        self.config = ""
        self.debug = False
        self.log_level = "info"
        self.tls = False
        self.tlsverify: bool | None = None
        self.tlscacert = ""
        self.tlscert = ""
        self.tlskey = ""


class Cli:
    """One call of the program. Everything that costs time is made when first asked for."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.environ = os.environ if environ is None else environ
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        self.globals = Globals()
        self.command: Command | None = None
        self.called = ""  # the words the command was called by: ``ps``
        self.given: frozenset[str] = frozenset()  # parameters whose flags were on the command line
        self.may_start = True  # whether knarr's own engine is started where none runs
        self.group: dict[str, Any] = {}  # what the flags between a group and its command say
        self._engine: Engine | None = None
        self._config: Config | None = None

    def print(self, text: str = "") -> None:
        """A line on standard output."""
        self.out.write(text + "\n")

    def warn(self, text: str) -> None:
        """A line on standard error; what came before on standard output is shown first."""
        self.out.flush()
        self.err.write(text + "\n")

    @property
    def name(self) -> str:
        """The command as it was called, ``knarr ps``."""
        return f"{PROGRAM} {self.called}".rstrip()

    @property
    def config_folder(self) -> str:
        named = self.globals.config or self.environ.get("DOCKER_CONFIG", "")
        return named or os.path.join(os.path.expanduser("~"), ".docker")

    @property
    def config(self) -> Config:
        """The client's configuration file; empty where there is none."""
        if self._config is None:
            from knarr.cli.config import Config

            self._config = Config.read(self.config_folder, self.warn)
        return self._config

    @property
    def engine(self) -> Engine:
        """The engine that the flags, the environment or the current context name."""
        if self._engine is None:
            self._engine = self.connect()
        return self._engine

    def connect(self, *, version: str = "") -> Engine:
        """One more connection, for a thread of its own. version: one that is agreed already."""
        from knarr.client.blocking import Engine, dial

        endpoint, ours = self.endpoint()
        dialer: Callable[[Endpoint], Socket] = self._dial_or_start if ours else dial
        headers = (("User-Agent", f"knarr/{__version__} (linux)"), *self.config.http_headers)
        chosen = version or self.environ.get("DOCKER_API_VERSION", "").removeprefix("v")
        return Engine(endpoint, version=chosen, headers=headers, dialer=dialer)

    def beside(self, engine: Engine) -> Cli:
        """The same call, for a thread that has a connection of its own."""
        from copy import copy

        twin = copy(self)
        twin._engine = engine
        return twin

    def _dial_or_start(self, endpoint: Endpoint) -> Socket:
        from knarr.client.blocking import CannotConnect, dial

        try:
            return dial(endpoint)
        except CannotConnect as error:
            if not self.may_start or isinstance(error.__cause__, PermissionError):
                raise
            from knarr.cli.autostart import started

            return started(self, endpoint)

    @property
    def context(self) -> str:
        """The name of the context in force; an endpoint said outright is ``default``."""
        chosen = self.globals
        if chosen.context:
            return chosen.context
        if chosen.hosts or self.environ.get("KNARR_HOST") or self.environ.get("DOCKER_HOST"):
            return "default"
        return self.environ.get("DOCKER_CONTEXT") or self.config.current_context or "default"

    def endpoint(self) -> tuple[Endpoint, bool]:
        """Where the engine is, and whether that is knarr's own place, named by nobody.

        Raises Exit in Docker's words when what was named is no endpoint.
        """
        if self.globals.hosts and self.globals.context:
            raise Exit(1, "conflicting options: cannot specify both --host and --context")
        if len(self.globals.hosts) > 1:
            raise Exit(
                1, "Failed to initialize: unable to resolve docker endpoint: Specify only one -H"
            )
        try:
            named = self.context
            if named != "default":
                from knarr.cli.contexts import ContextStore

                return ContextStore(self.config_folder).endpoint(named), False
            return self.default_endpoint()
        except KnarrError as error:
            raise Exit(1, f"Failed to initialize: {error}") from error

    def default_endpoint(self) -> tuple[Endpoint, bool]:
        """The same without contexts. Raises InvalidArgument for what is no endpoint."""
        from knarr.client.endpoint import Endpoint

        host = (
            "".join(self.globals.hosts)
            or self.environ.get("KNARR_HOST")
            or self.environ.get("DOCKER_HOST")
        )
        if host:
            return Endpoint.parse(host, tls=self._tls()), False
        return Endpoint.parse(f"unix://{self.own_socket}"), True

    @property
    def own_socket(self) -> str:
        """Where knarr's own engine listens when nobody says otherwise."""
        return os.path.join(self.environ.get("KNARR_RUN_ROOT") or "/run/knarr", "knarr.sock")

    def _tls(self) -> Any:
        from knarr.client.endpoint import Tls, tls_of

        chosen = self.globals
        if chosen.tlsverify is None and not chosen.tls:
            return tls_of(self.environ, self.config_folder)
        folder = self.environ.get("DOCKER_CERT_PATH") or self.config_folder
        tls = Tls.folder(folder, verify=bool(chosen.tlsverify))
        tls.ca = chosen.tlscacert or tls.ca
        tls.cert = chosen.tlscert or tls.cert
        tls.key = chosen.tlskey or tls.key
        return tls

    def needs(self, version: str, what: str) -> None:
        """Refuse ``what`` where the engine's API is older. Raises Unsupported in Docker's words."""
        if not self.engine.speaks(version):
            raise Unsupported(
                f"{what} requires API version {version}, "
                f"but the Docker daemon API version is {self.engine.version}"
            )

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
