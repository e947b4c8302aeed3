"""What is shared of a log: counts, and nothing by which anybody could be known."""

import json
from pathlib import Path
from typing import Any

import pytest
from builders import ABROAD, INSIDE, LISTED, NOW, engine, invite, register, udp
from hypothesis import given
from hypothesis import strategies as st
from ringfence import report
from ringfence.bundle.embedded import load_destinations
from ringfence.bundle.tables import find_rules_dir
from ringfence.cli import main
from ringfence.sharing import MAX_ROWS, Row, Sightings, written

MONDAY = 1_763_942_400.0
"""2025-11-24 00:00 UTC, a Monday."""
HOUR = 3600

DESTINATIONS = load_destinations(find_rules_dir())


def line(time: float = MONDAY, **fields: object) -> str:
    event: dict[str, object] = {
        "type": "decision",
        "time": time,
        "src": "198.51.100.66",
        "method": "INVITE",
        "cseq_method": "INVITE",
        "uri": "sip:0102327612xxxx@203.0.113.1",
        "from_user": "201",
        "country": "NL",
        "destination": {
            "class": "international",
            "number": "2327612xxxx",
            "country": "SL",
        },
    }
    return json.dumps({**event, **fields}) + "\n"


def rows(*lines: str, since: float = 0.0) -> list[tuple[Row, int]]:
    sightings = Sightings(DESTINATIONS)
    sightings.read(lines)
    return sightings.rows(since)


def test_calls_are_counted_by_country_code_and_hour_of_the_week() -> None:
    week = 168 * HOUR
    assert rows(
        line(),
        line(MONDAY + 1),
        line(MONDAY + week),
        line(MONDAY - 1),
        line(MONDAY + HOUR),
    ) == [
        (Row("call", "232", "SL", 0), 3),
        (Row("call", "232", "SL", 1), 1),
        (Row("call", "232", "SL", 167), 1),
    ]


def test_what_is_no_call_abroad_is_counted_by_where_it_came_from() -> None:
    domestic = {"class": "domestic", "number": "031234xxxx", "country": "JP"}
    assert rows(
        line(method="REGISTER", destination=None),
        line(method=None, cseq_method="REGISTER"),
        line(method="OPTIONS", destination=None, country=None),
        line(destination=domestic),
    ) == [
        (Row("call", "", "", 0), 1),
        (Row("other", "", "", 0), 1),
        (Row("registration", "", "NL", 0), 2),
    ]


def test_since() -> None:
    assert rows(line(), line(MONDAY + HOUR), since=MONDAY + 1) == [
        (Row("call", "232", "SL", 1), 1)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no event",
        "{",
        "[1]",
        '{"type": "decision"}',
        line(time=-1.0),
        line(time=1e300),
        '{"type": "decision", "time": NaN}',
        "{" * 100_000,
    ],
)
def test_lines_that_are_no_event_are_counted_and_left_out(text: str) -> None:
    sightings = Sightings(DESTINATIONS)
    sightings.read([text, line()])
    assert sightings.passed_over == 1
    assert sum(count for _, count in sightings.rows()) == 1


def test_a_system_log_may_write_something_in_front() -> None:
    prefix = "Mon Nov 24 09:00:00 2025 daemon.info ringfence[812]: "
    assert rows(prefix + line()) == rows(line())


def test_other_events_are_none_of_ours() -> None:
    sightings = Sightings(DESTINATIONS)
    sightings.read(['{"type": "counters", "time": 1}', '{"type": "ready"}'])
    assert (sightings.rows(), sightings.passed_over) == ([], 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = ["time", "method", "cseq_method", "country", "destination"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_nothing_but_codes_hours_and_counts_comes_out(fields: dict[str, Any]) -> None:
    for row, count in rows(line(**fields)):
        assert row.kind in {"call", "registration", "other"}
        assert row.code == "" or (row.code.isdecimal() and len(row.code) <= 8)
        assert row.country == "" or len(row.country) == 2
        assert 0 <= row.hour < 168
        assert count == 1


def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringfence.sharing.MAX_ROWS", 3)
    sightings = Sightings(DESTINATIONS)
    sightings.read(line(MONDAY + HOUR * number) for number in range(5))
    sightings.read([line()])
    assert sum(count for _, count in sightings.rows()) == 4
    assert sightings.passed_over == 2
    assert MAX_ROWS > 3


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the agent itself would log."""
    judge = engine()
    path = tmp_path / "log"
    with path.open("w") as lines:
        for packet in (udp(invite(LISTED), INSIDE), udp(register(), ABROAD)):
            (finding,) = judge.inspect(packet, NOW).findings
            record = report.message_record(finding, full_numbers=False)
            lines.write(
                json.dumps({"type": "decision", "time": MONDAY, **record}) + "\n"
            )
    return path


def test_the_command(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = tmp_path / "shared.csv"
    assert main(["report", "--share", str(shared), "--since", "7d", str(log)]) == 0
    assert shared.read_text() == (
        "kind,code,country,hour,count\ncall,232,SL,0,1\nregistration,,NL,0,1\n"
    )
    assert capsys.readouterr() == (f"{shared}: 2 events in 2 rows\n", "")


def test_what_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = tmp_path / "shared.csv"
    missing = str(tmp_path / "missing")
    assert main(["report", "--share", str(shared), missing]) == 2
    assert "missing: cannot be read: No such file" in capsys.readouterr().err
    assert not shared.exists()
    assert main(["report", "--share", str(shared), "--since", "soon", missing]) == 2


def test_written() -> None:
    assert written([(Row("call", "53", "CU", 12), 4)]).splitlines() == [
        "kind,code,country,hour,count",
        "call,53,CU,12,4",
    ]
