"""What a report says of many rows, long times and closures that are not over."""

import monthlog
import pytest
from builders import RULES
from ringfence.bundle.embedded import load_destinations, read_text
from ringfence.calls import RateTable
from ringfence.calls.terms import Terms
from ringfence.config.terms import local
from ringfence.logged import Event
from ringfence.reporting import composing
from ringfence.reporting.composing import compose
from ringfence.reporting.document import Bars, Columns, Document, Heat, Section, Table
from ringfence.reporting.events import line_of
from ringfence.reporting.forms import Forms, country_names
from ringfence.reporting.tally import Tally
from ringfence.reporting.text import MAX_ROWS, terminal_lines

RATES = RateTable.from_csv(read_text(RULES, "rates.csv"), "rates.csv")
TERMS = Terms(RATES, currency="JPY", calendar=local)
FORMS = Forms("en", country_names(load_destinations(RULES), "en"), local)
DAY = monthlog.BEGIN


def composed(*events: Event, passed_over: int = 0) -> Document:
    tally = Tally(TERMS)
    for event in events:
        line = line_of(event)
        assert line is not None
        tally.take(line)
    return compose(tally, FORMS, passed_over, "+09:00")


def section(document: Document, title: str) -> Section:
    (found,) = [one for one in document.sections if one.title == title]
    return found


def table(document: Document, title: str, name: str) -> Table:
    figures = section(document, title).figures
    (found,) = [one.table for one in figures if one.table.title == name]
    return found


def incident(**fields: object) -> Event:
    event = {"type": "incident", "event": "opened", "id": "x", "time": DAY}
    event |= {"what": "country", "subject": "SL", "reason": "many", "rule": "r"}
    return {**event, "open_with": "ringfence allow 232", **fields}


def test_every_chart_has_a_table_that_says_the_same() -> None:
    document = composed(*[e for e in monthlog.events() if e["type"] != "ready"])
    charts = 0
    for one in document.sections:
        for figure in one.figures:
            said = {cell for row in figure.table.rows for cell in row}
            for chart in figure.charts:
                charts += 1
                assert isinstance(chart, Columns | Bars | Heat)
                for point in chart.points:
                    assert point.value == 0 or point.shown in said
    assert charts == 9


def test_a_year_is_told_by_months() -> None:
    days = [DAY + at * 30 * 86_400 for at in range(12)]
    document = composed(*(monthlog.priced(day, 60, "US") for day in days))
    rows = table(document, "International calls", "By month").rows
    assert [row[0] for row in rows][:3] == ["2026-11", "2026-12", "2027-01"]
    assert table(document, "International calls", "By month").head[0] == "Month"
    assert sum(int(row[1]) for row in rows) == 12


@pytest.mark.parametrize("over", [0, 1])
def test_rows_beyond_the_bound_are_one(over: int) -> None:
    count = composing.MAX_ROWS + over
    events = [
        monthlog.priced(DAY, 60 * (count - at), "US", account=f"a{at:03}")
        for at in range(count)
    ]
    rows = table(composed(*events), "International calls", "By account").rows
    assert len(rows) == count
    assert rows[0][0] == "a000"
    assert rows[-1][0] == ("all others" if over else f"a{count - 1:03}")
    assert sum(int(row[1]) for row in rows) == count


def test_a_terminal_shows_as_many_rows_as_a_month_has_days() -> None:
    events = [
        monthlog.priced(DAY + at * 86_400, 60, "US", account=str(at))
        for at in range(MAX_ROWS + 2)
    ]
    lines = list(terminal_lines(composed(*events)))
    assert lines.count("  and 2 more") == 2  # days and accounts
    assert not [line for line in lines if "2026-11-02 Mon" in line]
    assert [line for line in lines if "2026-12-03 Thu" in line], "the newest are shown"


def test_accounts_without_a_price_are_ordered_by_calls() -> None:
    calls = [monthlog.call(DAY, None, account=name) for name in ("a", "b", "b")]
    figures = section(composed(*calls), "International calls").figures
    (chart,) = figures[2].charts
    assert chart.title == "Calls"
    assert [point.label for point in chart.points] == ["b", "a"]


@pytest.mark.parametrize(
    ("fields", "later", "end", "reason"),
    [
        (
            {"until": DAY + 3_600},
            0,
            "still closed, until 2026-11-01 01:00",
            "many. To open: ringfence allow 232",
        ),
        (
            {"until": DAY + 3_600},
            7_200,
            "2026-11-01 01:00 or later: the log does not say",
            "many. To open: ringfence allow 232",
        ),
        (
            {"until": None},
            7_200,
            "still closed when the log ends",
            "many. To open: ringfence allow 232",
        ),
    ],
)
def test_closures_without_a_closing_notice(
    fields: dict[str, object], later: int, end: str, reason: str
) -> None:
    document = composed(incident(**fields), monthlog.decision(DAY + later, "NL"))
    (row,) = table(document, "Incidents", "Closures").rows
    assert row[:4] == ("2026-11-01 00:00", end, "calls to Sierra Leone (SL)", reason)


def test_a_closure_that_is_over() -> None:
    totals = {"event": "closed", "time": DAY + 60, "stopped": 7, "passed": 2}
    document = composed(incident(), incident(**totals, cost="350.000", monitor=True))
    (row,) = table(document, "Incidents", "Closures").rows
    assert row[1:3] == ("2026-11-01 00:01", "calls to Sierra Leone (SL) (monitor only)")
    assert row[4:] == ("7", "2", "JPY 350", "r")


def test_nothing_at_all() -> None:
    document = composed()
    assert document.period == "The log has no events."
    assert [one.figures for one in document.sections] == [[], [], [], [], []]


def test_what_is_not_in_the_sums_is_said() -> None:
    document = composed(
        monthlog.priced(DAY, 60, "US"),
        monthlog.priced(DAY, 60, "US"),
        monthlog.priced(DAY, 60, "US", currency="USD"),
        monthlog.call(DAY, 60),
        {"type": "counters", "time": DAY, "log_suppressed": 4},
        passed_over=3,
    )
    notes = section(document, "How this was counted").text
    assert "Not in the sums, in another currency: USD 9.00." in notes
    assert "Answered calls abroad without a price: 1." in notes
    assert "Lines that the agent could not log: 4." in notes
    assert "Lines of the log that could not be read: 3." in notes
    assert document.cards[0].value == "JPY 18"
