"""Which days or months a report is split into.

Knows dates as numbers, such as 20261122, and months, such as 202611. It must not know
what happened on them.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

MAX_DAYS: Final = 62
"""Days that are shown one by one: two months; beyond that there is a row a month."""

MAX_MONTHS: Final = 36
"""Months shown, the last ones."""


def periods(*days: Iterable[int]) -> list[int]:
    """Return the days from the first to the last, or the months; [] for no day."""
    found = sorted({day for some in days for day in some})
    if not found:
        return []
    first, last = _date(found[0]), _date(found[-1])
    if (last - first).days < MAX_DAYS:
        between = (last - first).days + 1
        return [_number(first + timedelta(days=at)) for at in range(between)]
    return _months(found[-1] // 100, found[0] // 100)


def _months(last: int, first: int) -> list[int]:
    """Return the months up to the last one, no more than are shown."""
    months: list[int] = []
    month = last
    while month >= first and len(months) < MAX_MONTHS:
        months.append(month)
        month -= 1 if month % 100 > 1 else 89
    return months[::-1]


def _date(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
