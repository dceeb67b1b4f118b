"""The words that call a command: where its file is, and by which other words it goes.

A command's path is its file's: ``container ls`` is ``commands/container/ls.py``. Only the spellings
that differ from the path are listed here.
"""

from __future__ import annotations

import os
import sys

from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

    from knarr.cli.command import Command, Option

SPELLINGS: Final[dict[str, str]] = {
    "attach": "container attach",
    "build": "image build",
    "builder build": "image build",
    "buildx b": "image build",
    "buildx build": "image build",
    "buildx prune": "builder prune",
    "commit": "container commit",
    "compose convert": "compose config",
    "container list": "container ls",
    "container ps": "container ls",
    "container remove": "container rm",
    "context list": "context ls",
    "context remove": "context rm",
    "cp": "container cp",
    "create": "container create",
    "diff": "container diff",
    "events": "system events",
    "exec": "container exec",
    "export": "container export",
    "history": "image history",
    "image list": "image ls",
    "image remove": "image rm",
    "images": "image ls",
    "import": "image import",
    "info": "system info",
    "kill": "container kill",
    "load": "image load",
    "logs": "container logs",
    "network list": "network ls",
    "network remove": "network rm",
    "pause": "container pause",
    "port": "container port",
    "ps": "container ls",
    "pull": "image pull",
    "push": "image push",
    "rename": "container rename",
    "restart": "container restart",
    "rm": "container rm",
    "rmi": "image rm",
    "run": "container run",
    "save": "image save",
    "start": "container start",
    "stats": "container stats",
    "stop": "container stop",
    "tag": "image tag",
    "top": "container top",
    "unpause": "container unpause",
    "update": "container update",
    "volume list": "volume ls",
    "volume remove": "volume rm",
    "wait": "container wait",
}

GROUPS: Final[dict[str, str]] = {
    "builder": "Manage builds",
    "buildx": "Build with the words of Docker's plugin",
    "buildx imagetools": "Look at images in registries, and make indexes of them",
    "compose": "Define and run projects of several containers",
    "container": "Manage containers",
    "context": "Manage contexts",
    "image": "Manage images",
    "manifest": "Manage manifests and lists of them in registries",
    "network": "Manage networks",
    "registry": "Serve images to others",
    "system": "Manage the engine",
    "volume": "Manage volumes",
}

# The engine's own programs: run by the same word, each with a help of its own.
PROGRAMS: Final[dict[str, str]] = {
    "daemon": "Run knarr's engine in the foreground",
    "doctor": "Try what containers need on this machine",
    "registry serve": "Serve a registry, or a cache of others",
}

# Groups that take flags before their command, and the module that declares them.
GROUP_FLAGS: Final[dict[str, str]] = {"compose": "knarr.cli.compose.flags"}

_KEYWORDS: Final = ("import",)


def load(path: str) -> Command | None:
    """The command of this path, its file imported; None where there is no such file."""
    from knarr.cli.command import COMMANDS

    if (command := COMMANDS.get(path)) is not None:
        return command
    name = module_name(path)
    if name is None:
        return None
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        return None
    return COMMANDS.get(path)


def group_options(group: str) -> list[Option]:
    """The flags that stand between a group's name and its command; most have none."""
    name = GROUP_FLAGS.get(group)
    if name is None:
        return []
    __import__(name)
    options: list[Option] = sys.modules[name].options()
    return options


def module_name(path: str) -> str | None:
    """The module of a command, None where the words cannot name one."""
    words = [word.replace("-", "_") for word in path.split(" ")]
    if not all(word.isidentifier() and word.isascii() and word[0] != "_" for word in words):
        return None
    words = [f"{word}_" if word in _KEYWORDS else word for word in words]
    return ".".join(("knarr.cli.commands", *words))


def find(words: list[str]) -> tuple[str, str, list[str]]:
    """What is called: (path, the words it was called by, what follows).

    The path is of a command, or of a group where no command follows, or empty.
    """
    if not words or words[0].startswith("-"):
        return "", "", words
    first, rest = words[0], words[1:]
    if first in GROUPS:
        if not rest or rest[0].startswith("-"):
            return first, first, rest
        inner = f"{first} {rest[0]}"
        if inner in GROUPS:
            named = len(rest) > 1 and not rest[1].startswith("-")
            path = f"{inner} {rest[1]}" if named else inner
            return path, path, rest[1 + named :]
        path = SPELLINGS.get(f"{first} {rest[0]}", f"{first} {rest[0]}")
        return path, path, rest[1:]  # within its group a command goes by its own name
    return SPELLINGS.get(first, first), first, rest


def spellings_of(path: str) -> list[str]:
    """All words that call a command: its path, others of its group, those of the top."""
    others = [other for other, known in SPELLINGS.items() if known == path]
    return [path, *sorted(others, key=lambda other: (" " not in other, other))]


def paths() -> list[str]:
    """Every command there is, by the files in the folder."""
    top = os.path.join(os.path.dirname(__file__), "commands")
    found = []
    for folder, _, files in os.walk(top):
        group = os.path.relpath(folder, top).replace(os.sep, " ")
        for file in files:
            word, extension = os.path.splitext(file)
            if extension == ".py" and not word.startswith("_"):
                word = word.rstrip("_").replace("_", "-")
                found.append(word if group == "." else f"{group} {word}")
    return sorted(found)
