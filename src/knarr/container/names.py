"""Names for containers: which ones are allowed, and made-up ones for those that came without."""

import re
import secrets
from collections.abc import Callable
from typing import Final

from knarr.errors import InvalidArgument

_NAME: Final = re.compile(r"/?[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_TRIES: Final = 64

_ADJECTIVES: Final = (
    "able", "agile", "amber", "ample", "apt", "bold", "brave", "bright", "brisk", "calm",
    "candid", "civil", "clear", "clever", "cosy", "crisp", "daring", "deft", "eager", "early",
    "earnest", "even", "fair", "fleet", "fond", "frank", "fresh", "gentle", "glad", "golden",
    "grand", "hardy", "hearty", "honest", "humble", "jolly", "keen", "kind", "lively", "loyal",
    "lucid", "mellow", "merry", "mighty", "modest", "neat", "nimble", "noble", "patient", "plucky",
    "polite", "prompt", "proud", "quick", "quiet", "ready", "sage", "silent", "sincere", "sober",
    "solid", "spry", "steady", "sturdy", "sunny", "swift", "tidy", "upbeat", "vivid", "warm",
    "wise", "witty", "zesty",
)  # fmt: skip
_SURNAMES: Final = (
    "amundsen", "anning", "archimedes", "avicenna", "banneker", "barents", "bell", "bering",
    "bernoulli", "bohr", "boole", "borlaug", "brahe", "brahmagupta", "carson", "cassini",
    "cerf", "chandrasekhar", "church", "columbus", "cook", "curie", "darwin", "dijkstra", "dirac",
    "drake", "einstein", "eriksson", "euclid", "euler", "faraday", "fermat", "fermi", "feynman",
    "franklin", "galileo", "galois", "gauss", "goodall", "hamilton", "heisenberg", "hertz",
    "herschel", "hopper", "hypatia", "johnson", "kepler", "khwarizmi", "knuth", "kovalevskaya",
    "lamarr", "lamport", "leavitt", "leibniz", "liskov", "lovelace", "magellan", "maxwell",
    "meitner", "mendel", "mirzakhani", "nansen", "newton", "noether", "ohm", "pascal", "pasteur",
    "planck", "polo", "ptolemy", "raman", "ride", "ritchie", "rutherford", "shackleton", "shannon",
    "somerville", "tesla", "thompson", "tharp", "torvalds", "turing", "volta", "watt", "wiles",
    "wozniak", "wu", "yonath",
)  # fmt: skip


def checked_name(name: str) -> str:
    """The name without its leading slash. Raises InvalidArgument in Docker's words."""
    if _NAME.fullmatch(name) is None:
        raise InvalidArgument(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )
    return name.removeprefix("/")


def made_up_name(taken: Callable[[str], bool]) -> str:
    """An adjective and a surname of a scientist or seafarer; with a number when all are taken."""
    for attempt in range(_TRIES):
        name = f"{secrets.choice(_ADJECTIVES)}_{secrets.choice(_SURNAMES)}"
        if attempt >= _TRIES // 2:
            name += str(secrets.randbelow(10 ** (attempt - _TRIES // 2 + 1)))
        if not taken(name):
            return name
    return secrets.token_hex(8)
