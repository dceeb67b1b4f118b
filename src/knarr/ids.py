"""Identifiers: what they look like, how new ones are made, how short ones are read."""

import os
import re
from typing import Final, NewType

ContainerId = NewType("ContainerId", str)  # 64 hex digits
ExecId = NewType("ExecId", str)  # 64 hex digits
NetworkId = NewType("NetworkId", str)  # 64 hex digits
EndpointId = NewType("EndpointId", str)  # 64 hex digits
Digest = NewType("Digest", str)  # "sha256:" and 64 hex digits, of the bytes as they are stored
ImageId = NewType("ImageId", Digest)  # digest of the image's config
DiffId = NewType("DiffId", Digest)  # digest of a layer's uncompressed tar
ChainId = NewType("ChainId", Digest)  # digest of a layer and all below it

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_OTHER_DIGEST: Final = re.compile(r"([a-z0-9]+(?:[.+_-][a-z0-9]+)*):[a-zA-Z0-9=_-]{32,}")
_HEX: Final = re.compile(r"[0-9a-f]{1,64}")
SHORT_LENGTH: Final = 12


def new_hex() -> str:
    """64 random hex digits, never all decimal in the first 12: a hostname must not be a number."""
    while True:
        digits = os.urandom(32).hex()
        if not digits[:SHORT_LENGTH].isdecimal():
            return digits


def new_container_id() -> ContainerId:
    return ContainerId(new_hex())


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def other_algorithm(text: str) -> str:
    """The algorithm of a digest that is well-formed and not ours, as ``sha512``; empty else."""
    match = _OTHER_DIGEST.fullmatch(text)
    return match[1] if match and match[1] != "sha256" else ""


def is_hex_prefix(text: str) -> bool:
    """Whether ``text`` could be the beginning of an identifier."""
    return _HEX.fullmatch(text) is not None


def short(identifier: str) -> str:
    """The first 12 digits, without the algorithm's name."""
    return identifier.removeprefix("sha256:")[:SHORT_LENGTH]
