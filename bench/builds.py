"""Builds: many files copied, nothing changed, small steps, stages side by side, a large context.

knarr, Docker's classic builder, its BuildKit (where a docker CLI of before 23 is installed, which
has its client) and buildah, each with the cache of layers that it has. Folders are new to all of
them in each round, except where it is the second build that is measured.
"""

import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engines import Engine

FILES, MANY_FILES = 10_000, 100_000
_A_FOLDER = 100  # files
_LONGEST_SECONDS = 600  # of one build; a builder that hangs ends the section
_BASE = "FROM docker.io/library/busybox:latest\n"
_COPY = f"{_BASE}COPY src /src\n"
_RUNS = _BASE + "RUN true\n" * 8
_STAGES = "".join(
    [f"{_BASE.strip()} AS s{n}\nRUN sleep 2 && echo {n} > /f\n" for n in range(3)]
    + [_BASE]
    + [f"COPY --from=s{n} /f /f{n}\n" for n in range(3)]
)


@dataclass(frozen=True)
class Builder:
    """A command that builds the folder given to it last."""

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)

    def build(self, folder: Path, *words: str) -> float:
        before = time.perf_counter()
        result = subprocess.run(
            [*self.argv, *words, str(folder)],
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_LONGEST_SECONDS,
        )
        if result.returncode:
            raise RuntimeError(f"{self.name}: {result.stderr.decode(errors='replace')[-2000:]}")
        return time.perf_counter() - before


@contextmanager
def builders(found: Sequence[Engine], folder: Path) -> Iterator[list[Builder]]:
    """All that are installed."""
    known = []
    for engine in found:
        if engine.name == "knarr":
            known.append(Builder("knarr", [*engine.cli, "build", "-q"], engine.environ))
        elif engine.name == "docker":
            *inside, _ = engine.cli
            classic = {**engine.environ, "DOCKER_BUILDKIT": "0"}
            known.append(Builder("docker, classic", [*engine.cli, "build", "-q"], classic))
            if client := _buildkit_client():
                buildkit = {**engine.environ, "DOCKER_BUILDKIT": "1"}
                argv = [*inside, client, "build", "-q"]
                known.append(Builder("docker, BuildKit", argv, buildkit))
    if shutil.which("buildah"):
        known.append(_buildah(folder / "buildah", folder / "busybox.tar"))
    try:
        yield known
    finally:
        subprocess.run(["umount", "-q", str(folder / "buildah/data/overlay")], check=False)


def _buildkit_client() -> str | None:
    for program in ("docker", "/usr/bin/docker"):
        if path := shutil.which(program):
            told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
            if int(told.stdout.split()[2].split(".")[0]) < 23:
                return path
    return None


def _buildah(folder: Path, archive: Path) -> Builder:
    """On the host's network, which costs it less than one of its own would."""
    folder.mkdir()
    storage = folder / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/data"\nrunroot = "{folder}/run"\n'
    )
    environ = {
        "CONTAINERS_STORAGE_CONF": str(storage),
        "BUILDAH_RUNTIME": "runc",
        "BUILDAH_ISOLATION": "oci",
    }
    told = subprocess.run(
        ["buildah", "pull", "-q", f"docker-archive:{archive}"],
        env={**os.environ, **environ}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    name = ["buildah", "tag", told.stdout.strip(), "docker.io/library/busybox:latest"]
    subprocess.run(name, env={**os.environ, **environ}, check=True)
    argv = [
        "buildah",
        "build",
        "-q",
        "--layers",
        "--pull-never",
        "--network",
        "host",
        "--jobs",
        "4",
    ]
    return Builder("buildah", argv, environ)


class Folders:
    """Contexts that nobody has seen before."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._numbers = itertools.count()

    def new(self, dockerfile: str, files: int = 0) -> Path:
        """With so many files of about 1 KB, each with a content of its own."""
        number = next(self._numbers)
        folder = self._place / f"context-{number}"
        folder.mkdir()
        (folder / "Dockerfile").write_text(dockerfile)
        for index in range(files):
            parent = folder / "src" / f"d{index // _A_FOLDER}"
            if index % _A_FOLDER == 0:
                parent.mkdir(parents=True)
            (parent / f"f{index}").write_bytes(b"%d %d\n" % (number, index) * 80)
        os.sync()  # what is still to be written is nobody's to wait for
        return folder


def measures(
    known: Sequence[Builder], folders: Folders
) -> dict[str, dict[str, Callable[[], float]]]:
    """What is measured, by whom; seconds."""
    seen: dict[str, Path] = {}

    def first(builder: Builder) -> float:
        if builder.name in seen:
            shutil.rmtree(seen[builder.name])
        seen[builder.name] = folder = folders.new(_COPY, FILES)
        return builder.build(folder)

    def anew(builder: Builder, dockerfile: str) -> float:
        return builder.build(folders.new(dockerfile), "--no-cache")

    return {
        f"COPY of {FILES:,} files": {each.name: lambda each=each: first(each) for each in known},
        "the same, nothing changed": {
            each.name: lambda each=each: each.build(seen[each.name]) for each in known
        },
        "8 steps RUN true": {each.name: lambda each=each: anew(each, _RUNS) for each in known},
        "three stages of sleep 2": {
            each.name: lambda each=each: anew(each, _STAGES) for each in known
        },
    }  # fmt: skip


def one_changed(
    known: Sequence[Builder], folders: Folders
) -> dict[str, dict[str, Callable[[], float]]]:
    """A large context of which one file changed since the build before."""
    folder = folders.new(_COPY, MANY_FILES)

    def change_and_build(builder: Builder) -> float:
        (folder / "src" / "d0" / "f0").write_text(f"{time.time_ns()}\n")
        return builder.build(folder)

    return {
        f"one of {MANY_FILES:,} files changed": {
            each.name: lambda each=each: change_and_build(each) for each in known
        }
    }
