"""Files of the web: one request over a connection of its own, and no endless silence."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from knarr.errors import NotFound, Unavailable

if TYPE_CHECKING:
    import urllib3

_CONNECT_S: Final = 30
_READ_S: Final = 60


@contextmanager
def answer_to(url: str, headers: Mapping[str, str]) -> Iterator["urllib3.BaseHTTPResponse"]:
    """One request over a connection of its own. Raises Unavailable.

    urllib3 is loaded by the first download: a daemon without any does not carry it.
    """
    import urllib3

    retries = urllib3.Retry(3, redirect=10)
    timeout = urllib3.Timeout(connect=_CONNECT_S, read=_READ_S)
    with urllib3.PoolManager(retries=retries, timeout=timeout) as pool:
        try:
            answer = pool.request("GET", url, headers=headers, preload_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"failed to load {url}: {error}") from error
        try:
            yield answer
        finally:
            answer.close()


def refuse_failure(url: str, status: int) -> None:
    if status == 404:
        raise NotFound(f"failed to load {url}: not found (404)")
    if status >= 400:
        raise Unavailable(f"invalid response status {status} for {url}")
