"""Shapes: where they are, and that none has a size that no browser draws."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.reporting.document import Bars, Columns, Heat, Point
from ringfence.reporting.svg import WIDTH, draw, level, scale


def points(*values: float) -> list[Point]:
    return [Point(f"p{at}", one, f"{one:g}", str(at)) for at, one in enumerate(values)]


def rects(text: str) -> list[tuple[float, ...]]:
    found = re.findall(
        r'<rect class="[a-z0-9]+" x="([^"]+)" y="([^"]+)" width="([^"]+)" '
        r'height="([^"]+)"',
        text,
    )
    return [tuple(map(float, one)) for one in found]


def test_columns_are_as_high_as_their_values() -> None:
    text = draw(Columns("t", "d", points(0, 5, 10), "passed"), "c")
    five, ten = rects(text)
    assert ten[3] == pytest.approx(2 * five[3], abs=0.2)
    assert ten[1] + ten[3] == pytest.approx(five[1] + five[3], abs=0.2)
    assert five[0] < ten[0]


def test_bars_are_as_long_as_their_values() -> None:
    text = draw(Bars("t", "d", points(10, 5, 0), "passed"), "c")
    ten, five, none = rects(text)
    assert none[2] == 0
    assert ten[2] == pytest.approx(2 * five[2], abs=0.2)


def test_little_is_more_than_nothing() -> None:
    for chart in (Columns, Bars):
        text = draw(chart("t", "d", points(1_000_000, 1), "passed"), "c")
        assert min(min(one[2], one[3]) for one in rects(text)) >= 1.5


def test_hours_of_the_week() -> None:
    values = [0.0] * 168
    values[24 + 3] = 7
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    text = draw(Heat("t", "d", points(*values), days, "none", "7", "attack"), "c")
    assert text.count('<rect class="q0"') == 168  # 167 hours, and one of the legend
    assert text.count('<rect class="q5"') == 2
    assert len(rects(text)) == 168 + 6


@given(st.lists(st.floats(0, 1e15), min_size=1, max_size=70))
def test_everything_is_inside(values: list[float]) -> None:
    for chart in (
        Columns("t", "d", points(*values), "passed"),
        Bars("t", "d", points(*values)[:10], "passed"),
    ):
        for x, y, wide, high in rects(draw(chart, "c")):
            assert x >= 0
            assert y >= 0
            assert wide >= 0
            assert high >= 0
            assert x + wide <= WIDTH + 0.2


@given(st.floats(0, 1e15))
def test_a_scale_is_round_and_reaches_the_value(most: float) -> None:
    ticks = scale(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most
    assert 2 <= len(ticks) <= 5


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (6, [0, 2, 4, 6]),
        (7, [0, 2, 4, 6, 8]),
        (3_500, [0, 1000, 2000, 3000, 4000]),
    ],
)
def test_scales(most: float, ticks: list[float]) -> None:
    assert scale(most) == ticks


def test_levels() -> None:
    assert [level(value, 100) for value in (0, 1, 100)] == [0, 1, 5]
    assert level(0, 0) == 0
    assert sorted(level(value, 100) for value in range(101)) == [
        level(value, 100) for value in range(101)
    ]
