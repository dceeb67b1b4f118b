"""Where packages come from: the machine's own apt sources, for a suite that may be another. Pure.

Source: sources.list(5): one-line style and deb822 style.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_LINE: Final = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<rest>.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSource:
    """An archive of binary packages, one suite of it."""

    uri: str
    suite: str
    components: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()  # signed-by, arch, ...

    @property
    def line(self) -> str:
        """In one-line style."""
        options = " ".join(f"{key}={value}" for key, value in self.options)
        middle = f"[{options}] " if options else ""
        return f"deb {middle}{self.uri} {self.suite} {' '.join(self.components)}".rstrip()


def parsed(files: Mapping[str, str]) -> list[AptSource]:
    """All sources of the files (text by name): ``*.sources`` are deb822, others one-line."""
    found: list[AptSource] = []
    for name, text in files.items():
        found += _deb822(text) if name.endswith(".sources") else _lines(text)
    return found


def chosen(sources: Sequence[AptSource], suite: str, own_suite: str) -> list[AptSource]:
    """The machine's sources for ``suite`` and its updates and security.

    The machine's own distribution is what offers ``own_suite``; for another suite of it the same
    archives are taken. Empty where nothing fits.
    """
    fitting = [each for each in sources if _base(each.suite) == suite]
    if fitting:
        return fitting
    return [
        AptSource(
            uri=each.uri,
            suite=suite + each.suite.removeprefix(own_suite),
            components=each.components,
            options=each.options,
        )
        for each in sources
        if own_suite and _base(each.suite) == own_suite
    ]


def _base(suite: str) -> str:
    """``bookworm`` of ``bookworm-security``, ``bookworm/updates``."""
    return re.split(r"[-/]", suite)[0]


def _lines(text: str) -> Iterator[AptSource]:
    for line in text.splitlines():
        match = _LINE.match(line.partition("#")[0].strip())
        if match is None:
            continue
        options = (each.partition("=") for each in (match["options"] or "").split())
        suite, *components = match["rest"].split()
        yield AptSource(
            uri=match["uri"],
            suite=suite,
            components=tuple(components),
            options=tuple((key, value) for key, _, value in options),
        )


def _deb822(text: str) -> Iterator[AptSource]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled") == "no":
            continue
        options = tuple(
            (name, fields[key].replace(" ", ","))
            for name, key in (("arch", "architectures"), ("signed-by", "signed-by"))
            if fields.get(key) and "-----BEGIN" not in fields[key]
        )
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield AptSource(
                    uri=uri,
                    suite=suite,
                    components=tuple(fields.get("components", "").split()),
                    options=options,
                )


def _fields(stanza: str) -> dict[str, str]:
    """Keys in lower case; lines that begin with a space go on, comments fall out."""
    fields: dict[str, str] = {}
    key = ""
    for line in stanza.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace():
            fields[key] = f"{fields.get(key, '')} {line.strip()}"
            continue
        name, _, value = line.partition(":")
        key = name.strip().lower()
        fields[key] = value.strip()
    return fields
