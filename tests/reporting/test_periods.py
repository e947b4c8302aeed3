"""Days while they are few, months when they are many."""

from ringfence.reporting.periods import MAX_DAYS, MAX_MONTHS, periods


def test_days_are_without_a_gap() -> None:
    assert periods([20261130, 20261128], [20261201]) == [
        *(20261128, 20261129, 20261130, 20261201)
    ]
    assert periods([20261130]) == [20261130]
    assert periods([], []) == []


def test_beyond_two_months_there_is_a_row_a_month() -> None:
    assert len(periods([20261101, 20270101])) == MAX_DAYS
    assert periods([20261101, 20270102]) == [202611, 202612, 202701]


def test_months_are_bounded() -> None:
    found = periods([20000101, 20270201])
    assert len(found) == MAX_MONTHS
    assert (found[0], found[-1]) == (202403, 202702)
    assert periods([20000101, 98921231])[-1] == 989212
