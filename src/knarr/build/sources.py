"""Files from elsewhere: a web server, a git repository.

<data root>/build/http/<digest of the URL>/{file/<name>,about.json}   the last answer of each URL
"""

import asyncio
import base64
import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from knarr.build.graph import digest_of
from knarr.build.model import Files, Result
from knarr.build.ops import Git, Http
from knarr.build.tree import FolderTree
from knarr.errors import InvalidArgument, KnarrError, NotFound, Unavailable, Unsupported
from knarr.ids import Digest
from knarr.kernel.openat2 import open_directory
from knarr.registry.web import answer_to, refuse_failure

if TYPE_CHECKING:
    import urllib3

_PIECE_BYTES: Final = 1 << 20
_FILE_MODE: Final = 0o600
_SECOND_NS: Final = 1_000_000_000
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


class _About(msgspec.Struct, frozen=True):
    """What is known of a downloaded file."""

    digest: str
    etag: str = ""
    last_modified: str = ""


class Sources:
    """Fetches; one for the daemon."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def http(self, op: Http, secrets: Mapping[str, bytes]) -> Files:
        """The file. Raises NotFound, Unavailable; InvalidArgument for another checksum."""
        place = self._folder / "http" / digest_of(op.url).removeprefix("sha256:")
        headers = _authorization(op.url, secrets)
        about = await asyncio.to_thread(self._download, op, place, headers)
        if op.checksum and about.digest != op.checksum:
            raise InvalidArgument(
                f"digest mismatch {about.digest} of {op.url}: expected {op.checksum}"
            )
        return Files(
            tree=_folder_tree(place / "file"),
            digest=digest_of(about.digest, op.file_name),
            time_ns=_modified_ns(about.last_modified),
        )

    def _download(self, op: Http, place: Path, headers: Mapping[str, str]) -> _About:
        known = _known(place, op.file_name)
        if known is not None and op.checksum == known.digest:
            return known
        asked = dict(headers)
        if known is not None and known.etag:
            asked["If-None-Match"] = known.etag
        elif known is not None and known.last_modified:
            asked["If-Modified-Since"] = known.last_modified
        with answer_to(op.url, asked) as answer:
            if answer.status == 304 and known is not None:
                return known
            refuse_failure(op.url, answer.status)
            return _stored(op, place, answer)

    async def git(self, op: Git, checkout: Path, secrets: Mapping[str, bytes]) -> Files:
        """The tree at the wanted commit, in the new folder ``checkout``."""
        git = _Git(checkout, secrets)
        os.mkdir(checkout, 0o700)
        commit = await git.check_out(op)
        if op.checksum and not commit.startswith(op.checksum):
            raise InvalidArgument(
                f"expected checksum to match {op.checksum}, got {commit} of {op.url}"
            )
        time_ns = int(await git.run("log", "-1", "--format=%ct")) * _SECOND_NS
        if not op.keep_git_dir:
            await asyncio.to_thread(shutil.rmtree, checkout / ".git")
        await asyncio.to_thread(_set_times, checkout, time_ns)
        digest = digest_of(commit, op.folder, op.keep_git_dir, op.submodules)
        return Files(tree=_within(checkout, op), digest=digest, time_ns=time_ns)


def _folder_tree(folder: Path) -> FolderTree:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return FolderTree(fd)
    finally:
        os.close(fd)


def _within(checkout: Path, op: Git) -> FolderTree:
    """The part of the repository that counts; a link cannot lead out of it."""
    root = os.open(checkout, os.O_RDONLY | os.O_DIRECTORY)
    try:
        folder = open_directory(root, op.folder)
        try:
            return FolderTree(folder)
        finally:
            os.close(folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"{op.folder} in {op.url}: no such directory") from error
    finally:
        os.close(root)


# The web


def _known(place: Path, name: str) -> _About | None:
    try:
        about = msgspec.json.decode((place / "about.json").read_bytes(), type=_About)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return about if (place / "file" / name).exists() else None


def _stored(op: Http, place: Path, answer: "urllib3.BaseHTTPResponse") -> _About:
    """The body under its name, whole or not at all."""
    import urllib3

    incoming = place.with_name(f"{place.name}.{os.urandom(4).hex()}")
    (incoming / "file").mkdir(parents=True, mode=0o700)
    sha = hashlib.sha256()
    try:
        path = incoming / "file" / op.file_name
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, _FILE_MODE)) as file:
            for piece in answer.stream(_PIECE_BYTES, decode_content=False):
                sha.update(piece)
                file.write(piece)
        last_modified = answer.headers.get("Last-Modified", "")
        time_ns = _modified_ns(last_modified)
        os.utime(path, ns=(time_ns, time_ns))
        about = _About(f"sha256:{sha.hexdigest()}", answer.headers.get("ETag", ""), last_modified)
        (incoming / "about.json").write_bytes(msgspec.json.encode(about))
        shutil.rmtree(place, ignore_errors=True)
        os.rename(incoming, place)
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"failed to load {op.url}: {error}") from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return about


def _modified_ns(text: str) -> int:
    """Of a Last-Modified header; 0 without one, so that the day of the download does not show."""
    try:
        return int(parsedate_to_datetime(text).timestamp()) * _SECOND_NS if text else 0
    except (TypeError, ValueError):
        return 0


def _authorization(url: str, secrets: Mapping[str, bytes]) -> dict[str, str]:
    """Secrets by which BuildKit knows a server's credentials."""
    host = urlsplit(url).hostname or ""
    if (header := secrets.get(f"HTTP_AUTH_HEADER_{host}")) is not None:
        return {"Authorization": header.decode().strip()}
    if (token := secrets.get(f"HTTP_AUTH_TOKEN_{host}")) is not None:
        return {"Authorization": f"Bearer {token.decode().strip()}"}
    return {}


# git


class _Git:
    """The git program on one checkout, deaf to the machine's configuration."""

    def __init__(self, folder: Path, secrets: Mapping[str, bytes]) -> None:
        self._folder = folder
        self._environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.fspath(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_PROTOCOL_FROM_USER": "0",
            "LC_ALL": "C",
        } | _git_credentials(secrets)

    async def check_out(self, op: Git) -> str:
        """The commit that is checked out now."""
        await self.run("init", "--quiet", "--initial-branch=main", ".")
        await self.run("remote", "add", "origin", op.url)
        wanted = op.ref or "HEAD"
        try:
            await self._fetch(wanted)
        except KnarrError:
            if not _COMMIT.fullmatch(wanted):  # servers need not give out a commit by its name
                raise
            await self.run("fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/origin/*")
            await self.run("checkout", "--quiet", "--detach", wanted)
        else:
            await self.run("checkout", "--quiet", "--detach", "FETCH_HEAD")
        if op.submodules and (self._folder / ".gitmodules").exists():
            await self.run("submodule", "update", "--quiet", "--init", "--recursive", "--depth=1")
        return (await self.run("rev-parse", "HEAD")).strip()

    async def _fetch(self, wanted: str) -> None:
        """No more of the past than is needed, where the server knows how to give less."""
        try:
            await self.run("fetch", "--quiet", "--depth=1", "--no-tags", "origin", wanted)
        except Unavailable as error:
            if "shallow" not in str(error):
                raise
            await self.run("fetch", "--quiet", "--no-tags", "origin", wanted)

    async def run(self, *arguments: str) -> str:
        """What git says. Raises Unavailable with its complaint."""
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                "-c", "core.hooksPath=/dev/null",
                "-c", "protocol.ext.allow=never",
                "-c", "protocol.file.allow=never",
                *arguments,
                cwd=self._folder,
                env=self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise Unsupported("git sources need git: it is not installed here") from error
        try:
            told, complained = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            reason = complained.decode(errors="replace").strip()
            raise Unavailable(f"git {arguments[0]} failed: {reason}")
        return told.decode(errors="replace")


def _git_credentials(secrets: Mapping[str, bytes]) -> dict[str, str]:
    """In the environment, where the process list does not show it."""
    header = secrets.get("GIT_AUTH_HEADER")
    if header is None and (token := secrets.get("GIT_AUTH_TOKEN")) is not None:
        pair = b"x-access-token:" + token.strip()
        header = b"basic " + base64.b64encode(pair)
    if header is None:
        return {}
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {header.decode().strip()}",
    }


def _set_times(folder: Path, time_ns: int) -> None:
    """A checkout's own times are those of the download; the commit's is the same everywhere."""
    for path, folders, files in os.walk(folder, topdown=False):
        for name in (*files, *folders):
            full = f"{path}/{name}"
            if not os.path.islink(full):
                mode = 0o755 if os.stat(full).st_mode & 0o111 else 0o644
                os.chmod(full, mode)
            os.utime(full, ns=(time_ns, time_ns), follow_symlinks=False)
    os.chmod(folder, 0o755)
    os.utime(folder, ns=(time_ns, time_ns))


def known_digest(result: Result) -> Digest:
    """Of files that have one digest for all."""
    if not isinstance(result, Files) or result.digest is None:
        raise KnarrError("only what was fetched has a digest of its own")
    return result.digest
