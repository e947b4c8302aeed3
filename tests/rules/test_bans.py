"""How long bans last, and when they are forgiven."""

import pytest
from ringfence.rules.bans import DECAY, MAX_SOURCES, STEPS, Bans, Length

ONE = bytes([198, 51, 100, 10])
ALL = Length(STEPS[0], STEPS[-1])


def test_each_ban_is_longer_up_to_the_longest() -> None:
    bans = Bans()
    now, found = 0.0, []
    for _ in range(7):
        found.append(bans.ban(ONE, ALL, now))
        now += found[-1]
    assert found == [300, 1800, 7200, 43_200, 86_400, 86_400, 86_400]


@pytest.mark.parametrize(("first", "longest"), [(1800, 7200), (300, 300)])
def test_a_rule_has_its_own_bounds(first: int, longest: int) -> None:
    bans = Bans()
    found = [bans.ban(ONE, Length(first, longest), 0.0) for _ in STEPS]
    assert (found[0], found[-1]) == (first, longest)


def test_a_ban_runs_out() -> None:
    bans = Bans()
    assert bans.none(0.0)
    bans.ban(ONE, ALL, 10.0)
    assert not bans.none(10.0)
    assert bans.left(ONE, 10.0) == 300
    assert bans.left(ONE, 309.0) == 1
    assert bans.left(ONE, 310.0) == 0
    assert bans.none(310.0)
    assert bans.left(b"\0\0\0\1", 20.0) == 0
    assert bans.running(20.0) == [(ONE, 290.0)]
    assert bans.running(310.0) == []


def test_a_shorter_ban_does_not_end_a_longer_one() -> None:
    bans = Bans()
    bans.ban(ONE, Length(7200, 7200), 0.0)
    bans.ban(b"\0\0\0\1", Length(300, 300), 0.0)
    assert not bans.none(400.0)
    assert bans.left(ONE, 400.0) == 6800


def test_a_step_is_forgiven_a_day() -> None:
    bans = Bans()
    bans.ban(ONE, ALL, 0.0)
    bans.ban(ONE, ALL, 300.0)
    end = 300.0 + 1800
    assert bans.ban(ONE, ALL, end + DECAY - 1) == 7200
    bans = Bans()
    bans.ban(ONE, ALL, 0.0)
    bans.ban(ONE, ALL, 300.0)
    assert bans.ban(ONE, ALL, end + DECAY) == 1800
    assert bans.ban(ONE, ALL, end + 9 * DECAY) == 300


def test_a_forgotten_ban_was_never_there() -> None:
    bans = Bans()
    bans.ban(ONE, ALL, 0.0)
    assert bans.forget(ONE)
    assert not bans.forget(ONE)
    assert bans.left(ONE, 1.0) == 0
    assert bans.ban(ONE, ALL, 1.0) == 300


def test_histories_are_bounded() -> None:
    bans = Bans()
    for number in range(MAX_SOURCES + 1):
        bans.ban(number.to_bytes(4), ALL, 0.0)
    assert len(bans) == bans.capacity == MAX_SOURCES
    assert bans.left(bytes(4), 1.0) == 0
    assert bans.left((1).to_bytes(4), 1.0) == 299
