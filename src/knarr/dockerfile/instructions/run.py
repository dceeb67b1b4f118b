"""RUN."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from knarr.build.graph import Vertex
from knarr.build.ops import BindMount, Execute, InlineFile, InlineFiles, Mount, SshMount
from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.lexer import parse_heredoc
from knarr.dockerfile.line import Command, Line
from knarr.dockerfile.mounts import MountOptions
from knarr.dockerfile.stage import Stage
from knarr.errors import InvalidArgument, Unsupported

_NETWORKS: Final = ("default", "none", "host")
_SECURITY: Final = ("sandbox", "insecure")
_SCRIPTS: Final = "/dev/pipes"  # where a heredoc with an interpreter of its own is mounted


@instruction("RUN")
@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Plain):
    """Run a command; what it changes becomes a layer.

    Source: Dockerfile reference, "RUN".
    """

    command: Command
    mounts: tuple[str, ...] = ()  # as they are written; variables in them are expanded
    network: str = ""
    insecure: bool = False

    @classmethod
    def parse(cls, line: Line) -> Self:
        options = line.options(texts=("network", "security"), lists=("mount", "device"))
        command = line.command()
        if command.exec_form and not any(command.words):
            raise line.error("RUN requires at least one argument")
        network = options.texts.get("network", "")
        if network and network not in _NETWORKS:
            raise line.error(f'invalid network mode "{network}"', line.flag_offset("network"))
        security = options.texts.get("security", "sandbox")
        if security not in _SECURITY:
            raise line.error(f'security "{security}" is not valid', line.flag_offset("security"))
        if "device" in options.lists:
            raise line.error(
                "unknown flag: --device (devices are part of the -labs channel)",
                line.flag_offset("device"),
            )
        mounts = options.lists.get("mount", ())
        for mount in mounts:
            _check_mount(line, mount)
        return cls(command=command, mounts=mounts, network=network, insecure=security == "insecure")

    def lower(self, stage: Stage) -> Stage:
        inputs: list[Vertex] = []
        argv, scripts = self._argv(stage, inputs)
        mounts = self._mounts(stage, inputs)
        command = Execute(
            argv=argv,
            env=_with_agent(_environment(stage), mounts),
            cwd=stage.config.working_dir or "/",
            user=stage.config.user,
            mounts=(*scripts, *mounts),
            network=self.network or stage.world.network,
            insecure=self.insecure,
            hostname=stage.world.hostname,
        )
        return stage.then(command, *inputs).noted(f"RUN {_said(stage, argv)} # buildkit")

    def _argv(
        self, stage: Stage, inputs: list[Vertex]
    ) -> tuple[tuple[str, ...], tuple[BindMount, ...]]:
        """The command, and the mount of a heredoc that names its own interpreter."""
        if not self.command.heredocs:
            return self.command.argv(stage.shell), ()
        text, first = self.command.words[0], self.command.heredocs[0]
        if parse_heredoc(text) is None:  # the shell reads the heredocs, as it would by itself
            bodies = (f"\n{each.content}{each.name}" for each in self.command.heredocs)
            return (*stage.shell, text + "".join(bodies)), ()
        if not first.text.startswith("#!"):
            return (*stage.shell, first.text), ()
        script = InlineFile(name=first.name, text=first.text, mode=0o755)
        inputs.append(Vertex(InlineFiles(files=(script,))))
        return (f"{_SCRIPTS}/{first.name}",), (BindMount(target=_SCRIPTS, input=len(inputs)),)

    def _mounts(self, stage: Stage, inputs: list[Vertex]) -> list[Mount]:
        mounts: list[Mount] = []
        agents = 0
        for text in self.mounts:
            options = MountOptions.parse(text, stage.expand)
            index = 0
            if options.origin or options.type == "bind":
                inputs.append(_origin(stage, options.origin))
                index = len(inputs)
            mounts.append(
                options.mount(
                    stage.config.working_dir or "/",
                    input_index=index,
                    number=agents,
                    namespace=stage.world.cache_namespace,
                )
            )
            agents += options.type == "ssh"
        return mounts

    def origins(self) -> tuple[str, ...]:
        parsed = (_parsed_or_none(text) for text in self.mounts)
        return tuple(options.origin for options in parsed if options and options.origin)


def _origin(stage: Stage, origin: str) -> Vertex:
    return stage.world.files_of(origin, stage) if origin else stage.world.context()


def _check_mount(line: Line, text: str) -> None:
    """Find mistakes while parsing, where no variable has to be known for it."""
    try:
        if "$" not in text or "from=$" in text:
            MountOptions.parse(text, str)
    except (InvalidArgument, Unsupported) as error:
        raise line.error(str(error), line.flag_offset("mount")) from error


def _parsed_or_none(text: str) -> MountOptions | None:
    try:
        return MountOptions.parse(text, lambda value: value if "$" not in value else "/_")
    except InvalidArgument:
        return None  # lowering says why, with the variables' values


def _with_agent(env: tuple[str, ...], mounts: Iterable[Mount]) -> tuple[str, ...]:
    """With the variable by which programs find the SSH agent, the first where there are several."""
    target = next((each.target for each in mounts if isinstance(each, SshMount)), "")
    if not target or any(each.startswith("SSH_AUTH_SOCK=") for each in env):
        return env
    return (*env, f"SSH_AUTH_SOCK={target}")


def _environment(stage: Stage) -> tuple[str, ...]:
    """The image's variables, then the ARGs in scope that have a value and no ENV over them."""
    image = stage.env
    given = (
        f"{arg.name}={arg.value}"
        for arg in stage.arguments
        if arg.value is not None and arg.name not in image
    )
    return (*stage.config.env, *given)


def _said(stage: Stage, argv: tuple[str, ...]) -> str:
    """The command in the history, behind the ARGs that it could see: ``|1 A=b /bin/sh -c …``."""
    variables = stage.variables
    given = [f"{arg.name}={variables.get(arg.name, '')}" for arg in stage.arguments]
    return " ".join([f"|{len(given)}", *given, *argv] if given else argv)
