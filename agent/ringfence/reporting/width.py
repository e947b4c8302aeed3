"""How wide text is where every character has one cell or two.

Knows which characters are wide, by their ranges: the table of Unicode's own module is
not on every router.
"""

from bisect import bisect_right
from typing import Final

_WIDE: Final = (
    *(0x1100, 0x115F, 0x2E80, 0x303E, 0x3041, 0x33FF, 0x3400, 0x4DBF, 0x4E00, 0x9FFF),
    *(0xA000, 0xA4CF, 0xA960, 0xA97C, 0xAC00, 0xD7A3, 0xF900, 0xFAFF, 0xFE30, 0xFE6F),
    *(0xFF01, 0xFF60, 0xFFE0, 0xFFE6, 0x1F300, 0x1F64F, 0x1F900, 0x1F9FF),
    *(0x20000, 0x3FFFD),
)
"""First and last of each range that Unicode's annex 11 calls wide or full width."""

_STARTS: Final = _WIDE[::2]
_ENDS: Final = _WIDE[1::2]

SHORTENED: Final = "…"


def width(text: str) -> int:
    """Count the cells of a text without control characters."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    code = ord(char)
    at = bisect_right(_STARTS, code) - 1
    return 2 if at >= 0 and code <= _ENDS[at] else 1


def shortened(text: str, most: int) -> str:
    """Return text of at most so many cells, marked where something is cut off."""
    if width(text) <= most:
        return text
    kept, cells = "", 1  # the mark takes one
    for char in text:
        cells += _cells(char)
        if cells > most:
            break
        kept += char
    return kept.rstrip() + SHORTENED


def padded(text: str, cells: int, *, right: bool) -> str:
    """Fill a text up with blanks, in front of it where `right`."""
    blanks = " " * (cells - width(text))
    return blanks + text if right else text + blanks
