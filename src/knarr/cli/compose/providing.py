"""What stands beside the engine: programs that provide services, its socket, models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

from knarr.compose import provider
from knarr.compose.api_socket import wants_api_socket, with_api_socket
from knarr.compose.ordering import in_dependency_order
from knarr.compose.project import Project, Service
from knarr.compose.report import Progress, State
from knarr.errors import InvalidArgument, KnarrError, NotFound, Unsupported

if TYPE_CHECKING:
    from knarr.cli.compose.call import Call

_PLUGIN_FOLDERS: Final = (
    "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
)  # fmt: skip
_WORDS: Final = {"up": ("Creating", "Created"), "down": ("Removing", "Removed")}


def prepared(call: Call, project: Project) -> Project:
    """The project once its providers are up, with what they and the socket add to services.

    Raises Unsupported for models, which no engine has.
    """
    for service in project.services.values():
        if service.get("models"):
            raise Unsupported(
                f"services.{service.name}.models: 'models' support requires Docker Model plugin"
            )
    if wants_api_socket(project):
        project = with_api_socket(project, socket=_socket(call), configuration=_configuration(call))
    if call.dry_run:
        return project
    for service in in_dependency_order(project):
        if service.get("provider"):
            variables = provide(call, project, service, "up")
            project = provider.with_variables(project, service.name, variables)
    call.settle()
    return project


def provide(call: Call, project: Project, service: Service, verb: str) -> dict[str, str]:
    """Let the program bring its service up or down; the variables that it tells.

    Raises NotFound where there is no such program, KnarrError with what it says went wrong.
    """
    doing, done = _WORDS[verb]

    def tell(text: str, state: State = State.WORKING) -> None:
        call.report(Progress(subject=service.name, text=text, state=state))

    program = _program(call, service.get("provider")["type"])
    environment = {**call.cli.environ, **project.environment}
    words = provider.arguments(project.name, service, verb, _metadata(program, environment))
    variables: dict[str, str] = {}
    tell(doing)
    with subprocess.Popen(
        [program, *words], stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        for line in filter(str.strip, process.stdout):
            message = provider.Message.of(_value(line))
            if message.kind == provider.ERROR:
                tell(message.text, State.ERROR)
                raise KnarrError(message.text)
            if message.kind == provider.INFO:
                tell(message.text)
            elif message.kind == provider.SETENV:
                name, value = message.variable()
                variables[name] = value
    if process.returncode:
        verb_word = "create" if verb == "up" else "remove"
        raise KnarrError(
            f"failed to {verb_word} service provider: exit status {process.returncode}"
        )
    tell(done, State.DONE)
    return variables


def _value(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise KnarrError(f"invalid response from plugin: {line.strip()}") from error


def _program(call: Call, kind: str) -> str:
    """A plug-in of Docker's command line, else a program of that name."""
    if kind == "compose":
        raise InvalidArgument("'compose' is not a valid provider type")
    own = os.path.join(os.path.expanduser("~"), ".docker", "cli-plugins")
    folders = [os.path.join(call.cli.environ.get("DOCKER_CONFIG", ""), "cli-plugins"), own]
    for folder in (*folders, *_PLUGIN_FOLDERS):
        path = os.path.join(folder, f"docker-{kind}")
        if os.access(path, os.X_OK):
            return path
    found = shutil.which(kind, path=call.cli.environ.get("PATH"))
    if found is None:
        raise NotFound(f'exec: "{kind}": executable file not found in $PATH')
    return found


def _metadata(program: str, environment: dict[str, str]) -> dict[str, Any]:
    """What the program says of its parameters; nothing where it does not know the question."""
    asked = subprocess.run(
        [program, "compose", "metadata"], capture_output=True, env=environment, check=False
    )
    try:
        found = json.loads(asked.stdout) if asked.returncode == 0 else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _socket(call: Call) -> str:
    text: str = call.cli.engine.endpoint.text
    path = text.removeprefix("unix://")
    return path if path != text else "/var/run/docker.sock"


def _configuration(call: Call) -> str:
    from knarr.cli.credentials import known

    auths = {each.server: each.document() for each in known(call.cli)}
    return json.dumps({"auths": auths}, indent="\t")
