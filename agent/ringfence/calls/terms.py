"""What a site says of money and time: prices, limits, hours, and its calendar.

Knows values that the configuration gave. It must not know calls.
"""

from typing import Final, NamedTuple

from ringfence.calls.dates import Calendar, LocalTime
from ringfence.calls.ledger import Limits
from ringfence.calls.rates import ANYWHERE, ESTIMATE, Rate, RateTable
from ringfence.facts.numbers import Reading

DAY_MINUTES: Final = 1_440


class Span(NamedTuple):
    """Minutes of some days of the week."""

    weekdays: frozenset[int]
    """0 for Monday."""
    first: int
    """Minute of the day."""
    end: int
    """Minute that is no longer of it, up to `DAY_MINUTES`."""


class Hours(NamedTuple):
    """When calls abroad are made."""

    spans: tuple[Span, ...]
    holidays: frozenset[int] = frozenset()
    """Dates such as 20261123, on which nobody calls."""

    def contain(self, at: LocalTime) -> bool:
        """Tell whether a moment is one of them."""
        if at.year * 10_000 + at.month * 100 + at.day in self.holidays:
            return False
        return any(
            at.weekday in span.weekdays and span.first <= at.minute < span.end
            for span in self.spans
        )


def utc(wall: float) -> LocalTime:
    """Return a moment by the Gregorian calendar, in UTC."""
    days, seconds = divmod(int(wall), 86_400)
    # Counted from 0000-03-01, so that a leap day is the last of its year.
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    return LocalTime(
        era * 400 + year + (month >= 10),
        month + (3 if month < 10 else -9),
        day - (153 * month + 2) // 5 + 1,
        (days + 3) % 7,
        seconds // 60,
    )


class Terms(NamedTuple):
    """All of it, exchanged whole by a reload."""

    rates: RateTable = RateTable([Rate(ANYWHERE, 0, 60, ESTIMATE)])
    limits: Limits = Limits()
    currency: str = ""
    hours: Hours | None = None
    """None: all hours are."""
    calendar: Calendar = utc

    def least(self, reading: Reading) -> int:
        """Return what a call abroad costs at least, in thousandths: a unit."""
        numbers = (one.e164 for one in (reading, *reading.alternatives) if one.abroad)
        return self.rates.dearest(numbers).cost(0)
