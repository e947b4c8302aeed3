"""What the agent answers when it is asked to open calls abroad."""

import json
import os
from collections.abc import Callable, Iterator

import pytest
from behaviour import MINUTE, US, every
from builders import engine
from ringfence.engine import Engine
from ringfence.eventlog import EventLog
from ringfence.packet import Instant, Packet
from ringfence.probes import Probes
from ringfence.replies import MAX_OPEN, Replies
from ringfence.status import calls_lines
from ringfence.told import line_record

NOW = Instant(600.0, 1_795_000_600.0)
Log = Callable[[], list[dict[str, object]]]


@pytest.fixture
def log() -> Iterator[tuple[EventLog, Log]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        yield (
            EventLog(writer, 20),
            lambda: [json.loads(line) for line in os.read(reader, 65_536).splitlines()],
        )
    finally:
        os.close(reader)
        os.close(writer)


def surged() -> Engine:
    judge = engine()
    for at, frame in every(MINUTE, *[US] * 5, talked=20.0):
        judge.inspect(Packet(frame, 1, len(frame)), Instant(at, 1_795_000_000.0 + at))
    judge.told()
    return judge


def replies(judge: Engine, log: EventLog) -> Replies:
    return Replies(
        judge,
        log,
        Probes(),
        now=lambda: NOW,
        status=dict,
        reload=lambda: None,
        notify=lambda: {"ways": []},
        notified=lambda: {"tested": {}},
    )


def test_allow_opens_and_says_what_is_over(log: tuple[EventLog, Log]) -> None:
    judge = surged()
    (closure,) = judge.line.closures
    asked = {"ask": "allow", "what": "+1", "for_s": 7_200}
    assert replies(judge, log[0]).answer(asked) == {"what": "1", "ended": [closure.id]}
    (line,) = log[1]()
    assert (line["notice"], line["what"], line["for_s"]) == ("allowed", "1", 7_200)
    assert judge.line.closures.open_now(NOW.mono) == {"1": 7_200}
    assert [type(told).__name__ for told in judge.told()] == ["Incident"]


@pytest.mark.parametrize(
    ("what", "seconds"),
    [
        *(("063", 60), (None, 60), ("63", 0), ("63", MAX_OPEN + 1), ("63", 1.5)),
        *(("63", True), ("63", None)),
    ],
)
def test_what_cannot_be_opened(
    log: tuple[EventLog, Log], what: object, seconds: object
) -> None:
    judge = surged()
    asked = {"ask": "allow", "what": what, "for_s": seconds}
    answer = replies(judge, log[0]).answer(asked)
    assert "expected digits" in str(answer["error"])
    assert len(list(judge.line.closures)) == 1


@pytest.mark.parametrize(
    ("what", "why"),
    [
        *(("XX", "ISO 3166"), ("JP", "at home"), ("81", "at home")),
        *(("+81 3-1234", "at home"), ("210", "no country"), ("999", "no country")),
    ],
)
def test_what_leads_nowhere_is_not_opened(
    log: tuple[EventLog, Log], what: str, why: str
) -> None:
    judge = surged()
    asked = {"ask": "allow", "what": what, "for_s": 60}
    assert why in str(replies(judge, log[0]).answer(asked)["error"])
    assert judge.line.closures.open_now(NOW.mono) == {}


@pytest.mark.parametrize("what", ["PH", "2", "23", "881", "6327", "8@192.0.2.1", "all"])
def test_what_may_be_opened(log: tuple[EventLog, Log], what: str) -> None:
    judge = surged()
    asked = {"ask": "allow", "what": what, "for_s": 60}
    assert "error" not in replies(judge, log[0]).answer(asked)
    assert judge.line.closures.open_now(NOW.mono) == {what: 60}


def test_taking_back_is_logged_once(log: tuple[EventLog, Log]) -> None:
    judge = surged()
    judge.line.open("63", 60.0, NOW)
    answers = replies(judge, log[0])
    asked: dict[str, object] = {"ask": "take-back", "what": "+63"}
    assert answers.answer(asked) == {"what": "63", "was_open": ["63"]}
    assert answers.answer(asked) == {"what": "63", "was_open": []}
    (line,) = log[1]()
    assert (line["notice"], line["what"]) == ("allow-ended", ["63"])
    assert "error" in answers.answer({"ask": "take-back", "what": None})


def test_the_longest_time(log: tuple[EventLog, Log]) -> None:
    asked = {"ask": "allow", "what": "all", "for_s": MAX_OPEN}
    assert "error" not in replies(surged(), log[0]).answer(asked)


def test_status_says_what_is_closed_why_until_when_and_how_to_open_it() -> None:
    judge = surged()
    judge.tick(NOW)
    judge.line.open("63", 60.0, NOW)
    record = json.loads(json.dumps(line_record(judge.line, NOW)))
    assert calls_lines(record) == [
        "calls abroad, in JPY: 27.000 this day of 5000.000, 27.000 this month of "
        "30000.000; 0 running",
        "  closed: country US, 53 min left, 2 stopped: country-surge: 4 calls within "
        "30 min to US, where 0 a day are usual",
        "    ringfence allow US --for 2h",
        "  open: 63, 1 min left",
    ]
    assert calls_lines(None) == []


def test_notices_are_tried_and_asked_for(log: tuple[EventLog, Log]) -> None:
    answering = replies(engine(), log[0])
    assert answering.answer({"ask": "notify"}) == {"ways": []}
    assert answering.answer({"ask": "notified"}) == {"tested": {}}
    others: list[object] = [None, 1, ["notify"], {}, "notifyed"]
    for asked in others:
        assert "notify" in str(answering.answer({"ask": asked})["error"])
