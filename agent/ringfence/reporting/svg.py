"""Charts as inline SVG: columns over time, lying bars, hours of the week.

Knows shapes and the class names that `style` gives colours to. It must not know what is
counted. Drawn for the width of a phone, so that letters stay readable there; everything
it writes is escaped.
"""

from html import escape
from typing import Final

from ringfence.reporting.document import Bars, Chart, Columns, Heat, Point
from ringfence.reporting.width import shortened, width

WIDTH: Final = 360
"""Units of a drawing: CSS pixels on a small phone."""

_TOP: Final = 8
_BOTTOM: Final = 20
_COLUMNS_HEIGHT: Final = 150
_LETTER: Final = 7.0
"""Units that a narrow character takes at the size of the labels, in broad fonts."""

_AXIS: Final = 5
"""Narrow characters at least beside the columns, so that charts stand in line."""

_TICKS: Final = 4
_LABELS: Final = 6
_BAR: Final = 22
_NAME: Final = 20
"""Narrow characters of a bar's name."""

_LEVELS: Final = 5


def draw(chart: Chart, name: str) -> str:
    """Return a chart as an `svg` element; `name` is used for its ids."""
    if isinstance(chart, Columns):
        height, shapes = _columns(chart)
    elif isinstance(chart, Bars):
        height, shapes = _bars(chart)
    else:
        height, shapes = _heat(chart)
    return (
        f'<svg class="{chart.tone}" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{name}-t {name}-d">\n'
        f'<title id="{name}-t">{escape(chart.title)}</title>\n'
        f'<desc id="{name}-d">{escape(chart.description)}</desc>\n'
        f"{shapes}</svg>\n"
    )


def _columns(chart: Columns) -> tuple[int, str]:
    ticks = scale(max(point.value for point in chart.points))
    names = [_round(tick) for tick in ticks]
    left = 8 + max(_AXIS, *map(len, names)) * _LETTER
    floor = _COLUMNS_HEIGHT - _BOTTOM
    tall = floor - _TOP
    top = ticks[-1]
    parts = []
    for tick, text in zip(ticks, names, strict=True):
        y = floor - tall * tick / top
        parts.append(
            f'<path class="grid" d="M{left:.1f} {y:.1f}H{WIDTH}"/>'
            f'<text class="end" x="{left - 4:.1f}" y="{y + 4:.1f}">{text}</text>\n'
        )
    step = (WIDTH - left) / len(chart.points)
    wide = max(step * 0.72, 0.8) if step < 40 else 28.8
    every = -(-len(chart.points) // _LABELS)
    for at, point in enumerate(chart.points):
        middle = left + step * (at + 0.5)
        if point.value > 0:
            high = max(tall * point.value / top, 1.5)
            parts.append(
                f'<rect class="mark" x="{middle - wide / 2:.1f}" '
                f'y="{floor - high:.1f}" width="{wide:.1f}" height="{high:.1f}">'
                f"{_tip(point)}</rect>\n"
            )
        if at % every == 0:
            short = escape(point.short)
            parts.append(
                f'<text class="middle" x="{_within(middle, point.short):.1f}" '
                f'y="{_COLUMNS_HEIGHT - 5}">{short}</text>\n'
            )
    return _COLUMNS_HEIGHT, "".join(parts)


def _within(middle: float, text: str) -> float:
    """Keep a centred label inside the drawing."""
    half = width(text) * _LETTER / 2
    return min(max(middle, half), WIDTH - half)


def _bars(chart: Bars) -> tuple[int, str]:
    names = [shortened(point.label, _NAME) for point in chart.points]
    left = 8 + max(map(width, names)) * _LETTER
    right = 8 + max(width(point.shown) for point in chart.points) * _LETTER
    room = WIDTH - left - right
    most = max(point.value for point in chart.points) or 1.0
    parts = []
    for at, (point, name) in enumerate(zip(chart.points, names, strict=True)):
        y = at * _BAR
        long = room * point.value / most
        long = max(long, 1.5) if point.value > 0 else 0.0
        parts.append(
            f'<g>{_tip(point)}<text class="end" x="{left - 6:.1f}" y="{y + 15}">'
            f"{escape(name)}</text>"
            f'<rect class="mark" x="{left:.1f}" y="{y + 4}" width="{long:.1f}" '
            f'height="{_BAR - 8}"/>'
            f'<text class="value" x="{left + long + 5:.1f}" y="{y + 15}">'
            f"{escape(point.shown)}</text></g>\n"
        )
    return len(chart.points) * _BAR + 2, "".join(parts)


def _heat(chart: Heat) -> tuple[int, str]:
    left = 12 + max(map(width, chart.days)) * _LETTER  # M and W are broad
    cell = (WIDTH - left) / 24
    top = 16
    most = max(point.value for point in chart.points)
    parts = [
        f'<text class="middle" x="{left + cell * (hour + 0.5):.1f}" y="11">{hour}'
        "</text>\n"
        for hour in range(0, 24, 3)
    ]
    for day, name in enumerate(chart.days):
        y = top + day * cell
        parts.append(
            f'<text class="end" x="{left - 5:.1f}" y="{y + cell / 2 + 4:.1f}">'
            f"{escape(name)}</text>\n"
        )
        for hour in range(24):
            point = chart.points[day * 24 + hour]
            parts.append(
                f'<rect class="q{level(point.value, most)}" '
                f'x="{left + hour * cell:.1f}" y="{y:.1f}" width="{cell - 1:.1f}" '
                f'height="{cell - 1:.1f}">{_tip(point)}</rect>\n'
            )
    y = top + 7 * cell + 6
    parts.append(_legend(chart, left, y, cell))
    return round(y + cell + 4), "".join(parts)


def _legend(chart: Heat, left: float, y: float, cell: float) -> str:
    """Draw the scale with the words for its ends."""
    base = y + cell / 2 + 4
    parts = [f'<text x="{left:.1f}" y="{base:.1f}">{escape(chart.less)}</text>\n']
    x = left + width(chart.less) * _LETTER + 6
    for number in range(_LEVELS + 1):
        parts.append(
            f'<rect class="q{number}" x="{x:.1f}" y="{y:.1f}" '
            f'width="{cell - 1:.1f}" height="{cell - 1:.1f}"/>\n'
        )
        x += cell
    parts.append(f'<text x="{x + 5:.1f}" y="{base:.1f}">{escape(chart.more)}</text>\n')
    return "".join(parts)


def level(value: float, most: float) -> int:
    """Return how strong a colour is: 0 for nothing, at most `_LEVELS`.

    By the root, so that one wild hour does not hide all others.
    """
    if value <= 0 or most <= 0:
        return 0
    share = (value / most) ** 0.5
    return min(_LEVELS, 1 + int(share * (_LEVELS - 1) + 0.5))


def scale(most: float) -> list[float]:
    """Return round values from 0 to the first one that is not below `most`."""
    unit = 1.0
    while unit * 10 * _TICKS < most:
        unit *= 10
    for factor in (1, 2, 5, 10):
        step = unit * factor
        if step * _TICKS >= most:
            break
    count = max(1, -int(-most // step))
    return [step * at for at in range(count + 1)]


def _round(value: float) -> str:
    """Write a value of the scale in few characters."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:,.0f}"


def _tip(point: Point) -> str:
    return f"<title>{escape(point.label)}: {escape(point.shown)}</title>"
