"""OCI runtimes by their command line: crun, runc, and whatever else speaks it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class OciRuntime:
    """A runtime, and the way of calling it that works on this machine (probe.py finds it).

    program: absolute. name: as ``--runtime`` has it.
    options: before the subcommand, those of this program alone.
    log_format: of its error log, and of what it writes on a container's own standard error when
        the program turns out to be none.
    enters: the keeper makes the control group and enters it before the program starts, which is
        then told to leave groups alone. hidden: a mount which the program must not see, with the
        mount point that it is in.
    """

    name: str
    program: str
    options: tuple[str, ...] = ()
    log_format: str = "json"
    enters: bool = False
    hidden: tuple[str, str] | None = None

    def run(self, container_id: str, place: "Place") -> list[str]:
        """Start the container of the bundle in the working directory, and leave it running."""
        options = ["--bundle", ".", *self._process(place)]
        return [*self._global(place), "run", *options, container_id]

    def exec(self, container_id: str, process: Path, place: "Place") -> list[str]:
        """Start a further process, described in the file ``process``, in a running container."""
        options = ["--process", str(process), *self._process(place)]
        return [*self._global(place), "exec", *options, container_id]

    def _global(self, place: "Place") -> list[str]:
        log = ["--log", str(place.error_log), "--log-format", self.log_format]
        return [self.program, *self.options, "--root", str(place.state), *log]

    @staticmethod
    def _process(place: "Place") -> list[str]:
        console = ["--console-socket", place.console] if place.console else []
        return ["--detach", "--pid-file", str(place.pid_file), *console]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Files that a runtime is told to use. ``state`` is its folder of containers.

    console: the name of a socket in the working directory, for a terminal; empty without one.
    """

    state: Path
    error_log: Path
    pid_file: Path
    console: str
