"""Chance that repeats itself, and is as likely as it says."""

import statistics

import pytest
from chance import Chance


def test_a_name_has_one_sequence_on_every_machine() -> None:
    chance = Chance("office", 1, 7)
    assert [chance.whole(0, 999) for _ in range(5)] == [3, 130, 915, 360, 776]
    assert chance.hex(12) == "cdcdc9116535"
    assert Chance("office", 1, 8).hex(12) != Chance("office", 1, 7).hex(12)


def test_nothing_lies_outside_of_what_was_asked_for() -> None:
    chance = Chance("bounds")
    assert {chance.whole(3, 5) for _ in range(200)} == {3, 4, 5}
    assert {chance.pick("abc") for _ in range(200)} == {*"abc"}
    assert {chance.weighted({"a": 1.0, "b": 2.0}) for _ in range(200)} == {*"ab"}
    assert all(1.5 <= chance.between(1.5, 2.0) < 2.0 for _ in range(200))
    assert len(chance.digits(7)) == 7
    assert chance.digits(7).isdigit()
    assert not any(chance.happens(0.0) for _ in range(200))
    assert all(chance.happens(1.0) for _ in range(200))


@pytest.mark.parametrize("mean", [0.06, 1.2, 34.0])
def test_how_often_something_happens(mean: float) -> None:
    chance = Chance("times", mean)
    found = [chance.times(mean) for _ in range(4_000)]
    assert statistics.mean(found) == pytest.approx(mean, rel=0.15)
    assert statistics.variance(found) == pytest.approx(mean, rel=0.2)


def test_durations_lie_around_their_median_and_end() -> None:
    chance = Chance("around")
    found = [chance.around(75, 1.1, 4_500) for _ in range(4_000)]
    assert statistics.median(found) == pytest.approx(75, rel=0.1)
    assert statistics.mean(found) > 100
    assert max(found) <= 4_500


def test_the_first_are_favoured() -> None:
    chance = Chance("favour")
    found = [chance.favour(range(10)) for _ in range(1_000)]
    assert found.count(0) > 2 * found.count(9) > 0
