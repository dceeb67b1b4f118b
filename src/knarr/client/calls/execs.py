"""Verbs of further processes in a running container. Source: Engine API, tag "Exec"."""

from __future__ import annotations

from knarr.client.call import Call, TwoWay, document, path, query
from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from knarr.client.call import Body
    from knarr.spec.docker.exec import ExecInspect
    from knarr.spec.docker.system import IdResponse


def create(container: str, body: Body) -> Call[IdResponse]:
    """Prepare a process in a running container; ``body`` is an ExecCreate."""
    return Call("POST", path("containers", container, "exec"), body=document(body))


def start(exec_id: str, *, tty: bool = False, size: tuple[int, int] | None = None) -> TwoWay:
    """Run it, with its streams on this connection; ``size`` is (rows, columns)."""
    body: dict[str, object] = {"Detach": False, "Tty": tty}
    if size is not None:
        body["ConsoleSize"] = list(size)
    return TwoWay("POST", path("exec", exec_id, "start"), body=document(body))


def start_detached(exec_id: str, *, tty: bool = False) -> Call[None]:
    """Run it in the background."""
    body = document({"Detach": True, "Tty": tty})
    return Call("POST", path("exec", exec_id, "start"), body=body)


def inspect(exec_id: str) -> Call[ExecInspect]:
    """What is known of it: whether it runs, and its exit code."""
    return Call("GET", path("exec", exec_id, "json"))


def resize(exec_id: str, *, rows: int, columns: int) -> Call[None]:
    """Tell its terminal the size."""
    return Call("POST", path("exec", exec_id, "resize"), query(h=rows, w=columns))
