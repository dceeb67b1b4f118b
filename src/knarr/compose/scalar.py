"""What an unquoted word in a compose file is: YAML 1.2 as Compose's own reader resolves it.

Only ``true`` and ``false`` are booleans (``yes`` and ``on`` stay words); ``0777`` is octal, as in
YAML 1.1, and so is ``0o777``; digits may be grouped with ``_``; a date stays text.
"""

import re
from typing import Any, Final

_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + word: float("inf") for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **{"-" + word: float("-inf") for word in (".inf", ".Inf", ".INF")},
}  # fmt: skip
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INTEGERS: Final = (
    (10, re.compile(r"[-+]?(?:0|[1-9][0-9]*)")),
    (8, re.compile(r"[-+]?0o?[0-7]+")),
    (16, re.compile(r"[-+]?0[xX][0-9a-fA-F]+")),
    (2, re.compile(r"[-+]?0[bB][01]+")),
)
_MAY_BEGIN_A_NUMBER: Final = frozenset("0123456789+-.")
_OLD_BOOLEANS: Final = frozenset(
    form
    for word in ("y", "n", "yes", "no", "on", "off")
    for form in (word, word.capitalize(), word.upper())
)
_BASE_60: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE: Final = re.compile(
    r"\d{4}-\d\d?-\d\d?"
    r"(?:(?:[Tt]|[ \t]+)\d\d?:\d\d?:\d\d?(?:\.\d*)?(?:Z|[ \t]*[-+]\d\d?(?::?\d\d)?)?)?"
)
_STRING_TAGS: Final = frozenset({"!", "tag:yaml.org,2002:str"})
_CORE_PREFIX: Final = "tag:yaml.org,2002:"


def resolve(text: str) -> Any:
    """The value of a plain scalar: str, bool, int, float or None."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _MAY_BEGIN_A_NUMBER:
        return text
    digits = text.replace("_", "")
    for base, pattern in _INTEGERS:
        if pattern.fullmatch(digits):
            return int(digits, base) if base != 8 else int(digits.replace("o", ""), 8)
    return float(digits) if _FLOAT.fullmatch(digits) else text


def resolve_tagged(text: str, tag: str) -> Any:
    """The value of a scalar with a tag of its own; tags that mean nothing to us leave text."""
    if tag in _STRING_TAGS or not tag.startswith(_CORE_PREFIX):
        return text
    value = resolve(text) if text else None
    return float(value) if tag.endswith(":float") and isinstance(value, int) else value


def needs_quotes(text: str) -> bool:
    """Whether some YAML reader, 1.1 or 1.2, would take the plain word for something else."""
    if not isinstance(resolve(text), str) or text in _OLD_BOOLEANS:
        return True
    return text[0] in _MAY_BEGIN_A_NUMBER and any(
        pattern.fullmatch(text) for pattern in (_BASE_60, _DATE)
    )
