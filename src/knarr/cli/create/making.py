"""Making a container: the request, the image that may have to be fetched, the file with its ID."""

from __future__ import annotations

import os

from knarr.cli.create.images import announce_missing, check_reference, fetch
from knarr.cli.create.plan import PULL, container_create
from knarr.client.calls import containers
from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument, KnarrError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Self

    from knarr.cli.cli import Cli
    from knarr.cli.create.options import ContainerOptions


def checked_body(
    cli: Cli, options: ContainerOptions, image: str, words: Sequence[str], size: tuple[int, int]
) -> dict[str, Any]:
    """The request's body; whatever the client alone can see to be wrong is refused here."""
    if options.pull not in PULL:
        raise InvalidArgument(
            f"invalid pull option: '{options.pull}': must be one of "
            '"always", "missing" or "never"'
        )
    body = container_create(options, image, words, environ=cli.environ, size=size)
    if options.use_api_socket:
        body["HostConfig"].setdefault("Mounts", []).append(_api_socket(cli))
    if proxies := proxy_variables(cli):
        said = {pair.partition("=")[0] for pair in body["Env"]}
        body["Env"] += [f"{n}={v}" for n, v in proxies.items() if n not in said]
    return body


def _api_socket(cli: Cli) -> dict[str, Any]:
    endpoint, _ = cli.endpoint()
    if endpoint.scheme != "unix":
        raise InvalidArgument(
            f"flag --use-api-socket can't be used with socket {endpoint.text}: "
            "must be a Unix socket"
        )
    return {
        "Type": "bind", "Source": endpoint.path, "Target": "/var/run/docker.sock",
        "BindOptions": {},
    }  # fmt: skip


def proxy_variables(cli: Cli) -> dict[str, str]:
    """The proxies of the configuration file, as variables in both spellings."""
    proxies = cli.config.values.get("proxies")
    if not isinstance(proxies, dict):
        return {}
    endpoint, _ = cli.endpoint()
    chosen = proxies.get(endpoint.text) or proxies.get("default") or {}
    names = {"httpProxy": "HTTP_PROXY", "httpsProxy": "HTTPS_PROXY", "noProxy": "NO_PROXY",
             "ftpProxy": "FTP_PROXY", "allProxy": "ALL_PROXY"}  # fmt: skip
    found: dict[str, str] = {}
    for key, name in names.items():
        if value := chosen.get(key):
            found[name] = found[name.lower()] = str(value)
    return found


def make(cli: Cli, options: ContainerOptions, image: str, body: dict[str, Any]) -> str:
    """The new container's ID. Pulls the image where --pull says so; warnings go to stderr."""
    with IdFile(options.cidfile) as id_file:
        check_reference(image)
        platform = options.platform or cli.environ.get("DOCKER_DEFAULT_PLATFORM", "")
        if platform:
            from knarr.cli.create.platforms import platform_of

            platform_of(platform)  # refuses what is none; the engine is sent what was written
        if options.pull == "always":
            fetch(cli, image, platform=platform, quiet=options.quiet)
        _fit_version(cli, body)
        request = containers.create(body, name=options.name, platform=platform)
        try:
            created = cli.engine.ask(request)
        except NotFound:
            lacking = options.pull == "missing" and (platform or _lacks_image(cli, image))
            if not lacking:
                raise
            if not options.quiet:
                announce_missing(cli, image)
            fetch(cli, image, platform=platform, quiet=options.quiet)
            created = cli.engine.ask(request)
        for warning in [*local_dns_warnings(options), *(created.get("Warnings") or ())]:
            cli.warn(f"WARNING: {warning}")
        identifier: str = created["Id"]
        id_file.write(identifier)
        return identifier


def _lacks_image(cli: Cli, image: str) -> bool:
    """Whether it is the image that was not found, and not a network or a link."""
    from knarr.client.calls import images

    try:
        cli.engine.ask(images.inspect(image))
    except NotFound:
        return True
    except KnarrError:
        return False
    return False


def _fit_version(cli: Cli, body: dict[str, Any]) -> None:
    """What older engines read in another place."""
    endpoints = body["NetworkingConfig"]["EndpointsConfig"]
    first: dict[str, Any] = next(iter(endpoints.values()), {})
    if first.get("MacAddress") and not cli.engine.speaks("1.44"):
        body["MacAddress"] = first["MacAddress"]


def local_dns_warnings(options: ContainerOptions) -> list[str]:
    local = [ip for ip in options.dns if ip.startswith("127.") or ip == "::1"]
    return [f"Localhost DNS ({ip}) may fail in containers." for ip in local]


class IdFile:
    """The file of --cidfile: it must not be there before, and goes away if nothing is made."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._written = False

    def __enter__(self) -> Self:
        if not self._path:
            return self
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o644)
        except FileExistsError:
            raise KnarrError(
                "container ID file found, make sure the other container isn't running or delete "
                f"{self._path}"
            ) from None
        except OSError as error:
            raise KnarrError(
                f"failed to create the container ID file: open {self._path}: "
                f"{(error.strerror or '').lower()}"
            ) from error
        return self

    def write(self, identifier: str) -> None:
        if self._path:
            os.write(self._fd, identifier.encode())
            self._written = True

    def __exit__(self, *_: object) -> None:
        if not self._path:
            return
        os.close(self._fd)
        if not self._written:
            os.unlink(self._path)


def with_own_words(cli: Cli, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What cannot be from the flags alone ends with code 125 and points to the help."""
    from knarr.cli.exit import BAD_FLAG, Exit

    try:
        return act()
    except InvalidArgument as error:
        raise Exit(
            BAD_FLAG, f"knarr: {error}\n\nRun '{cli.name} --help' for more information"
        ) from error
