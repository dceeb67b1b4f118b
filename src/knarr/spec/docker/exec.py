"""Further processes in a running container.

Source: Engine API, ContainerExec, ExecStart, ExecInspect.
"""

import msgspec

from knarr.spec.document import Document


class ExecCreate(Document):
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    console_size: tuple[int, ...] | None = None
    detach_keys: str = ""
    tty: bool = False
    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    privileged: bool = False
    user: str = ""
    working_dir: str = ""


class ExecStart(Document):
    detach: bool = False
    tty: bool = False
    console_size: tuple[int, ...] | None = None


class ProcessConfig(Document):
    privileged: bool = msgspec.field(name="privileged", default=False)
    user: str = msgspec.field(name="user", default="")
    tty: bool = msgspec.field(name="tty", default=False)
    entrypoint: str = msgspec.field(name="entrypoint", default="")
    arguments: tuple[str, ...] = msgspec.field(name="arguments", default=())


class ExecInspect(Document):
    can_remove: bool = False
    detach_keys: str = ""
    id: str = msgspec.field(name="ID", default="")
    running: bool = False
    exit_code: int | None = None  # None while it runs
    process_config: ProcessConfig | None = None
    open_stdin: bool = False
    open_stderr: bool = False
    open_stdout: bool = False
    container_id: str = msgspec.field(name="ContainerID", default="")
    pid: int = 0
