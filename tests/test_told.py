"""What the log, `replay` and `status` say of calls: the keys that others rely on."""

import io
import json
import os
from pathlib import Path

import pytest
from behaviour import COLOMBIA, MINUTE, US, call, every
from builders import COUNTRIES, REPOSITORY, RULES, engine
from generate import Timed
from ringfence.calls.closures import Caller
from ringfence.calls.events import BudgetShare, CallOver, Incident
from ringfence.config import assemble, parse_config
from ringfence.engine import Engine
from ringfence.eventlog import EventLog
from ringfence.facts.numbers import Reading
from ringfence.netfilter.severing import Severing
from ringfence.packet import Instant, Packet
from ringfence.replay import replay_file
from ringfence.rules.closes import Close
from ringfence.told import (
    MAX_SHOWN,
    MAX_SHOWN_BYTES,
    line_record,
    money,
    told_record,
)
from ringfence.verdicts import Verdicts

WALL = 1_795_000_000.0
CASES = REPOSITORY / "pcaps"


def fed(timed: list[Timed], toml: str = "") -> Engine:
    judge = engine(toml)
    for at, frame in timed:
        now = Instant(at, WALL + at)
        judge.inspect(Packet(frame, 1, len(frame)), now)
    return judge


def records(judge: Engine, *, full: bool = False) -> list[dict[str, object]]:
    return [told_record(told, "JPY", full_numbers=full) for told in judge.told()]


def test_a_call() -> None:
    (record,) = records(fed(call(0.0, US, 61.0)))
    assert record == {
        "type": "call",
        "time": WALL + 66.0,
        "begin": WALL,
        "answered": WALL + 5.0,
        "duration_s": 61.0,
        "direction": "out",
        "account": "031234xxxx",
        "source": "192.168.50.2",
        "source_country": None,
        "number": "1212555xxxx",
        "country": "US",
        "class": "international",
        "abroad": True,
        "cost": "18.000",
        "currency": "JPY",
        "end": "bye",
        "status": 200,
        "rule": None,
    }


def test_an_incident_and_a_call_that_was_stopped() -> None:
    judge = fed(every(MINUTE, *[US] * 4, talked=20.0))
    opened, stopped = records(judge, full=True)[3:]
    assert opened == {
        "type": "incident",
        "event": "opened",
        "time": WALL + 180.0,
        "id": f"{int(WALL) + 180}-country-US",
        "rule": "country-surge",
        "what": "country",
        "subject": "US",
        "reason": "4 calls within 30 min to US, where 0 a day are usual",
        "open_with": "ringfence allow US --for 2h",
        "stopped": 1,
        "passed": 3,
        "cost": "9.000",
        "monitor": False,
        "until": WALL + 180.0 + 3_600.0,
    }
    assert stopped["end"] == "stopped"
    assert stopped["rule"] == "country-surge"
    assert stopped["number"] == "12125550123"
    assert stopped["cost"] is stopped["answered"] is stopped["duration_s"] is None


def test_a_share_of_the_budget() -> None:
    judge = fed(call(0.0, COLOMBIA, 15 * MINUTE))
    judge.tick(Instant(1_000.0, WALL + 1_000.0))
    (record,) = (one for one in records(judge) if one["type"] == "budget")
    assert record | {"time": WALL + 1_000.0} == {
        "type": "budget",
        "time": WALL + 1_000.0,
        "period": "day",
        "share": 50,
        "spent": "2850.000",
        "limit": "5000.000",
        "currency": "JPY",
    }


@pytest.mark.parametrize(
    ("milli", "text"),
    [(0, "0.000"), (1, "0.001"), (12_500, "12.500"), (10**9, "1000000.000")],
)
def test_money(milli: int, text: str) -> None:
    assert money(milli) == text


def test_the_last_digits_of_a_range_are_not_there_to_be_hidden() -> None:
    numbers = [f"0101212555010{at}" for at in range(1, 6)]
    judge = fed(every(11 * MINUTE, *numbers))
    (incident,) = (one for one in records(judge) if one["type"] == "incident")
    assert incident["subject"] == "1212555xxxx"
    assert incident["open_with"] == "ringfence allow 1212555 --for 2h"


def test_the_log_of_the_agent_has_them() -> None:
    judge = fed(every(MINUTE, *[US] * 4, talked=20.0))
    reader, writer = os.pipe()
    try:
        verdicts = Verdicts(judge, EventLog(writer, 20), Severing())
        verdicts.tell_calls(Instant(200.0, WALL + 200.0))
        verdicts.tell_calls(Instant(201.0, WALL + 201.0))
        lines = [json.loads(line) for line in os.read(reader, 65_536).splitlines()]
    finally:
        os.close(reader)
        os.close(writer)
    assert [(line["type"], line["time"]) for line in lines[3:]] == [
        ("incident", WALL + 180.0),
        ("call", WALL + 180.0),
    ]
    assert lines[4]["number"] == "1212555xxxx"


def test_calls_are_as_few_lines_a_second_as_decisions_and_incidents_are_all_told() -> (
    None
):
    judge = fed(
        [
            *every(MINUTE, *[US] * 3, talked=20.0),
            *(
                one
                for at in range(60)
                for one in call(180.0 + at / 10, f"010121255501{at:02}", None)[:1]
            ),
        ]
    )
    told = judge.told()
    assert sum(isinstance(one, CallOver) for one in told) == 63
    assert sum(isinstance(one, Incident) for one in told) == 1
    assert not any(isinstance(one, BudgetShare) for one in told)


def test_replay_shows_a_person_what_was_closed() -> None:
    config = parse_config("", "test")._replace(origin_table=str(COUNTRIES))
    path = CASES / "country-surge" / "hit-four-in-half-an-hour.pcap"
    out = io.StringIO()
    replay_file(path, assemble(config, RULES), out, jsonl=False, hits_only=True)
    lines = out.getvalue().splitlines()
    assert (
        "incident opened: country-surge: 4 calls within 30 min to US, where 0 a day are "
        "usual; ringfence allow US --for 2h"
    ) in lines
    assert sum(line.startswith("incident") for line in lines) == 1


@pytest.mark.parametrize("hits_only", [True, False])
def test_replay_writes_every_call_or_only_those_that_were_stopped(
    hits_only: bool,
) -> None:
    config = parse_config("", "test")._replace(origin_table=str(COUNTRIES))
    path = CASES / "country-surge" / "hit-four-in-half-an-hour.pcap"
    out = io.StringIO()
    replay_file(
        Path(path), assemble(config, RULES), out, jsonl=True, hits_only=hits_only
    )
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    ends = [one["end"] for one in found if one["type"] == "call"]
    assert ends == ["stopped"] * 2 if hits_only else ["bye"] * 3 + ["stopped"] * 2
    assert {one["file"] for one in found} == {str(path)}


@pytest.mark.parametrize(("text", "most"), [("x", MAX_SHOWN), ("電" * 200, 3)])
def test_status_shows_the_newest_that_its_answer_has_room_for(
    text: str, most: int
) -> None:
    line = engine().line
    for number in range(2 * MAX_SHOWN):
        reading = Reading("international", "1", "US", "normal", e164="12125550123")
        caller = Caller(f"{number}-{text}", "198.51.100.7")
        now = (float(number), WALL + number)
        line.closures.close(
            Close("binding", 3_600.0, 3_600.0),
            *("rule", text, reading, caller, now),
            monitor=False,
        )
    seen = line_record(line, Instant(100.0, WALL + 100.0))
    closed = seen["closed"]
    assert isinstance(closed, list)
    assert (most, seen["closed_in_all"]) == (len(closed), 2 * MAX_SHOWN)
    assert len(json.dumps(closed)) <= MAX_SHOWN_BYTES + 2 * len(closed)
    assert closed[-1]["subject"].startswith(f"{2 * MAX_SHOWN - 1}-")
    assert closed[-1]["left_s"] == 3_600 - 100 + 2 * MAX_SHOWN - 1
