"""Lines that call abroad a lot, from their first day: whom the rules hinder."""

import os
import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from builders import engine, invite, udp
from honest_lines import LINES, Line, run
from ringfence.decision import Verdict
from ringfence.packet import Instant

_BUSY = "call centre"
_WEEKS = {"family, one call a month": 3.0, "office, closed for 70 days": 3.0}


@pytest.mark.parametrize(
    "line",
    [line for line in LINES if not line.name.startswith(_BUSY)],
    ids=lambda line: line.name,
)
def test_nobody_is_hindered_as_his_owner_sets_it(line: Line) -> None:
    found = run(line, line.owner, _WEEKS.get(line.name, 1.2))
    assert found.made > 0
    assert (found.hindered, dict(found.closures)) == (0, {})


def test_by_default_a_heavy_line_meets_the_budget_and_little_else() -> None:
    for line in LINES:
        if line.owner.startswith("[budget]") and not line.name.startswith(_BUSY):
            found = run(line, "", 1.2)
            assert set(found.closures) <= {"budget", "country-rotation"}, line.name


@pytest.fixture
def in_berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
def test_hours_go_by_the_clock_on_the_wall_when_summer_time_ends() -> None:
    hours = '[hours]\ninternational = ["mon-fri 08:00-18:00"]\n'
    zone = ZoneInfo("Europe/Berlin")
    begun = datetime(2026, 10, 23, tzinfo=zone).timestamp()
    site = engine(hours)
    for day in (23, 26):  # the Friday before, the Monday after
        for hour, minute, wanted in (
            (7, 55, Verdict.REJECT),
            (8, 5, Verdict.ACCEPT),
            (17, 55, Verdict.ACCEPT),
            (18, 5, Verdict.REJECT),
        ):
            wall = datetime(2026, 10, day, hour, minute, tzinfo=zone).timestamp()
            number = invite("01012125550123", {"Call-ID": f"{wall}@x"})
            decision = site.inspect(udp(number), Instant(wall - begun, wall))
            assert decision.verdict is wanted, (day, hour)
