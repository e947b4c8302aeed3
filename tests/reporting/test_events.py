"""Events that are as the agent writes them, and those that are not."""

import monthlog
import pytest
from ringfence.logged import Event
from ringfence.reporting.events import (
    MAX_COUNT,
    MAX_SECONDS,
    MAX_TEXT,
    BudgetLine,
    CallLine,
    CountersLine,
    IncidentLine,
    StopLine,
    clean,
    line_of,
    milli_of,
)

BUDGET: Event = {
    "type": "budget",
    "time": 1.0,
    "period": "day",
    "share": 50,
    "spent": "1",
    "limit": "2.5",
    "currency": "JPY",
}


def called(**fields: object) -> CallLine:
    line = line_of(monthlog.call(5.0, 30, **fields))
    assert isinstance(line, CallLine)
    return line


def test_a_call() -> None:
    line = called(cost="12.500")
    assert (line.begin, line.answered, line.seconds, line.time) == (5.0, 11.0, 30, 41.0)
    assert (line.cost, line.currency, line.country) == (12_500, "JPY", "US")
    assert (line.abroad, line.stopped) == (True, False)


def test_an_incident_a_budget_and_the_others() -> None:
    incident = {"type": "incident", "time": 1, "event": "closed", "id": "x"}
    line = line_of({**incident, "passed": 3, "monitor": True})
    assert isinstance(line, IncidentLine)
    assert (line.opened, line.passed, line.stopped, line.monitor) == (False, 3, 0, True)
    assert line_of(BUDGET) == BudgetLine(1.0, "day", 50, 1_000, 2_500, "JPY")
    stop = {"type": "decision", "time": 1, "country": "NL", "side": "outside"}
    assert line_of(stop) == StopLine(1.0, "NL", outside=True, monitor=False)
    for judged in ({"verdict": "reject"}, {"verdict": "accept", "would": "drop"}):
        replayed = line_of({**stop, "type": "message", **judged})
        assert replayed == StopLine(1.0, "NL", outside=True, monitor="would" in judged)
    figures = {"log_suppressed": 2, "log_unwritten": 3}
    assert line_of({"type": "counters", "time": 1, **figures}) == CountersLine(5)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": "ready", "time": 1.0},
        {"type": "message", "time": 1.0, "verdict": "accept", "would": None},
        {"type": "call", "time": 1.0},
        {"type": ["call"], "time": 1.0},
        monthlog.call(1.0, 1, time=None),
        monthlog.call(1.0, 1, direction="up"),
        {"type": "incident", "time": 1, "event": "opened"},
        {"type": "incident", "time": 1, "event": "else", "id": "x"},
        {**BUDGET, "share": 51},
        {**BUDGET, "period": "year"},
        {**BUDGET, "spent": None},
        {**BUDGET, "limit": 5},
    ],
)
def test_what_is_not_counted(event: Event) -> None:
    assert line_of(event) is None


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (0, 0),
        (29.6, 30),
        (MAX_SECONDS, MAX_SECONDS),
        (MAX_SECONDS + 1, None),
        (-1, None),
        (True, None),
        ("5", None),
        (float("nan"), None),
        (10**400, None),
    ],
)
def test_durations(given: object, seconds: int | None) -> None:
    assert called(duration_s=given).seconds == seconds


@pytest.mark.parametrize(
    ("given", "milli"),
    [
        ("12.500", 12_500),
        ("12", 12_000),
        ("0.5", 500),
        ("9" * 12, int("9" * 12) * 1000),
        ("9" * 13, None),
        ("1.2345", None),
        ("-1", None),
        ("1e3", None),
        ("１", None),  # noqa: RUF001
        ("", None),
        (12.5, None),
        (None, None),
    ],
)
def test_money(given: object, milli: int | None) -> None:
    assert milli_of(given) == milli


def test_text_is_one_printable_line_of_bounded_length() -> None:
    assert clean("あ b") == "あ b"
    assert clean("a\nb\x1b[2J\u202e\ud800") == "a·b·[2J··"
    assert clean("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert clean("x" * (MAX_TEXT + 1)) == "x" * MAX_TEXT + "…"
    assert clean(None) == clean(5) == clean(["x"]) == ""


def test_counts_are_bounded() -> None:
    incident = {"type": "incident", "time": 1, "event": "opened", "id": "x"}
    for given, counted in ((MAX_COUNT, MAX_COUNT), (MAX_COUNT + 1, 0)):
        line = line_of({**incident, "stopped": given})
        assert isinstance(line, IncidentLine)
        assert line.stopped == counted


@pytest.mark.parametrize("given", ["", "jpy", "JP", "¥¥¥", "JPY1", None, 3])
def test_no_currency(given: object) -> None:
    assert called(currency=given).currency == ""
