"""What could come next on a command line: commands, flags, names that the engine knows.

The shells' scripts (commands/completion.py) ask by ``knarr __complete WORD... CURRENT``, and get a
candidate a line, a tab and its description where it has one; ``:files`` in place of candidates asks
the shell for names of files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from knarr.cli.cli import Cli
from knarr.cli.command import Command, Option
from knarr.cli.globals import options as root_options
from knarr.cli.parse import parse
from knarr.cli.words import (
    GROUP_FLAGS,
    GROUPS,
    PROGRAMS,
    SPELLINGS,
    find,
    group_options,
    load,
    paths,
)
from knarr.client.calls import containers, images, networks, volumes
from knarr.client.lean import Any, Final
from knarr.errors import KnarrError

FILES: Final = ":files"
Candidates = list[tuple[str, str]]

_RUNNING: Final = frozenset(
    f"container {verb}" for verb in (
        "attach", "exec", "kill", "pause", "port", "stats", "stop", "top", "unpause")
)  # fmt: skip
_STOPPED: Final = frozenset({"container start"})
_FLAG_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "pull": ("always", "missing", "never"),
    "restart": ("no", "on-failure", "always", "unless-stopped"),
    "ipc": ("none", "private", "shareable", "host"),
    "cgroupns": ("host", "private"),
    "pid": ("host",), "uts": ("host",), "userns": ("host",),
    "log-driver": ("json-file", "local", "none", "journald", "syslog"),
    "attach": ("stdin", "stdout", "stderr"),
    "signal": ("HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2"),
    "stop-signal": ("HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2"),
    "type": ("container", "image", "network", "volume"),
    "platform": ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/riscv64"),
    "arch": ("amd64", "arm64", "arm", "386", "riscv64"), "os": ("linux", "windows"),
    "to": ("tar+erofs", "unpacked"),
    "log-level": ("debug", "info", "warn", "error", "fatal"),
    "ansi": ("never", "always", "auto"),
    "progress": ("auto", "tty", "plain", "json", "quiet"),
}  # fmt: skip
_FILE_FLAGS: Final = frozenset(
    ("env-file", "label-file", "cidfile", "output", "input", "config", "tlscacert", "tlscert",
     "tlskey", "file", "iidfile", "project-directory")
)  # fmt: skip


def candidates(cli: Cli, words: list[str]) -> str:
    """The answer for the words up to the cursor, the last one being typed (maybe empty)."""
    *before, current = words or [""]
    found = _found(cli, before, current)
    if found is None:
        return f"{FILES}\n"
    fitting = sorted({(word, told) for word, told in found if word.startswith(current)})
    return "".join(f"{word}\t{told}\n" if told else f"{word}\n" for word, told in fitting)


def _found(cli: Cli, before: list[str], current: str) -> Candidates | None:
    root = root_options()
    rest, pending = _past_flags(before, root)
    if pending is not None:
        return _values(cli, pending)
    _take_globals(cli, before[: len(before) - len(rest)])
    if not rest:
        return _flags(root) if current.startswith("-") else _commands()
    if rest[0] in GROUP_FLAGS:
        group, own = rest[0], group_options(rest[0])
        words, pending = _past_flags(rest[1:], own)
        if pending is not None:
            return _values(cli, pending)
        if not words:
            return _flags(own) if current.startswith("-") else _members(group)
        cli.group = parse(rest[1 : len(rest) - len(words)], own).values
        rest = [group, *words]
    path, _, after = find(rest)
    if path in GROUPS and not after:
        return _members(path)
    command = load(path)
    if command is None:
        return []
    return _of_command(cli, command, after, current)


def _past_flags(words: list[str], options: list[Option]) -> tuple[list[str], Option | None]:
    """The words after the flags before them; and the flag whose value is being typed."""
    rest = words
    while rest and rest[0].startswith("-"):
        option = _option(options, rest[0])
        if option is not None and _wants_value(option, rest[0]):
            if len(rest) == 1:
                return [], option
            rest = rest[1:]
        rest = rest[1:]
    return rest, None


def _take_globals(cli: Cli, words: list[str]) -> None:
    from knarr.cli.globals import take_globals

    if words:
        take_globals(cli, words)


def _of_command(cli: Cli, command: Command, words: list[str], current: str) -> Candidates | None:
    arguments: list[str] = []
    pending: Option | None = None
    for word in words:
        if pending is not None:
            pending = None
        elif word.startswith("-") and (command.interspersed or not arguments):
            option = _option(command.options, word)
            pending = option if option is not None and _wants_value(option, word) else None
        else:
            arguments.append(word)
    if pending is not None:
        return _values(cli, pending)
    if current.startswith("-") and (command.interspersed or not arguments):
        return _flags(command.options)
    if command.path == "container cp" and current.startswith(("/", ".", "~")):
        return None
    return _arguments(cli, command, arguments)


def _option(options: Iterable[Option], word: str) -> Option | None:
    name = word.lstrip("-").partition("=")[0]
    for option in options:
        if word.startswith("--"):
            if name in (option.name, *option.flag.also):
                return option
        elif option.flag.short == f"-{word[-1]}":  # the last one of a cluster may want a value
            return option
    return None


def _wants_value(option: Option, word: str) -> bool:
    return option.kind.bare is None and "=" not in word


def _flags(options: Iterable[Option]) -> Candidates:
    shown = [option for option in options if not option.flag.hidden]
    return [(f"--{o.name}", o.flag.help.partition("\n")[0]) for o in shown] + [
        (o.flag.short, o.flag.help.partition("\n")[0]) for o in shown if o.flag.short
    ]


def _commands() -> Candidates:
    singles = [path for path in (*paths(), *PROGRAMS) if " " not in path]
    singles += [word for word in SPELLINGS if " " not in word]
    return [(word, _summary(SPELLINGS.get(word, word))) for word in singles] + [
        (group, told) for group, told in GROUPS.items() if " " not in group
    ]


def _members(group: str) -> Candidates:
    own = [path for path in (*paths(), *PROGRAMS) if path.startswith(f"{group} ")]
    told = {path.removeprefix(f"{group} ").partition(" ")[0]: _summary(path) for path in own}
    inner = {each: GROUPS[f"{group} {each}"] for each in told if f"{group} {each}" in GROUPS}
    return list((told | inner).items())


def _summary(path: str) -> str:
    if path in PROGRAMS:
        return PROGRAMS[path]
    command = load(path)
    return command.summary if command else ""


def _values(cli: Cli, option: Option) -> Candidates | None:
    name = option.name
    if name in _FILE_FLAGS:
        return None
    if name == "network":
        return _asked(cli, _networks)
    if name in ("volumes-from", "link"):
        return _asked(cli, lambda cli: _containers(cli, all_=True))
    if name == "context":
        return _contexts(cli)
    if name in ("volume", "mount"):
        return None
    return [(value, "") for value in _FLAG_VALUES.get(name, ())]


def _arguments(cli: Cli, command: Command, given: list[str]) -> Candidates | None:
    if command.most is not None and len(given) >= command.most:
        return []
    words = command.usage.replace("[", " ").replace("]", " ").replace("|", " ").split()
    place = min(len(given), len(words) - 1)
    word = words[place].removesuffix("...") if words else ""
    if not command.interspersed and given and word not in ("CONTAINER", "IMAGE"):
        return []  # what follows is the container's own command
    source = _source(command.path, word)
    if source is None:
        return None if word in ("file", "FILE", "-") or "PATH" in word else []
    return [pair for pair in _asked(cli, source) or [] if pair[0] not in given]


def _source(path: str, word: str) -> Callable[[Cli], Candidates] | None:
    kind = word.partition(":")[0]
    if kind == "CONTAINER":
        return lambda cli: _containers(cli, all_=path not in _RUNNING, stopped=path in _STOPPED)
    sources: dict[str, Callable[[Cli], Candidates]] = {
        "IMAGE": _images, "NAME": _images, "SOURCE_IMAGE": _images, "TARGET_IMAGE": _images,
        "REPOSITORY": _images, "NETWORK": _networks, "VOLUME": _volumes, "CONTEXT": _contexts,
        "SERVICE": _services,
    }  # fmt: skip
    if path.startswith("manifest "):
        return _manifest_lists if word.startswith("MANIFEST_LIST") else _images
    if path == "inspect":
        return lambda cli: [*_containers(cli, all_=True), *_images(cli), *_networks(cli),
                            *_volumes(cli)]  # fmt: skip
    if path in ("network create", "volume create", "context create", "context import"):
        return None
    return sources.get(kind)


def _asked(cli: Cli, source: Callable[[Cli], Candidates]) -> Candidates:
    """Names from the engine; none where it does not answer: a completion never complains."""
    cli.may_start = False
    try:
        return source(cli)
    except KnarrError:
        return []


def _containers(cli: Cli, *, all_: bool, stopped: bool = False) -> Candidates:
    rows: list[dict[str, Any]] = cli.engine.ask(containers.list_(all_=all_))
    return [
        (name, str(row["Image"]))
        for row in rows
        if not (stopped and row["State"] == "running")
        for name in (name.removeprefix("/") for name in row["Names"])
        if "/" not in name
    ]


def _images(cli: Cli) -> Candidates:
    rows = cli.engine.ask(images.list_())
    names = [name for row in rows for name in row.get("RepoTags") or ()]
    return [(name.removesuffix(":latest"), "") for name in names if not name.startswith("<")]


def _manifest_lists(cli: Cli) -> Candidates:
    """Those that have been begun here; their files' names stand for them."""
    from knarr.cli.manifests import lists

    return [(name, "") for name in lists(cli).names()]


def _services(cli: Cli) -> Candidates:
    """Of the compose files here, or of those that the flags before the command name."""
    from knarr.cli.compose.call import Call

    return [(name, "") for name in Call(cli).config_project(()).all_services]


def _networks(cli: Cli) -> Candidates:
    return [(row["Name"], row["Driver"]) for row in cli.engine.ask(networks.list_())]


def _volumes(cli: Cli) -> Candidates:
    rows = cli.engine.ask(volumes.list_()).get("Volumes") or ()
    return [(row["Name"], row["Driver"]) for row in rows]


def _contexts(cli: Cli) -> Candidates:
    from knarr.cli.contexts import DEFAULT, ContextStore

    return [(name, "") for name in (DEFAULT, *ContextStore(cli.config_folder).names())]
