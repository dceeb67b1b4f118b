"""The same docker commands against two engines: what each said, made comparable.

IDs, times and addresses are made equal before the comparison; everything else must be.
"""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

Docker = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Case:
    """Commands in order; containers that they name are removed before and after."""

    name: str
    script: tuple[str | tuple[str, ...], ...]
    containers: tuple[str, ...] = ("t1", "t2")
    given: str = ""
    unordered: bool = False


def case(name: str, *script: str | tuple[str, ...], **options: object) -> Case:
    return Case(name, script, **options)  # type: ignore[arg-type]


def sh(options: str, program: str) -> tuple[str, ...]:
    """``run --rm OPTIONS busybox sh -c PROGRAM``."""
    return ("run", "--rm", *options.split(), "busybox", "sh", "-c", program)


_REMOVE = (
    'cannot remove container "t1": container is running: stop the container before removing or'
    " force remove"
)
_DIFF = re.compile(r"([ACD] /.*\n)+")
_REPLACEMENTS = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<short id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"(Up|Exited \(\d+\)) .*?(second|minute)s?( ago)?"), r"\1 <time>"),
    (re.compile(r"^\d+ +(\S+)$", re.MULTILINE), r"<pid> \1"),  # the column is as wide as its number
    # Where Docker's newer releases say it otherwise than 20.10, knarr follows the newer ones.
    (re.compile(r"failed to create task for container: "), ""),
    (re.compile(r"You cannot remove a running container \S+\. Stop .* force remove"), _REMOVE),
    (re.compile(r"(invalid restart policy)(?:: unknown policy)? ('\w+')[^\n]*"), r"\1 \2"),
    (re.compile(r'(exec: "/etc"): permission denied'), r"\1: is a directory"),
)  # fmt: skip


def normalised(text: str) -> str:
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    if _DIFF.fullmatch(text):
        text = "".join(sorted(text.splitlines(keepends=True)))  # Docker's are in no order
    return text.casefold()  # newer releases begin some sentences in lower case


def words(command: str | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(command.split()) if isinstance(command, str) else command


def transcript(docker: Docker, case: Case) -> list[tuple[str, int, str, str]]:
    """What each command said, and its exit code."""
    docker("rm", "-fv", *case.containers)
    told = []
    try:
        for command in case.script:
            given = {"input": case.given} if case.given else {"stdin": subprocess.DEVNULL}
            result = docker(*words(command), **given)
            told.append(
                (
                    " ".join(words(command)),
                    result.returncode,
                    normalised(result.stdout),
                    normalised(result.stderr),
                )
            )
    finally:
        docker("rm", "-fv", *case.containers)
    return told
