"""``post_start`` and ``pre_stop``: commands that run in a container beside its own."""

from collections.abc import Callable, Mapping
from typing import Any

from knarr.client.calls import execs
from knarr.compose.attributes.environment import entries
from knarr.compose.engine import Engines
from knarr.errors import KnarrError
from knarr.spec.docker.exec import ExecCreate, ExecInspect
from knarr.spec.docker.system import IdResponse


def run_hook(
    engines: Engines, container: str, hook: Mapping[str, Any], output: Callable[[bytes], None]
) -> None:
    """Run it to its end. Raises KnarrError with its exit code when that is not 0."""
    body = ExecCreate(
        cmd=tuple(hook.get("command") or ()),
        user=hook.get("user", ""),
        privileged=hook.get("privileged", False),
        working_dir=hook.get("working_dir", ""),
        env=entries(hook.get("environment", {})),
        attach_stdout=True,
        attach_stderr=True,
    )
    created = engines.ask(execs.create(container, body), IdResponse)
    with engines.two_way(execs.start(created.id), raw=False) as stream:
        for _, data in stream:
            output(data)
    code = engines.ask(execs.inspect(created.id), ExecInspect).exit_code
    if code:
        raise KnarrError(f"exit status {code}")
