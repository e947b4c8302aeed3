"""Days counted one by one: windows, borders of months, days that a wrong clock made."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ringfence.facts.days import DAY, KEPT, WATCHED, WINDOW, Days

NOON = datetime(2026, 12, 31, 12, tzinfo=UTC).timestamp()


def running(days: Days, first: float, count: int) -> float:
    """Let an agent watch all of so many days; return the last noon."""
    for number in range(count):
        days.arrive(first + number * DAY)
        days.watched(first + number * DAY, DAY)
    return first + (count - 1) * DAY


def test_nothing_yet() -> None:
    assert Days().record(NOON) == {
        "watching_since": None,
        "days_watched": 0,
        "stranger_last": None,
        "strangers_30d": 0,
        "honest_outside_last": None,
    }


@pytest.mark.parametrize("count", [1, WINDOW - 1, WINDOW, WINDOW + 1, 200])
def test_each_day_counts_once_and_a_month_is_the_most(count: int) -> None:
    days = Days()
    last = running(days, NOON, count)
    record = days.record(last)
    assert record["days_watched"] == min(count, WINDOW)
    assert record["watching_since"] == int(NOON)
    assert len(days._days) == min(count, KEPT)


def test_borders_of_month_and_year_are_days_like_others() -> None:
    days = Days()
    for hours in (0, 11, 13, 36, 37):  # 31 December, 1 January, 2 January
        days.arrive(NOON + hours * 3_600)
        days.watched(NOON + hours * 3_600, WATCHED)
    assert days.record(NOON + 37 * 3_600)["days_watched"] == 3


def test_a_day_is_watched_from_an_hour_on() -> None:
    days = Days()
    assert not days.watched(NOON, WATCHED - 1)
    assert days.record(NOON)["days_watched"] == 0
    assert days.watched(NOON, 1)
    assert not days.watched(NOON, 1), "said once"
    assert days.record(NOON)["days_watched"] == 1


def test_a_router_that_was_off_has_watched_nothing() -> None:
    days = Days()
    last = running(days, NOON, 40)
    days.signed_in(last)
    days.strangers(last, 5)
    back = last + 31 * DAY
    days.arrive(back)
    assert days.record(back) == {
        "watching_since": int(NOON),
        "days_watched": 0,
        "stranger_last": int(last),
        "strangers_30d": 0,
        "honest_outside_last": int(last),
    }


def test_strangers_leave_the_window_one_day_after_the_other() -> None:
    days = Days()
    days.strangers(NOON, 7)
    days.strangers(NOON + DAY, 1)
    for ahead, seen in ((1, 8), (WINDOW, 8), (WINDOW + 1, 1), (WINDOW + 2, 0)):
        assert days.record(NOON + ahead * DAY)["strangers_30d"] == seen


def test_moments_do_not_go_back() -> None:
    days = Days()
    for moment in (NOON, NOON - 60):
        days.strangers(moment, 1)
        days.signed_in(moment)
    record = days.record(NOON)
    assert record["stranger_last"] == record["honest_outside_last"] == int(NOON)


def test_what_a_clock_ahead_dated_was_at_the_latest_now() -> None:
    days = Days()
    last = running(days, NOON, 20)
    ahead = last + 25 * 365 * DAY
    days.arrive(ahead)
    days.watched(ahead, WATCHED)
    days.strangers(ahead, 3)
    days.signed_in(ahead)
    now = last + DAY
    days.arrive(now)
    assert days.record(now) == {
        "watching_since": int(NOON),
        "days_watched": 20,
        "stranger_last": int(now),
        "strangers_30d": 3,
        "honest_outside_last": int(now),
    }


def test_tomorrow_may_be_there_already() -> None:
    """A clock that goes back a few minutes over midnight takes nothing away."""
    days = Days()
    midnight = NOON + DAY / 2
    days.strangers(midnight + 60, 2)
    days.arrive(midnight - 60)
    assert days.record(midnight + 60)["strangers_30d"] == 2


def test_wrong_days_do_not_push_out_more_than_their_number() -> None:
    days = Days()
    last = running(days, NOON, KEPT)
    for number in range(3):
        days.strangers(last + (1_000 + number) * DAY, 1)
    days.arrive(last)
    assert days.record(last)["days_watched"] == WINDOW
    # One that lies far before all others stays at least until it is counted.
    days.strangers(NOON - 9_000 * DAY, 1)
    assert len(days._days) <= KEPT


def test_back_from_the_file() -> None:
    days, again = Days(), Days()
    last = running(days, NOON, 100)
    days.strangers(last, 3)
    days.signed_in(last)
    again.load(json.loads(json.dumps(days.dump())))
    assert again.record(last) == days.record(last)
    assert again.dump() == days.dump()


@pytest.mark.parametrize(
    "change",
    [
        {"since": -1},
        {"stranger": "yesterday"},
        {"honest": 1.5},
        {"honest": True},
        {"since": (1 << 40) + 1},
        {"days": None},
        {"days": [[1, 2]]},
        {"days": [[1, 2, 3, 4]]},
        {"days": ["abc"]},
        {"days": [[-1, 0, 0]]},
        {"days": [[1, DAY + 1, 0]]},
        {"days": [[1, 0, (1 << 53) + 1]]},
        {"days": [[number, 0, 0] for number in range(KEPT + 1)]},
    ],
    ids=str,
)
def test_what_is_not_ours_is_refused_whole(change: dict[str, Any]) -> None:
    days = Days()
    running(days, NOON, 3)
    before = days.dump()
    with pytest.raises(ValueError, match="expected"):
        days.load({**Days().dump(), **change})
    assert days.dump() == before


def test_a_full_table_of_days_is_taken() -> None:
    days = Days()
    rows = [[number, DAY, 1 << 53] for number in range(KEPT)]
    days.load({"since": 0, "stranger": None, "honest": None, "days": rows})
    assert days.dump()["days"] == rows
