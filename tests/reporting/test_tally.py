"""What is counted where, and that no log makes a table grow without end."""

import monthlog
import pytest
from builders import RULES
from ringfence.bundle.embedded import read_text
from ringfence.calls import RateTable
from ringfence.calls.terms import Terms
from ringfence.config.terms import local
from ringfence.logged import Event
from ringfence.reporting import tally as module
from ringfence.reporting.events import line_of
from ringfence.reporting.tally import ASSUMED_S, OTHERS, Tally

RATES = RateTable.from_csv(read_text(RULES, "rates.csv"), "rates.csv")
TERMS = Terms(RATES, currency="JPY", calendar=local)
DAY = monthlog.BEGIN
STOP: Event = {"end": "stopped", "country": "SL", "number": "2327612xxxx", "rule": "r"}


def tallied(*events: Event) -> Tally:
    tally = Tally(TERMS)
    for event in events:
        line = line_of(event)
        if line is not None:
            tally.take(line)
    return tally


def counters(lines: int) -> Event:
    return {"type": "counters", "time": DAY, "log_suppressed": lines}


def incident(name: str, what: str = "opened", **fields: object) -> Event:
    event = {"type": "incident", "event": what, "id": name, "time": DAY}
    return {**event, "subject": "SL", "reason": "many", **fields}


def test_a_month_is_counted_to_the_call() -> None:
    events = list(monthlog.events())
    tally = tallied(*events)
    calls = [event for event in events if event["type"] == "call"]
    stopped = [event for event in calls if event["end"] == "stopped"]
    abroad = [
        event
        for event in calls
        if event["abroad"] and event["end"] != "stopped" and event["direction"] == "out"
    ]
    assert tally.stopped.calls == len(stopped) == monthlog.STOLEN - monthlog.LET_THROUGH
    assert tally.total.tried == len(abroad)
    costs = [int(event["cost"].replace(".", "")) for event in abroad if event["cost"]]
    assert tally.total.cost == {"JPY": sum(costs)}
    for table in (tally.days, tally.countries, tally.accounts):
        assert sum(row.cost.get("JPY", 0) for row in table.values()) == sum(costs)
        assert sum(row.tried for row in table.values()) == len(abroad)
        answered = [event for event in abroad if event["answered"] is not None]
        seconds = sum(event["duration_s"] for event in answered)
        assert sum(row.seconds for row in table.values()) == seconds
    for stops in (tally.stopped_days, tally.stopped_countries, tally.stopped_rules):
        assert sum(row.calls for row in stops.values()) == len(stopped)
    assert tally.home_out + tally.calls_in + len(abroad) + len(stopped) == len(calls)
    decisions = [event for event in events if event["type"] == "decision"]
    assert sum(tally.week) == tally.sources.total() == len(decisions)


def test_what_stopped_calls_would_have_cost() -> None:
    """One unit begun: to Sierra Leone a minute of 175 yen, in 30 s or in 32."""
    tally = tallied(*[monthlog.call(DAY, None, **STOP)] * 14_000)
    assert RATES.find("232").cost(ASSUMED_S) == 175_000
    assert tally.stopped.would == 14_000 * 175_000


def test_a_call_belongs_to_the_local_day_on_which_it_began() -> None:
    night = DAY + 86_400 - 1
    tally = tallied(monthlog.priced(night, 90, "US"), monthlog.priced(DAY, 1, "US"))
    assert sorted(tally.days) == [20261101]
    assert sorted(tallied(monthlog.priced(night + 1, 1, "US")).days) == [20261102]


def test_inbound_and_domestic_calls_cost_nothing() -> None:
    tally = tallied(
        monthlog.priced(DAY, 60, "US", direction="in"),
        monthlog.priced(DAY, 60, "US", abroad=False),
        # A call from outside, passed on to a telephone of ours there.
        monthlog.priced(DAY, 60, "US", abroad=False, **{"class": "extension"}),
    )
    assert (tally.calls_in, tally.home_out, tally.total.tried) == (1, 1, 0)


def test_what_is_stopped_on_its_way_in_was_to_go_abroad_too() -> None:
    tally = tallied(monthlog.call(DAY, None, **{**STOP, "direction": "in"}))
    assert tally.stopped.calls == 1
    tally = tallied(monthlog.call(DAY, None, **{**STOP, "abroad": False}))
    assert (tally.stopped.calls, tally.stopped_others) == (0, 1)


def test_currencies_are_not_added_up() -> None:
    tally = tallied(
        monthlog.priced(DAY, 60, "US"),
        monthlog.priced(DAY, 60, "US", currency="USD"),
        monthlog.priced(DAY, 60, "US", currency="USD"),
    )
    assert tally.total.cost == {"JPY": 9_000, "USD": 18_000}
    assert tally.currency == "USD"


def test_more_currencies_than_there_is_room_for() -> None:
    names = ["JPY", "USD", "EUR", "GBP", "CHF"]
    assert len(names) == module.MAX_CURRENCIES + 1
    tally = tallied(*(monthlog.priced(DAY, 6, "US", currency=one) for one in names))
    assert sorted(tally.total.cost) == sorted(names[:-1])
    assert (tally.unpriced, tally.total.tried) == (1, 5)


def test_calls_without_a_price() -> None:
    tally = tallied(monthlog.call(DAY, 60), monthlog.call(DAY, None))
    assert (tally.unpriced, tally.total.answered, tally.total.cost) == (1, 1, {})


def test_a_clock_that_was_never_set() -> None:
    tally = tallied(monthlog.priced(1_000.0, 60, "US"))
    assert (tally.days, tally.undated, tally.first) == ({}, 1, None)
    assert tally.total.tried == 1


@pytest.mark.parametrize("over", [0, 1])
def test_accounts_are_bounded(monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(module, "MAX_ACCOUNTS", 3)
    names = [str(at) for at in range(3 + over)] + ["0"]
    tally = tallied(*(monthlog.priced(DAY, 6, "US", account=one) for one in names))
    assert (OTHERS in tally.accounts) is bool(over)
    assert tally.accounts["0"].tried == 2
    assert sum(row.tried for row in tally.accounts.values()) == len(names)


@pytest.mark.parametrize("over", [0, 1])
def test_rules_are_bounded(monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(module, "MAX_RULES", 3)
    names = [str(at) for at in range(3 + over)]
    tally = tallied(*(monthlog.call(DAY, None, **STOP | {"rule": n}) for n in names))
    assert len(tally.stopped_rules) == 3 + over
    assert (OTHERS in tally.stopped_rules) is bool(over)


@pytest.mark.parametrize("over", [0, 1])
def test_days_are_bounded(monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(module, "MAX_DAYS", 3)
    days = [DAY + at * 86_400 for at in range(3 + over)]
    tally = tallied(*(monthlog.priced(day, 6, "US") for day in [*days, DAY]))
    assert (len(tally.days), tally.undated) == (3, over)
    assert tally.total.tried == 4 + over


@pytest.mark.parametrize("over", [0, 1])
def test_incidents_are_bounded(monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(module, "MAX_INCIDENTS", 3)
    tally = tallied(*(incident(str(at)) for at in range(3 + over)))
    assert list(tally.incidents) == [str(at) for at in range(over, 3 + over)]
    assert tally.incidents_lost == over


@pytest.mark.parametrize("order", [1, -1])
def test_an_incident_is_its_two_notices(order: int) -> None:
    notices = [
        incident("a", stopped=0),
        incident("a", "closed", time=DAY + 9, stopped=7, reason=""),
    ]
    tally = tallied(*notices[::order])
    (one,) = tally.incidents.values()
    assert (one.opened, one.closed, one.last.stopped) == (DAY, DAY + 9, 7)
    assert one.reason == "many"


def test_hours_of_the_week_are_local() -> None:
    tally = tallied(monthlog.decision(DAY, "NL"))  # a Sunday, 0 o'clock in Japan
    assert [hour for hour, count in enumerate(tally.week) if count] == [6 * 24]


def test_messages_from_inside_are_no_attack_from_a_country() -> None:
    tally = tallied(
        monthlog.decision(DAY, None, side="inside"),
        monthlog.decision(DAY, "NL", would="drop"),
    )
    assert (tally.inside, tally.monitored, dict(tally.sources)) == (1, 1, {"NL": 1})


def test_what_was_not_logged_is_counted_over_restarts() -> None:
    tally = tallied(*map(counters, (2, 5, 5, 1, 4)))
    assert tally.unlogged == 5 + 4
