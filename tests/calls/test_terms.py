"""Hours, and the calendar of a machine without a time zone."""

from datetime import UTC, datetime

import pytest
from ringfence.calls.dates import LocalTime
from ringfence.calls.terms import Hours, Span, Terms, utc

OFFICE = Hours(
    (Span(frozenset(range(5)), 480, 1_200), Span(frozenset({5}), 540, 780)),
    frozenset({20261123}),
)


@pytest.mark.parametrize(
    ("weekday", "minute", "within"),
    [
        *((0, 479, False), (0, 480, True), (4, 1_199, True), (4, 1_200, False)),
        *((5, 539, False), (5, 540, True), (5, 779, True), (6, 600, False)),
    ],
)
def test_hours(weekday: int, minute: int, within: bool) -> None:
    assert OFFICE.contain(LocalTime(2026, 11, 20, weekday, minute)) is within


def test_a_holiday_has_none() -> None:
    assert OFFICE.contain(LocalTime(2026, 11, 24, 0, 600))
    assert not OFFICE.contain(LocalTime(2026, 11, 23, 0, 600))


@pytest.mark.parametrize(
    "wall",
    [
        *(0, 86_399, 86_400, 951_782_400, 951_868_799, 951_868_800),  # 2000-02-29
        *(1_709_164_800, 1_709_251_199, 1_709_251_200),  # 2024-02-29
        *(1_798_761_599, 1_798_761_600, 1_795_000_000, 4_107_542_400),  # 2100-03-01
        *range(1_790_000_000, 1_830_000_000, 86_399 * 7),
    ],
)
def test_utc(wall: int) -> None:
    at = datetime.fromtimestamp(wall, UTC)
    minute = at.hour * 60 + at.minute
    assert utc(float(wall)) == (at.year, at.month, at.day, at.weekday(), minute)


def test_without_any_terms_calls_cost_nothing() -> None:
    terms = Terms()
    assert terms.rates.find("12125550123").cost(600.0) == 0
    assert terms.limits == (None, None, None, 0)
    assert terms.hours is None
