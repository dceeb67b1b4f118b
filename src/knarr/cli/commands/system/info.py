from collections.abc import Iterator

from knarr import __version__
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.exit import Exit, text_of
from knarr.cli.flags import INSPECT_FORMAT_HELP
from knarr.client.calls import system
from knarr.client.lean import Any
from knarr.errors import KnarrError
from knarr.units import human_size_binary


@command("system info")
def info(cli: Cli, *, format_: Annotated[str, Flag(INSPECT_FORMAT_HELP, short="-f")] = "") -> None:
    """Show the engine's settings, and how much it holds"""
    if format_:
        _formatted(cli, format_)
        return
    cli.out.write(
        f"Client:\n Version:    {__version__}\n Context:    {cli.context}\n"
        f" Debug Mode: {_word(cli.globals.debug)}\n\nServer:\n"
    )
    try:
        found = cli.engine.ask(system.info())
    except Exit:
        raise
    except KnarrError as error:
        raise Exit(1, text_of(error)) from error
    cli.out.write("".join(f"{line}\n" for line in _lines(found)) + "\n")
    for warning in found.get("Warnings") or ():
        cli.warn(warning)


def _formatted(cli: Cli, form: str) -> None:
    from knarr.cli.exit import BadTemplate
    from knarr.cli.formatted import unescaped
    from knarr.cli.records import Record
    from knarr.template import Template, TemplateSyntaxError

    source = "{{json .}}" if form == "json" else unescaped(form)
    try:
        template = Template(source)
    except TemplateSyntaxError as error:
        raise BadTemplate(f"template parsing error: {error}") from error
    client = {"Debug": cli.globals.debug, "Version": __version__, "Context": cli.context,
              "Plugins": [], "Warnings": None}  # fmt: skip
    found = {**cli.engine.ask(system.info()), "ClientInfo": client}
    cli.print(template.render(Record("system.dockerInfo", found)))


def _word(value: Any) -> str:
    return "true" if value else "false"


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield from _counts(found)
    yield f" Logging Driver: {found.get('LoggingDriver', '')}"
    yield f" Cgroup Driver: {found.get('CgroupDriver', '')}"
    yield f" Cgroup Version: {found.get('CgroupVersion', '')}"
    yield from _plugins(found)
    yield f" Swarm: {(found.get('Swarm') or {}).get('LocalNodeState') or 'inactive'}"
    yield from _runtimes(found)
    yield from _security(found)
    yield from _machine(found)
    yield from _settings(found)


def _counts(found: dict[str, Any]) -> Iterator[str]:
    yield f" Containers: {found.get('Containers', 0)}"
    for name in ("Running", "Paused", "Stopped"):
        yield f"  {name}: {found.get(f'Containers{name}', 0)}"
    yield f" Images: {found.get('Images', 0)}"
    yield from _unless_empty(" Server Version:", found.get("ServerVersion"))
    yield from _unless_empty(" Storage Driver:", found.get("Driver"))
    for name, value in found.get("DriverStatus") or ():
        yield f"  {name}: {value}"


def _unless_empty(label: str, value: Any) -> Iterator[str]:
    if value:
        yield f"{label} {value}"


def _plugins(found: dict[str, Any]) -> Iterator[str]:
    plugins = found.get("Plugins") or {}
    yield " Plugins:"
    yield f"  Volume: {' '.join(plugins.get('Volume') or ())}"
    yield f"  Network: {' '.join(plugins.get('Network') or ())}"
    if plugins.get("Authorization"):
        yield f"  Authorization: {' '.join(plugins['Authorization'])}"
    yield f"  Log: {' '.join(plugins.get('Log') or ())}"
    if found.get("CDISpecDirs"):
        yield " CDI spec directories:"
        yield from (f"  {folder}" for folder in found["CDISpecDirs"])


def _runtimes(found: dict[str, Any]) -> Iterator[str]:
    if found.get("Runtimes"):
        yield f" Runtimes: {' '.join(sorted(found['Runtimes']))}"
        yield f" Default Runtime: {found.get('DefaultRuntime', '')}"
    if found.get("OSType") != "linux":
        return
    yield f" Init Binary: {found.get('InitBinary', '')}"
    for label, key in (("containerd", "ContainerdCommit"), ("runc", "RuncCommit"),
                       ("init", "InitCommit")):  # fmt: skip
        yield f" {label} version: {(found.get(key) or {}).get('ID', '')}"


def _security(found: dict[str, Any]) -> Iterator[str]:
    options = found.get("SecurityOptions") or ()
    if not options:
        return
    yield " Security Options:"
    for option in options:
        pairs = dict(word.partition("=")[::2] for word in option.split(","))
        yield f"  {pairs.pop('name', option)}"
        for key, value in pairs.items():
            yield f"   {'Profile' if key == 'profile' else key}: {value}"


def _machine(found: dict[str, Any]) -> Iterator[str]:
    yield from _unless_empty(" Kernel Version:", found.get("KernelVersion"))
    yield from _unless_empty(" Operating System:", found.get("OperatingSystem"))
    yield from _unless_empty(" OSType:", found.get("OSType"))
    yield from _unless_empty(" Architecture:", found.get("Architecture"))
    yield f" CPUs: {found.get('NCPU', 0)}"
    yield f" Total Memory: {human_size_binary(found.get('MemTotal', 0))}"
    yield from _unless_empty(" Name:", found.get("Name"))
    yield from _unless_empty(" ID:", found.get("ID"))
    yield f" Docker Root Dir: {found.get('DockerRootDir', '')}"


def _settings(found: dict[str, Any]) -> Iterator[str]:
    yield f" Debug Mode: {_word(found.get('Debug'))}"
    if found.get("Debug"):
        yield f"  File Descriptors: {found.get('NFd', 0)}"
        yield f"  Goroutines: {found.get('NGoroutines', 0)}"
        yield f"  System Time: {found.get('SystemTime', '')}"
        yield f"  EventsListeners: {found.get('NEventsListener', 0)}"
    yield from _unless_empty(" HTTP Proxy:", found.get("HttpProxy"))
    yield from _unless_empty(" HTTPS Proxy:", found.get("HttpsProxy"))
    yield from _unless_empty(" No Proxy:", found.get("NoProxy"))
    if found.get("Labels"):
        yield " Labels:"
        yield from (f"  {label}" for label in found["Labels"])
    yield f" Experimental: {_word(found.get('ExperimentalBuild'))}"
    registries = found.get("RegistryConfig") or {}
    insecure = [name for name, index in (registries.get("IndexConfigs") or {}).items()
                if not index.get("Secure")]  # fmt: skip
    insecure += registries.get("InsecureRegistryCIDRs") or ()
    if insecure:
        yield " Insecure Registries:"
        yield from (f"  {name}" for name in insecure)
    if registries.get("Mirrors"):
        yield " Registry Mirrors:"
        yield from (f"  {mirror}" for mirror in registries["Mirrors"])
    yield f" Live Restore Enabled: {_word(found.get('LiveRestoreEnabled'))}"
    yield from _unless_empty(" Product License:", found.get("ProductLicense"))
    if found.get("DefaultAddressPools"):
        yield " Default Address Pools:"
        for pool in found["DefaultAddressPools"]:
            yield f"   Base: {pool['Base']}, Size: {pool['Size']}"
    if found.get("FirewallBackend"):
        yield f" Firewall Backend: {found['FirewallBackend'].get('Driver', '')}"
