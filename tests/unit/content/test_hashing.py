"""SHA-256 beside the work."""

import hashlib
import threading

import pytest

from knarr.content import Hasher


@pytest.mark.parametrize("count", [0, 1, 3, 200])
def test_the_digest_is_that_of_all_chunks_in_order(count: int) -> None:
    chunks = [bytes([n % 251]) * 300_000 for n in range(count)]
    hasher = Hasher()
    for chunk in chunks:
        hasher.update(memoryview(chunk))
    assert hasher.size_bytes == 300_000 * count
    assert hasher.digest() == "sha256:" + hashlib.sha256(b"".join(chunks)).hexdigest()


def test_its_thread_ends_with_it() -> None:
    before = threading.active_count()
    hasher = Hasher()
    for _ in range(3):
        hasher.update(bytes(1 << 20))
    assert threading.active_count() == before + 1
    hasher.close()
    hasher.close()
    assert threading.active_count() == before
