"""Pull, push, load and save of a large image, beside the least that such a thing can take.

The registry is Debian's, on the loopback of each engine's own network, started empty for each push.
What was stored before is removed, and the disk is quiet, before the clock starts.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bigimage import BigImage, big_image
from engines import BareRuntime, Engine
from turns import Measure, Table, take_turns, timed

from knarr.content import Compression, compressor, decompressor
from support.peers import answering, free_port, running

_PIECE = 1 << 20


def images(
    table: Table, found: list[Engine], _bare: BareRuntime, options: argparse.Namespace
) -> None:
    folder = options.folder / "images"
    folder.mkdir()
    image = big_image()
    print(
        f"  {len(image.layers)} layers, {image.entries} entries, {image.plain_bytes >> 20} MiB",
        flush=True,
    )
    with ExitStack() as stack:
        if options.realtime:
            stack.enter_context(_first(found))
        ports = (free_port(), free_port())
        seed = f"127.0.0.1:{ports[0]}/bench/big:1"
        archive = folder / "big.tar"
        archive.write_bytes(image.archive(f"127.0.0.1:{ports[1]}/bench/big:1"))
        _seed(found[0], folder / "seed", ports, archive, seed)
        contestants = [
            _Contestant(engine=each, folder=folder, ports=ports, archive=archive) for each in found
        ]
        for each in contestants:
            stack.enter_context(_registry(each.engine, folder / "seed", ports[0]))
        floor = _Floor.of(image, folder / "floor", archive)
        contests: dict[str, dict[str, Measure]] = {}
        for what, bare in (
            ("load", floor.load),
            ("push, to be compressed", None),
            ("save", floor.save),
            ("pull", floor.pull),
            ("push of what was pulled", None),
        ):
            contests[what] = {each.engine.name: each.measures[what] for each in contestants}
            if bare is not None:
                contests[what]["floor"] = bare
        take_turns(table, options.rounds, contests)
        for each in contestants:
            peak = {each.engine.name: [float(each.engine.peak_kib())]}
            table.setdefault("peak memory of the daemon (KiB)", {}).update(peak)


@contextmanager
def _first(found: list[Engine]) -> Iterator[None]:
    """The engines, and all that this process starts, before anybody else on the machine.

    Only now: with real-time priority no process may enter a control group of its own.
    """
    daemons = [pid for each in found for pid in each.helper_pids()]
    threads = [int(each.name) for pid in daemons for each in Path(f"/proc/{pid}/task").iterdir()]

    def put(policy: int, priority: int) -> None:
        for thread in (0, *threads):
            with suppress(ProcessLookupError):
                os.sched_setscheduler(thread, policy, os.sched_param(priority))

    put(os.SCHED_RR, 1)
    try:
        yield
    finally:
        put(os.SCHED_OTHER, 0)


def _seed(engine: Engine, storage: Path, ports: tuple[int, int], archive: Path, name: str) -> None:
    """Fill the registry that all pull from."""
    with _registry(engine, storage, ports[0]):
        engine.run("load", "-i", str(archive))
        engine.run("tag", name.replace(str(ports[0]), str(ports[1])), name)
        engine.run("push", name)
    engine.run("rmi", "-f", name, name.replace(str(ports[0]), str(ports[1])))


@contextmanager
def _registry(engine: Engine, storage: Path, port: int) -> Iterator[None]:
    """Debian's registry, where this engine finds it on its loopback."""
    storage.mkdir(exist_ok=True)
    config = storage.with_name(f"{storage.name}-{engine.name}.yml")
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {storage}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with running(*engine.inside, "docker-registry", "serve", str(config)):
        url = f"http://127.0.0.1:{port}/v2/"
        if engine.inside:
            ask = ["curl", "-sf", "--retry", "50", "--retry-delay", "0", "--retry-connrefused"]
            subprocess.run([*engine.inside, *ask, "-o", "/dev/null", url], check=True)
        else:
            answering(url)
        yield


@dataclass(frozen=True, kw_only=True)
class _Contestant:
    """An engine, and what it is asked to do, in an order in which each step finds what it needs."""

    engine: Engine
    folder: Path
    ports: tuple[int, int]
    archive: Path

    @property
    def measures(self) -> dict[str, Measure]:
        return {
            "load": self.load,
            "push, to be compressed": self.push,
            "save": self.save,
            "pull": self.pull,
            "push of what was pulled": self.push,
        }

    @property
    def pulled(self) -> str:
        return f"127.0.0.1:{self.ports[0]}/bench/big:1"

    @property
    def pushed(self) -> str:
        return f"127.0.0.1:{self.ports[1]}/bench/big:1"

    def load(self) -> float:
        self._forget()
        return self._timed("load", "-i", str(self.archive))

    def pull(self) -> float:
        self._forget()
        took = self._timed("pull", *self._plain, self.pulled)
        self.engine.run("tag", self.pulled, self.pushed)
        return took

    def push(self) -> float:
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as name,
            _registry(self.engine, Path(name) / "storage", self.ports[1]),
        ):
            return self._timed("push", *self._plain, self.pushed)

    def save(self) -> float:
        target = self.folder / "saved.tar"
        target.unlink(missing_ok=True)
        try:
            return self._timed("save", "-o", str(target), self.pushed)
        finally:
            target.unlink(missing_ok=True)

    @property
    def _plain(self) -> tuple[str, ...]:
        return ("--tls-verify=false",) if self.engine.name == "podman" else ()

    def _forget(self) -> None:
        for name in (self.pulled, self.pushed):
            self.engine.run("rmi", "-f", name, check=False)

    def _timed(self, *words: str) -> float:
        os.sync()
        return self.engine.timed(*words)


@dataclass(frozen=True, kw_only=True)
class _Floor:
    """What nobody can go without: bytes inflated, hashed, and written to files."""

    packed: tuple[Path, ...]
    plain: tuple[Path, ...]
    archive: Path
    folder: Path

    @classmethod
    def of(cls, image: BigImage, folder: Path, archive: Path) -> "_Floor":
        folder.mkdir()
        packed, plain = [], []
        for number, tar in enumerate(image.layers):
            plain.append(folder / f"{number}.tar")
            plain[-1].write_bytes(tar)
            packed.append(folder / f"{number}.tar.gz")
            packer = compressor(Compression.GZIP)
            packed[-1].write_bytes(packer.compress(tar) + packer.flush())
        return cls(packed=tuple(packed), plain=tuple(plain), archive=archive, folder=folder)

    def pull(self) -> float:
        """From packed files in the page cache: inflate, two digests, and two files written."""

        def layer(path: Path) -> None:
            whole, inner = hashlib.sha256(), hashlib.sha256()
            unpacking = decompressor(Compression.GZIP)
            copy, tar = path.with_suffix(".copy"), path.with_suffix(".plain")
            with path.open("rb") as source, copy.open("wb") as kept, tar.open("wb") as target:
                while piece := source.read(_PIECE):
                    whole.update(piece)
                    kept.write(piece)
                    for plain in unpacking.feed(piece):
                        inner.update(plain)
                        target.write(plain)

        return self._measured(layer, self.packed)

    def load(self) -> float:
        """From plain tars in the page cache: one digest, and a file written."""

        def layer(path: Path) -> None:
            digest = hashlib.sha256()
            with path.open("rb") as source, path.with_suffix(".plain").open("wb") as target:
                while piece := source.read(_PIECE):
                    digest.update(piece)
                    target.write(piece)

        return self._measured(layer, self.plain)

    def save(self) -> float:
        """The archive copied by the kernel."""
        return self._measured(
            lambda path: shutil.copyfile(path, self.folder / "saved.plain"), (self.archive,)
        )

    def _measured(self, layer: Callable[[Path], object], paths: tuple[Path, ...]) -> float:
        os.sync()
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            took = timed(lambda: list(threads.map(layer, paths)))
        for pattern in ("*.plain", "*.copy"):
            for path in self.folder.glob(pattern):
                path.unlink()
        return took
