"""Days of the local calendar as numbers that sort, such as 20261122.

Knows the calendar's shape. It must not know a time zone: `Calendar` does.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

FIRST_YEAR: Final = 2026
"""A clock that shows an earlier year was never set: this did not exist then."""

FIRST_DATE: Final = FIRST_YEAR * 10_000
"""Smaller than every date of a clock that was set."""

MAX_DAYS: Final = 93
"""Days kept: this month, the one before and one to spare; 3 kB of record."""


class LocalTime(NamedTuple):
    """A moment by the local calendar."""

    year: int
    month: int
    day: int
    weekday: int
    """0 for Monday."""
    minute: int
    """Of the day."""


Calendar = Callable[[float], LocalTime]
"""Turns seconds since 1970 into local time."""


def nearest(sums: Mapping[int, int], today: int) -> list[int]:
    """Return the dates to keep, in order: a wrong clock's are far away."""
    found = sorted(sums, key=lambda date: abs(_ordinal(date) - _ordinal(today)))
    return sorted(found[:MAX_DAYS])


def _ordinal(date: int) -> int:
    """Return about how many days lie before a date; months have 31."""
    return date // 10_000 * 372 + date // 100 % 100 * 31 + date % 100


def read_date(text: object) -> int:
    """Return a date from its digits, 0 if it is none."""
    if not (isinstance(text, str) and len(text) == 8 and text.isascii()):
        return 0
    if not text.isdecimal():
        return 0
    sane = 1 <= int(text[4:6]) <= 12 and 1 <= int(text[6:]) <= 31
    return int(text) if sane and int(text[:4]) >= FIRST_YEAR else 0
