#!/usr/bin/env python3
"""A ``podman`` for podman-compose that is the docker CLI, with podman's words put in docker's.

podman-compose drives no engine itself: it runs the ``podman`` program, and that one does not speak
the Docker Engine API. These are the few spellings in which the two differ where a project goes up
and down.
"""

import json
import os
import re
import subprocess
import sys


def main(words: list[str]) -> None:
    match words:
        case ["--version", *_]:
            print("podman version 4.3.1")
        case ["wait", "--condition=running", *_]:
            pass  # docker's `start` has waited for it
        case [noun, "exists", name]:
            sys.exit(_docker(noun, "inspect", name).returncode)
        case ["ps", *filters, "--format", "json"]:
            print(json.dumps(_containers(filters)))
        case [verb, *options]:
            os.execvp("docker", ["docker", verb, *filter(None, map(_in_dockers_words, options))])


def _in_dockers_words(option: str) -> str:
    """``--network=back:alias=a,alias=b`` is ``--network=name=back,alias=a,alias=b``."""
    if option.startswith("--requires=") or option == "--noheading":
        return ""
    return re.sub(r"^--network=([^:]+):", r"--network=name=\1,", option)


def _containers(filters: list[str]) -> list[dict[str, object]]:
    ids = _docker("ps", "-q", "--no-trunc", *filters).stdout.split()
    return [
        {
            "Id": each["Id"],
            "Names": [each["Name"].removeprefix("/")],
            "Labels": each["Config"]["Labels"],
            "State": each["State"]["Status"],
            "Exited": each["State"]["Status"] == "exited",
        }
        for each in (json.loads(_docker("inspect", *ids).stdout) if ids else [])
    ]


def _docker(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main(sys.argv[1:])
