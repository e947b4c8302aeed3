"""The days of the office: which are worked in Japan, and when each begins.

Days are counted from `FIRST_DAY`. Knows the law of public holidays and the office's
own closed days; it must not know calls. Japan has one time zone and no summer time.
"""

from datetime import date, timedelta
from functools import cache

FIRST_DAY = date(2026, 4, 1)
"""Day 0: the fiscal year begins."""
YEAR = range(365)
"""All days of the office's twelve months."""

DAY_S = 86_400
JAPAN_S = 9 * 3_600
"""Japan is so many seconds ahead of UTC."""
_MONDAY, _SATURDAY, _SUNDAY = 0, 5, 6


def day_of(year: int, month: int, day: int) -> int:
    """Count a date's day."""
    return (date(year, month, day) - FIRST_DAY).days


def month(year: int, number: int) -> range:
    """Give the days of a month."""
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return range(day_of(year, number, 1), day_of(*following, 1))


def date_of(day: int) -> date:
    """Give the date of a day."""
    return FIRST_DAY + timedelta(day)


def midnight(day: int) -> int:
    """Give the second since 1970 (UTC) at which a day begins in Japan."""
    return (date_of(day) - date(1970, 1, 1)).days * DAY_S - JAPAN_S


def local(wall: float) -> tuple[int, int]:
    """Give day and second of the day in Japan of a moment in seconds since 1970."""
    day, second = divmod(int(wall) - midnight(0), DAY_S)
    return day, second


def worked(day: int) -> bool:
    """Tell whether the office works on a day."""
    when = date_of(day)
    return (
        when.weekday() < _SATURDAY
        and when not in holidays(when.year)
        and not closed(when)
    )


def saturday(day: int) -> bool:
    """Tell whether a day is a Saturday on which somebody may drop in."""
    when = date_of(day)
    return when.weekday() == _SATURDAY and not closed(when)


def closed(when: date) -> bool:
    """Tell whether the house is shut: the turn of the year, and Obon."""
    month_day = when.month, when.day
    return (
        month_day >= (12, 29) or month_day <= (1, 3) or (8, 13) <= month_day <= (8, 15)
    )


@cache
def holidays(year: int) -> frozenset[date]:
    """Give the public holidays of a year from 2023 to 2099.

    Act on National Holidays (1948, as amended to 2018): article 2 has the days, 3(2)
    the substitute for one on a Sunday, 3(3) the day between two of them. The
    equinoxes follow the approximation in use for 1980 to 2099.
    """
    since_1980 = year - 1980
    vernal = int(20.8431 + 0.242194 * since_1980 - since_1980 // 4)
    autumnal = int(23.2488 + 0.242194 * since_1980 - since_1980 // 4)
    named = {
        date(year, 1, 1),
        _monday(year, 1, 2),
        date(year, 2, 11),
        date(year, 2, 23),
        date(year, 3, vernal),
        date(year, 4, 29),
        date(year, 5, 3),
        date(year, 5, 4),
        date(year, 5, 5),
        _monday(year, 7, 3),
        date(year, 8, 11),
        _monday(year, 9, 3),
        date(year, 9, autumnal),
        _monday(year, 10, 2),
        date(year, 11, 3),
        date(year, 11, 23),
    }
    one = timedelta(1)
    found = set(named)
    for when in named:
        if when.weekday() == _SUNDAY:
            substitute = when + one
            while substitute in named:
                substitute += one
            found.add(substitute)
        if when + 2 * one in named and (when + one).weekday() != _SUNDAY:
            found.add(when + one)
    return frozenset(found)


def _monday(year: int, month_: int, which: int) -> date:
    """Give the first, second, … Monday of a month."""
    first = date(year, month_, 1)
    return first + timedelta((_MONDAY - first.weekday()) % 7 + 7 * (which - 1))
