"""A clock that jumps both ways, by seconds or by decades."""

import pytest
from ringfence.facts.dating import BUILT, LATEST, PATIENCE, SLACK, Dating

NOW = BUILT + 30 * 86_400.0


def test_an_honest_clock_is_believed() -> None:
    dating = Dating()
    assert dating.moment(5.0, NOW) == NOW
    assert dating.moment(6.0, NOW + 1) == NOW + 1
    assert dating.latest == NOW + 1


@pytest.mark.parametrize("wall", [0.0, 86_400.0, BUILT - 1, float(LATEST), -5.0])
def test_a_clock_that_cannot_be_right_is_not(wall: float) -> None:
    dating = Dating()
    assert dating.moment(0.0, wall) is None
    # For however long.
    assert dating.moment(10 * PATIENCE, wall) is None
    assert dating.latest == 0.0
    assert dating.moment(10 * PATIENCE + 1, NOW) == NOW


def test_the_first_moment_that_can_be_right() -> None:
    assert Dating().moment(0.0, BUILT) == BUILT
    assert Dating().moment(0.0, LATEST - 1.0) == LATEST - 1.0
    dating = Dating()
    dating.floor = NOW
    assert dating.moment(0.0, NOW - 1) is None
    assert dating.moment(0.0, NOW) == NOW


def test_a_start_at_an_old_date_waits_for_the_time() -> None:
    dating = Dating()
    dating.latest = NOW  # of an earlier run
    assert dating.moment(10.0, NOW - 20 * 86_400) is None
    assert dating.moment(310.0, NOW - 20 * 86_400 + 300) is None
    assert dating.moment(320.0, NOW + 3_600) == NOW + 3_600
    assert dating.latest == NOW + 3_600


@pytest.mark.parametrize(("back", "believed"), [(SLACK, True), (SLACK + 1, False)])
def test_small_steps_back_are_believed(back: float, believed: bool) -> None:
    dating = Dating()
    dating.moment(0.0, NOW)
    assert (dating.moment(1.0, NOW - back) is not None) == believed
    assert dating.latest == NOW


def test_a_clock_that_was_ahead_is_given_up_in_the_end() -> None:
    dating = Dating()
    ahead = NOW + 24 * 365 * 86_400
    assert dating.moment(0.0, ahead) == ahead
    assert dating.moment(60.0, NOW) is None
    assert dating.moment(59.0 + PATIENCE, NOW + PATIENCE) is None
    assert dating.moment(60.0 + PATIENCE, NOW + PATIENCE) == NOW + PATIENCE
    assert dating.latest == NOW + PATIENCE


def test_the_patience_begins_anew_each_time() -> None:
    dating = Dating()
    dating.moment(0.0, NOW)
    early = NOW - 86_400
    assert dating.moment(1.0, early) is None
    assert dating.moment(2.0, NOW) == NOW
    assert dating.moment(1.0 + PATIENCE, early) is None
    assert dating.moment(2.0 + PATIENCE, 0.0) is None, "1970 is no reason to believe"
    assert dating.moment(1.0 + 2 * PATIENCE, early) is None
