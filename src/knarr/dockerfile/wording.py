"""Values as Docker writes them in an image's history."""

import json
from collections.abc import Iterable


def quoted_list(words: Iterable[str]) -> str:
    """``["a" "b"]``."""
    return f"[{' '.join(json.dumps(word, ensure_ascii=False) for word in words)}]"
