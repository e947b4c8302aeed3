"""The office's days: holidays by hand, and the border between two days."""

from datetime import date

import pytest
from office_days import (
    YEAR,
    closed,
    date_of,
    day_of,
    holidays,
    local,
    midnight,
    month,
    saturday,
    worked,
)

# Read off the calendar that the Cabinet Office publishes.
HOLIDAYS = {
    2026: "1-1 1-12 2-11 2-23 3-20 4-29 5-3 5-4 5-5 5-6 7-20 8-11 9-21 9-22 9-23 "
    "10-12 11-3 11-23",
    2027: "1-1 1-11 2-11 2-23 3-21 3-22 4-29 5-3 5-4 5-5 7-19 8-11 9-20 9-23 10-11 "
    "11-3 11-23",
}


@pytest.mark.parametrize("year", HOLIDAYS)
def test_public_holidays(year: int) -> None:
    found = " ".join(f"{when.month}-{when.day}" for when in sorted(holidays(year)))
    assert found == HOLIDAYS[year]


@pytest.mark.parametrize(
    ("when", "works"),
    [
        ((2026, 4, 1), True),
        ((2026, 4, 4), False),
        ((2026, 4, 5), False),
        ((2026, 5, 6), False),
        ((2026, 8, 14), False),
        ((2026, 9, 22), False),
        ((2026, 11, 20), True),
        ((2026, 11, 23), False),
        ((2026, 12, 28), True),
        ((2026, 12, 29), False),
        ((2027, 1, 4), True),
    ],
)
def test_days_that_are_worked(when: tuple[int, int, int], works: bool) -> None:
    assert worked(day_of(*when)) is works


def test_saturdays_but_those_at_the_turn_of_the_year() -> None:
    assert saturday(day_of(2026, 4, 4))
    assert not saturday(day_of(2026, 4, 5))
    assert not saturday(day_of(2027, 1, 2))
    assert closed(date(2027, 1, 2))


def test_a_day_begins_at_midnight_in_japan() -> None:
    # 2026-03-31 15:00 UTC.
    assert midnight(0) == 1_774_969_200
    assert local(midnight(7)) == (7, 0)
    assert local(midnight(7) - 0.001) == (6, 86_399)
    assert date_of(YEAR[-1]) == date(2027, 3, 31)


def test_months_follow_each_other() -> None:
    assert [date_of(day).day for day in month(2026, 11)] == list(range(1, 31))
    assert month(2026, 12)[-1] + 1 == month(2027, 1)[0]
