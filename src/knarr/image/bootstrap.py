"""A base image from the distribution's own signed packages, by mmdebstrap.

For machines that reach a package mirror and no registry. Reproducible: everything newer than the
archive's own date gets that date, so the same packages give the same digest.
"""

import asyncio
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from knarr.errors import InvalidArgument, KnarrError, Unsupported
from knarr.image.derive import derived
from knarr.image.model import NewImage
from knarr.image.sources import AptSource, chosen, parsed
from knarr.reference import Reference
from knarr.snapshot import Layer, Layers
from knarr.spec.docker.image import ImageConfig
from knarr.spec.oci.image import History
from knarr.times import rfc3339

_PROGRAM: Final = "mmdebstrap"
_HELPER: Final = "/usr/lib/apt/apt-helper"
_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_PROXY: Final = re.compile(r'(Acquire::(?:http|https|ftp)::[\w:.-]*[Pp]roxy[\w:.-]*) "(.+)";')
_DATE: Final = re.compile(r"^Date: (.+)$", re.MULTILINE)
_CHUNK_BYTES: Final = 1 << 20
_LAST_LINES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """What is asked for."""

    tag: Reference
    suite: str
    include: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.suite, *self.include):
            if not _NAME.fullmatch(name):
                raise InvalidArgument(f"invalid suite or package name: '{name}'")

    def argv(self, sources: Sequence[AptSource], apt_options: Sequence[str]) -> list[str]:
        """The program that writes the root filesystem to its standard output as a tar."""
        words = [_PROGRAM, "--variant=minbase", "--format=tar"]
        words += [f"--include={','.join(self.include)}"] if self.include else []
        words += [f"--aptopt={each}" for each in apt_options]
        return [*words, self.suite, "-", *(source.line for source in sources)]

    def image(self, layer: Layer, epoch: int) -> NewImage:
        created = rfc3339(epoch * 1_000_000_000)
        packages = f" with {', '.join(self.include)}" if self.include else ""
        step = History(
            created=created, created_by=f"mmdebstrap --variant=minbase {self.suite}{packages}"
        )
        return NewImage(
            config=derived(
                None,
                [layer],
                ImageConfig(cmd=("bash",), env=(_PATH,)),
                [step],
                created=created,
            ),
            layers=(layer,),
            tags=(self.tag,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this machine says about its packages."""

    files: Mapping[str, str]  # apt's sources, text by name
    suite: str  # its own, from os-release

    @classmethod
    def read(cls) -> "Machine":
        apt = Path("/etc/apt")
        names = [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.*"))]
        return cls(
            files={
                path.name: path.read_text()
                for path in names
                if path.suffix in (".list", ".sources") and path.is_file()
            },
            suite=own_suite(),
        )


def own_suite() -> str:
    """The codename in os-release; empty on a distribution without one."""
    with suppress(OSError):
        for line in Path("/etc/os-release").read_text().splitlines():
            if line.startswith("VERSION_CODENAME="):
                return line.partition("=")[2].strip('"')
    return ""


async def bootstrap(
    wanted: Bootstrap, layers: Layers, scratch: Path, done: Callable[[Layer, int], None]
) -> AsyncIterator[str]:
    """Run it all; lines for people to read. ``done`` records the stored, pinned layer of a date.

    Raises Unsupported where mmdebstrap is missing, KnarrError with its last words if it fails.
    """
    if shutil.which(_PROGRAM) is None:
        raise Unsupported(
            f"{_PROGRAM} is not installed: install it with `apt-get install {_PROGRAM}`"
        )
    machine = Machine.read()
    sources = chosen(parsed(machine.files), wanted.suite, machine.suite)
    with ExitStack() as undo:
        folder = scratch / f"bootstrap-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o755, parents=True)
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        options = await _proxies()
        epoch = await _epoch(sources, folder)
        argv = wanted.argv(sources, options)
        environment = {**os.environ, "TMPDIR": str(folder), "SOURCE_DATE_EPOCH": str(epoch)}
        run = _Run(argv, environment, layers)
        try:
            async for line in run.lines():
                yield line
            done(await run.layer(), epoch)
        finally:
            await run.forget()


class _Run:
    """mmdebstrap at work: its messages here, its tar into the layer store by a thread."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], layers: Layers) -> None:
        self._argv = argv
        self._environment = environment
        self._layers = layers
        self._last: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[Layer] | None = None
        self._kept = False

    async def lines(self) -> AsyncIterator[str]:
        reader, writer = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writer,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment,
            )
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        self._reading = asyncio.create_task(asyncio.to_thread(_store, self._layers, reader))
        assert self._process.stderr is not None
        try:
            async for raw in self._process.stderr:
                line = raw.decode(errors="replace").strip()
                self._last = [*self._last[-_LAST_LINES:], line]
                yield line.removeprefix("I: ")
            await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.terminate()
                await self._process.wait()

    async def layer(self) -> Layer:
        assert self._process is not None
        assert self._reading is not None
        code = self._process.returncode
        if code == 0:
            self._kept = True
            return await self._reading
        await asyncio.gather(self._reading, return_exceptions=True)
        said = "\n".join(line for line in self._last if not line.startswith("I: "))
        raise KnarrError(f"{_PROGRAM} failed with exit code {code}:\n{said}")

    async def forget(self) -> None:
        """Unpin what was stored; broken off half-way, it is an orphan that nobody has recorded."""
        if self._reading is None:
            return
        (stored,) = await asyncio.gather(self._reading, return_exceptions=True)
        if isinstance(stored, Layer):
            self._layers.unpin(stored.diff_id)
            if not self._kept:
                self._layers.discard(stored.diff_id)


def _store(layers: Layers, reader: int) -> Layer:
    """The tar that comes through the pipe. In a thread."""
    try:
        with layers.writer() as writer:
            while chunk := os.read(reader, _CHUNK_BYTES):
                writer.write(chunk)
            return writer.commit()
    finally:
        os.close(reader)


async def _proxies() -> list[str]:
    """apt's proxies, which mmdebstrap does not take over by itself."""
    with suppress(FileNotFoundError):
        process = await asyncio.create_subprocess_exec(
            "apt-config", "dump", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        said, _ = await process.communicate()
        found = (_PROXY.fullmatch(line.strip()) for line in said.decode().splitlines())
        return [f'{match[1]} "{match[2]}"' for match in found if match]
    return []


async def _epoch(sources: Sequence[AptSource], folder: Path) -> int:
    """Seconds: SOURCE_DATE_EPOCH if it is set, else the newest date of the archives.

    apt's own helper fetches their InRelease; its signature is mmdebstrap's business, later.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    dates = await asyncio.gather(*(_release_date(source, folder) for source in sources))
    return max(dates, default=0)


async def _release_date(source: AptSource, folder: Path) -> int:
    target = Path(tempfile.mkdtemp(dir=folder)) / "InRelease"
    url = f"{source.uri.rstrip('/')}/dists/{source.suite}/InRelease"
    with suppress(FileNotFoundError, ValueError):
        process = await asyncio.create_subprocess_exec(
            _HELPER, "download-file", url, str(target),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await process.wait()
        if match := _DATE.search(target.read_text(errors="replace")):
            return int(parsedate_to_datetime(match[1]).timestamp())
    return 0
