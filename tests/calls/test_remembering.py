"""What the line knows after a restart, and after a state file that makes no sense."""

import json
from typing import Any

import pytest
from behaviour import HOUR, MINUTE, US, call, every
from builders import engine
from ringfence.calls.remembering import MAX_ACCOUNTS_BYTES, Remembered
from ringfence.packet import Instant, Packet

WALL = 1_795_000_000.0


def surged() -> tuple[Any, Remembered]:
    judge = engine()
    for at, frame in [
        *call(0.0, "0105710123456"),
        *every(MINUTE, *[US] * 5, talked=20.0),
    ]:
        now = Instant(HOUR + at, WALL + HOUR + at)
        judge.inspect(Packet(frame, 1, len(frame)), now)
    return judge, Remembered(judge.line)


def test_what_was_spent_and_closed_outlives_the_agent() -> None:
    before, section = surged()
    assert section.changed
    now = Instant(2 * HOUR, WALL + 2 * HOUR)
    record = json.loads(json.dumps(section.dump(now)))
    section.changed = section.pressing = False
    assert not section.changed
    spent = before.line.ledger.spent("day", now)
    assert spent == 3 * 190_000 + 3 * 9_000

    after = engine()
    Remembered(after.line).load(record)
    later = Instant(5.0, now.wall + 60.0)
    after.tick(later)
    assert after.line.ledger.spent("day", later) == spent
    (closure,) = after.line.closures
    assert (closure.subject, closure.rule) == ("US", "country-surge")
    frame = call(0.0, US)[0][1]
    ruling = after.inspect(Packet(frame, 1, len(frame)), later).findings[0].ruling
    assert ruling.rule == "country-surge"
    assert after.line.baseline.days_since_abroad is not None


def test_what_is_closed_or_opened_is_pressing_and_a_call_is_not() -> None:
    judge = engine()
    section = Remembered(judge.line)
    pressing = []
    for at, frame in every(MINUTE, *[US] * 5, talked=20.0):
        judge.inspect(Packet(frame, 1, len(frame)), Instant(at, WALL + at))
        if section.pressing:
            pressing.append(at)
            section.pressing = False
    assert pressing == [3 * MINUTE], "the fourth call, once"
    assert section.changed
    judge.line.open("US", 60.0, Instant(HOUR, WALL + HOUR))
    assert section.pressing
    section.pressing = False
    judge.tick(Instant(2 * HOUR, WALL + 2 * HOUR))
    assert not section.pressing, "what ends by itself"


@pytest.mark.parametrize("data", [None, 7, [], "calls"])
def test_no_table_at_all(data: object) -> None:
    judge, section = surged()
    before = judge.line.ledger
    with pytest.raises(ValueError, match="expected a table"):
        section.load(data)
    assert judge.line.ledger is before, "no change"


def test_parts_that_make_no_sense_are_left_out() -> None:
    judge = engine()
    Remembered(judge.line).load({"ledger": 3, "baseline": [], "closures": "x"})
    line = judge.line
    assert (line.ledger.ignored, line.baseline.ignored, line.closures.ignored) == (
        1,
        1,
        1,
    )
    judge.tick(Instant(0.0, WALL))
    assert line.closures.none


def test_ten_thousand_accounts_fit() -> None:
    judge = engine()
    section = Remembered(judge.line)
    baseline = judge.line.baseline
    for at in range(10_000):
        baseline.signed_in(f"{at:05}", bytes([198, 51, at // 256, at % 256]), "JP")
    accounts = section.dump(Instant(0.0, WALL))["baseline"]["accounts"]
    assert len(accounts) == 10_000
    for at in range(10_000):
        name = f"{at:05}-{'x' * 26}"
        for day in range(6):
            baseline.signed_in(name, bytes([10 + day, at % 256, 1, 1]), "JP")
    record = section.dump(Instant(0.0, WALL))
    accounts = record["baseline"]["accounts"]
    assert list(accounts)[-1] == f"09999-{'x' * 26}"
    size = len(json.dumps(record, separators=(",", ":")))
    assert 0.95 * MAX_ACCOUNTS_BYTES < size < MAX_ACCOUNTS_BYTES + 20_000
