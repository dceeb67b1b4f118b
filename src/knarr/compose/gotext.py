"""Values as Go prints them: what ends up in labels, hashes and documents must agree to the byte."""

import struct
from typing import Any, Final

_NANOSECONDS: Final = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000}


def text_of(value: Any) -> str:
    """A value as ``%v`` prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return plain_number(value)
    return str(value)


def plain_number(value: float) -> str:
    """A float as ``%g`` prints it with the fewest digits: no exponent between 1e-4 and 1e6."""
    return _float(value, exponent_from=6, exponent_below=-4, exponent_digits=2)


def json_number(value: float) -> str:
    """A float as Go's JSON encoder writes it: no exponent between 1e-6 and 1e21."""
    return _float(value, exponent_from=21, exponent_below=-6, exponent_digits=1)


def _float(value: float, *, exponent_from: int, exponent_below: int, exponent_digits: int) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(value)]
    mantissa, _, exponent = f"{value:e}".partition("e")
    power = int(exponent)
    shortest = repr(value)
    digits = shortest.partition("e")[0].replace(".", "").replace("-", "").strip("0") or "0"
    sign = "-" if mantissa.startswith("-") else ""
    if exponent_below <= power < exponent_from:
        return sign + _positional(digits, power)
    fraction = f".{digits[1:]}" if digits[1:] else ""
    exponent = f"{abs(power):0{exponent_digits}d}"
    return f"{sign}{digits[0]}{fraction}e{'-' if power < 0 else '+'}{exponent}"


def _positional(digits: str, power: int) -> str:
    if power < 0:
        return "0." + "0" * (-power - 1) + digits
    whole = digits[: power + 1].ljust(power + 1, "0")
    fraction = digits[power + 1 :]
    return f"{whole}.{fraction}" if fraction else whole


def float32(value: float) -> float:
    """The number as Go keeps it in 32 bits, with the fewest digits that say so."""
    kept = struct.pack("f", value)
    exact: float = struct.unpack("f", kept)[0]
    candidates = (float(f"{exact:.{precision}g}") for precision in range(1, 10))
    return next((short for short in candidates if struct.pack("f", short) == kept), exact)


def duration_text(nanoseconds: int) -> str:
    """A duration as Go prints it: ``1h30m0s``, ``1.5s``, ``100µs``, ``0s``."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < _NANOSECONDS["s"]:
        unit, size = next(
            (unit, size) for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)) if rest >= size
        )
        return f"{sign}{_decimal(rest, size)}{unit}"
    hours, rest = divmod(rest, _NANOSECONDS["h"])
    minutes, rest = divmod(rest, _NANOSECONDS["m"])
    seconds = f"{_decimal(rest, _NANOSECONDS['s'])}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else sign + seconds


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    fraction = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)
