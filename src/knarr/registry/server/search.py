"""Docker's search, answered from the repositories that are here.

Source: Docker's registry API v1, "Search", which every engine still speaks.
"""

from collections.abc import Callable
from typing import Any, Final

from knarr.registry.server import rows
from knarr.registry.server.describe import description
from knarr.registry.server.problems import Problem
from knarr.registry.server.registry import Registry

_LIMIT: Final = 100


def search(
    registry: Registry, term: str, number: str, visible: Callable[[str], bool]
) -> dict[str, Any]:
    """Repositories with the term in their name or description, names first."""
    if not number.isascii() or not number.isdecimal():
        raise Problem("PAGINATION_NUMBER_INVALID", detail={"n": number})
    wanted = term.casefold()
    named, described = [], []
    for name in filter(visible, rows.repositories(registry.db)):
        text = description(registry, name)
        if wanted in name:
            named.append((name, text))
        elif wanted in text.casefold():
            described.append((name, text))
    limit = min(int(number[:9]) or _LIMIT, _LIMIT)
    results = [
        {
            "name": name, "description": text, "star_count": 0,
            "is_official": False, "is_automated": False, "is_trusted": False,
        }
        for name, text in (named + described)[:limit]
    ]  # fmt: skip
    return {
        "query": term, "num_results": len(results), "results": results,
        "num_pages": 1, "page": 1, "page_size": limit,
    }  # fmt: skip
