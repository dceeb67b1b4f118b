"""Remote sources of ADD: web addresses and git repositories.

Source: Dockerfile reference, "ADD"; BuildKit, "Git repositories" of build contexts.
"""

import posixpath
import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from knarr.build.ops import Git
from knarr.errors import InvalidArgument

_SCP_LIKE: Final = re.compile(r"[\w.-]+@[\w.-]+:.+")
_GIT_SCHEMES: Final = ("git://", "ssh://")
_QUERY_KEYS: Final = frozenset(
    {"ref", "branch", "tag", "commit", "checksum", "subdir", "keep-git-dir", "submodules",
     "fetch-by-commit", "mtime"}
)  # fmt: skip
_TRUE: Final = frozenset({"", "1", "true"})


def is_http(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def parse_git(source: str, *, keep_git_dir: bool = False, checksum: str = "") -> Git | None:
    """The repository that ``source`` names, or None where it is no git address.

    ``URL.git#REF:FOLDER``, ``git@HOST:PATH`` and the query form ``URL.git?ref=…&subdir=…``.
    Raises InvalidArgument for a query that means nothing.
    """
    address, _, fragment = source.partition("#")
    address, _, query = address.partition("?")
    if not _is_git(address):
        return None
    options = _query(query)
    ref, _, folder = fragment.partition(":")
    named = options.get("ref") or options.get("branch") or options.get("tag") or ""
    return Git(
        url=address,
        ref=ref or named or options.get("commit", ""),
        folder=posixpath.normpath(folder or options.get("subdir", "")).strip("/").strip("."),
        keep_git_dir=keep_git_dir or options.get("keep-git-dir", "false") in _TRUE,
        submodules=options.get("submodules", "true") in _TRUE,
        checksum=checksum or options.get("checksum", "") or options.get("commit", ""),
    )


def _is_git(address: str) -> bool:
    if address.startswith(_GIT_SCHEMES):
        return True
    if is_http(address):
        return address.endswith(".git")
    return "://" not in address and _SCP_LIKE.fullmatch(address) is not None


def _query(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := options.keys() - _QUERY_KEYS:
        raise InvalidArgument(f'unexpected query "{min(unknown)}" in git address')
    return options


def file_name_of(url: str) -> str:
    """The name that a file from ``url`` gets in a folder; empty where the address has none."""
    return posixpath.basename(unquote(urlsplit(url).path))
