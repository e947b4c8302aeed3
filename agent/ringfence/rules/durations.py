"""Durations as rule files and the configuration write them: `90s`, `5m`, `2h`.

Knows text and seconds, and nothing of what they are for.
"""

from collections.abc import Callable
from typing import Final

LONGEST: Final = 86_400
"""Seconds of the longest window, guard or closure: a day."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}

Problem = Callable[[str, object, str], None]
"""Takes key, value and expectation."""


def seconds(text: object) -> int | None:
    """Read a duration such as `90s`, `5m` or `2h`; None when it is none."""
    if not isinstance(text, str) or text[-1:] not in _UNITS:
        return None
    digits = text[:-1]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 6):
        return None
    found = int(digits) * _UNITS[text[-1]]
    return found if 0 < found <= LONGEST else None


def duration(length: float) -> str:
    """Write seconds as `seconds` reads them, in the largest unit that fits."""
    for unit in ("h", "m"):
        if length >= _UNITS[unit] and length % _UNITS[unit] == 0:
            return f"{int(length) // _UNITS[unit]}{unit}"
    return f"{int(length)}s"


DURATION: Final = f"a duration from 1s to {duration(LONGEST)}, such as 90s, 5m or 2h"
