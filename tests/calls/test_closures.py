"""What is closed, how long, what opens it, and what outlives a restart."""

import json
from math import inf

import pytest
from ringfence.calls.closures import (
    DECAY,
    GROWTH,
    MAX_CLOSURES,
    MAX_OPEN,
    MAX_OPENED,
    PERSISTENT,
    Caller,
    Closure,
    Closures,
    readable,
)
from ringfence.facts.numbers import Reading
from ringfence.packet import Instant
from ringfence.rules.closes import Close

HOUR = 3_600.0
COUNTRY = Close("country", HOUR, 24 * HOUR)
WALL = 1_795_000_000.0
PHONE = Caller("209", "192.0.2.1")


def reading(e164: str = "23240123456", country: str | None = "SL") -> Reading:
    return Reading("international", e164, country, "normal", e164=e164)


SL, US = reading(), reading("12125550123", "US")
SATELLITE = reading("881612345678", None)


def moment(mono: float) -> Instant:
    return Instant(mono, WALL + mono)


def close(
    closures: Closures,
    mono: float = 0.0,
    closing: Close = COUNTRY,
    about: Reading = SL,
    *,
    monitor: bool = False,
) -> Closure:
    made = closures.close(
        closing, "rule", "why", about, PHONE, (mono, WALL + mono), monitor=monitor
    )
    assert made is not None
    return made[0]


def stopping(
    closures: Closures,
    about: Reading = SL,
    caller: Caller = PHONE,
    *,
    inside: bool = True,
    known: bool = False,
) -> list[str]:
    return [
        one.what + "*" * one.monitor
        for one in closures.stopping(
            about, caller, inside=inside, known=lambda _: known
        )
    ]


def test_a_country_is_closed_and_no_other() -> None:
    closures = Closures()
    assert closures.none
    closure = close(closures)
    assert not closures.none
    assert stopping(closures) == ["country"]
    assert stopping(closures, US) == []
    assert stopping(closures, inside=False) == [], "our side's call shows again"
    assert (closure.subject, closure.until, closure.opened) == ("SL", HOUR, WALL)
    assert closure.opens_with == "ringfence allow SL --for 2h"


def test_another_reading_of_the_number_is_closed_too() -> None:
    closures = Closures()
    close(closures)
    both = US._replace(alternatives=(SL, Reading("extension", "23")))
    assert stopping(closures, both) == ["country"]


def test_where_there_is_no_country_the_first_digits_are() -> None:
    closures = Closures()
    closure = close(closures, about=SATELLITE)
    assert closure.subject == "+881"
    assert closure.opens_with == "ringfence allow 881 --for 2h"
    assert stopping(closures, reading("881699999999", None)) == ["country"]
    assert stopping(closures, reading("882699999999", None)) == []


def test_all_that_is_abroad_and_all_that_is_new() -> None:
    closures = Closures()
    close(closures, closing=Close("new", HOUR, HOUR))
    assert stopping(closures, US) == ["new"]
    assert stopping(closures, US, known=True) == []
    close(closures, closing=Close("international", HOUR, HOUR))
    assert stopping(closures, US, known=True) == ["international"]


def test_a_range() -> None:
    closures = Closures()
    close(closures, closing=Close("sequence", HOUR, HOUR))
    assert stopping(closures, reading("23240129999")) == ["sequence"]
    assert stopping(closures, reading("23240139999")) == []
    short = reading("2324012")
    again = closures.close(
        Close("sequence", HOUR, HOUR),
        "rule",
        "why",
        short,
        PHONE,
        (0, 0),
        monitor=False,
    )
    assert again is None, "a short number is in no range"


def test_an_account_is_held_back_where_it_is_and_nobody_beside_it() -> None:
    closures = Closures()
    closure = close(closures, closing=Close("binding", HOUR, HOUR))
    assert closure.opens_with == "ringfence allow 209@192.0.2.1 --for 2h"
    assert stopping(closures, US, inside=False) == ["binding"]
    assert stopping(closures, US, Caller("210", "192.0.2.1"), inside=False) == []
    assert stopping(closures, US, Caller("209", "192.0.2.2"), inside=False) == []


def test_one_incident_for_one_subject() -> None:
    closures = Closures()
    close(closures)
    again = closures.close(COUNTRY, "other", "why", SL, PHONE, (1, 1), monitor=False)
    assert again is None
    close(closures, monitor=True)
    assert stopping(closures) == ["country", "country*"]


def test_it_ends_by_itself() -> None:
    closures = Closures()
    closure = close(closures)
    for _ in range(PERSISTENT - 1):
        closures.stops(closure, 175_000)
    assert closures.tick(moment(HOUR - 1), budget_left=True) == []
    assert closures.tick(moment(HOUR), budget_left=True) == [closure]
    assert closures.none
    assert (closure.stopped, closure.cost) == (4, 700_000)


def test_it_goes_on_while_somebody_goes_on() -> None:
    closures = Closures()
    closure = close(closures)
    ends = HOUR
    for length in (4, 16, 24, 24):
        for _ in range(PERSISTENT):
            closures.stops(closure, 1)
        assert closures.tick(moment(ends), budget_left=True) == []
        ends += length * HOUR
        assert closure.until == ends
    assert closures.tick(moment(ends), budget_left=True) == [closure], (
        "nobody came any more"
    )


def test_a_long_silence_after_persistence_is_over_at_once() -> None:
    closures = Closures()
    closure = close(closures)
    for _ in range(PERSISTENT):
        closures.stops(closure, 1)
    assert closures.tick(moment(30 * HOUR), budget_left=True) == [closure]
    assert closure.until == 5 * HOUR


def test_it_grows_when_it_comes_again_and_is_forgiven_in_time() -> None:
    closures = Closures()
    mono = 0.0
    for length in (1, GROWTH, GROWTH**2, 24, 24):
        closure = close(closures, mono)
        assert closure.until == mono + length * HOUR
        mono = closure.until
        assert closures.tick(moment(mono), budget_left=True) == [closure]
    mono += 2 * DECAY
    assert close(closures, mono).until == mono + GROWTH**2 * HOUR, "two steps down"


def test_until_the_budget_has_room() -> None:
    closures = Closures()
    closure = close(closures, closing=Close("international", 0.0, 0.0))
    assert closure.until == inf
    assert closures.tick(moment(1e6), budget_left=False) == []
    assert closures.tick(moment(1e6), budget_left=True) == [closure]


def test_what_only_watches_counts_what_passes() -> None:
    closures = Closures()
    closure = close(closures, monitor=True)
    for _ in range(PERSISTENT):
        closures.stops(closure, 1)
    assert (closure.stopped, closure.passed, closure.cost) == (0, PERSISTENT, 0)
    assert closures.tick(moment(HOUR), budget_left=True) == [closure]


@pytest.mark.parametrize("what", ["232", "SL", "all", "23", "2"])
def test_opening_ends_the_incident(what: str) -> None:
    closures = Closures()
    closure = close(closures)
    assert closures.open(what, 60.0, 1.0) == [closure]
    assert closures.opened(SL, PHONE, 60.0)
    assert not closures.opened(SL, PHONE, 61.0)
    assert close(closures, mono=100.0).until == 100.0 + HOUR, (
        "nothing is held against it"
    )


@pytest.mark.parametrize("what", ["23240", "1", "US", "210@192.0.2.1"])
def test_opening_something_else_or_a_part_does_not(what: str) -> None:
    closures = Closures()
    close(closures)
    assert closures.open(what, 60.0, 1.0) == []
    assert stopping(closures) == ["country"]
    assert closures.opened(SL, PHONE, 2.0) is (what == "23240")


@pytest.mark.parametrize(
    ("what", "was", "left"),
    [
        ("63", ["63"], ["PH", "all"]),
        ("all", ["63", "PH", "all"], []),
        ("632", [], ["63", "PH", "all"]),
    ],
)
def test_what_was_opened_can_be_taken_back(
    what: str, was: list[str], left: list[str]
) -> None:
    closures = Closures()
    for name in ("63", "PH", "all"):
        closures.open(name, 60.0, 0.0)
    closures.changed = False
    assert closures.take_back(what, 59.0) == was
    assert list(closures.open_now(59.0)) == left
    assert closures.changed is bool(was)


def test_what_is_open_no_longer_cannot_be_taken_back() -> None:
    closures = Closures()
    closures.open("63", 60.0, 0.0)
    assert closures.take_back("63", 60.0) == []


def test_opening_an_account() -> None:
    closures = Closures()
    closure = close(closures, closing=Close("binding", HOUR, HOUR))
    assert closures.open("209@192.0.2.1", 60.0, 0.0) == [closure]
    assert closures.opened(US, PHONE, 1.0)
    assert not closures.opened(US, Caller("209", "192.0.2.2"), 1.0)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        *(("63", "63"), ("+63", "63"), ("0063", "63"), ("ph", "PH"), ("all", "all")),
        *(("+63 2-1034", "6321034"), ("209@192.0.2.1", "209@192.0.2.1")),
        *(("", None), ("063", None), ("6x", None), ("+", None), ("00", None)),
        *(("1" * 16, None), (63, None), ("円円", None), ("a@" + "b" * 200, None)),
    ],
)
def test_what_can_be_opened(text: object, read: str | None) -> None:
    assert readable(text) == read


def test_no_more_than_there_is_room_for() -> None:
    closures = Closures()
    first = close(closures, about=reading("10000000000", "C0"))
    for at in range(1, MAX_CLOSURES):
        close(closures, about=reading(f"{10_000_000_000 + at}", f"C{at}"))
    assert len(list(closures)) == MAX_CLOSURES
    made = closures.close(COUNTRY, "rule", "why", SL, PHONE, (0, 0), monitor=False)
    assert made is not None
    assert made[1] is first
    assert len(list(closures)) == MAX_CLOSURES
    for at in range(MAX_OPENED + 1):
        closures.open(f"{2_000 + at}", 60.0, 0.0)
    assert len(closures.open_now(0.0)) == MAX_OPENED
    assert "2000" not in closures.open_now(0.0)
    assert all(held <= most for held, most in closures.sizes().values())


def test_from_start_to_start() -> None:
    closures = Closures()
    closure = close(closures)
    close(closures, closing=Close("international", 0.0, 0.0), monitor=True)
    closures.stops(closure, 175_000)
    closures.open("63", 7_200.0, 0.0)
    record = json.loads(json.dumps(closures.to_record(moment(600.0))))
    later = Closures.from_record(record)
    assert later.ignored == 0
    assert not later.none
    assert later.tick(Instant(50.0, WALL + 600), budget_left=False) == []
    first, second = later
    assert (first.until, first.stopped, first.cost) == (50.0 + 3_000, 1, 175_000)
    assert (first.id, first.reason, first.length) == (closure.id, "why", COUNTRY)
    assert (second.until, second.monitor) == (inf, True)
    assert later.open_now(50.0) == {"63": 6_600}
    assert later.to_record(Instant(50.0, WALL + 600)) == record


@pytest.mark.parametrize(
    ("away", "closed", "opened"),
    [
        (600.0, 2_400.0, {"63": 6_000}),
        (3_000.0, 0.0, {"63": 3_600}),
        (1e6, 0.0, {}),
        (-1e9, 3_000.0, {"63": 6_600}),
    ],
    ids=["for ten minutes", "till it is over", "for long", "clock not set yet"],
)
def test_time_without_an_agent_counts(
    away: float, closed: float, opened: dict[str, int]
) -> None:
    closures = Closures()
    close(closures)
    closures.open("63", 7_200.0, 0.0)
    later = Closures.from_record(closures.to_record(moment(600.0)))
    over = later.tick(Instant(50.0, WALL + 600.0 + away), budget_left=True)
    assert len(over) == (closed == 0.0)
    assert [one.until - 50.0 for one in (*later, *over)] == [closed]
    assert later.open_now(50.0) == opened


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("what", "country-club"), ("what", 1), ("stopped", -1), ("stopped", 1.5)),
        *(("stopped", True), ("monitor", 0), ("length", [1]), ("length", [-1, 2])),
        *(("left", "soon"), ("left", -1), ("step", 10**9), ("reason", "x" * 401)),
    ],
)
def test_nonsense_is_left_out(key: str, value: object) -> None:
    closures = Closures()
    close(closures)
    record = closures.to_record(moment(0.0))
    record["closed"][0][key] = value
    record["opened"] = {"0": 1, "63": -5, "84": 60}
    later = Closures.from_record(record)
    assert later.ignored == 3
    later.tick(moment(0.0), budget_left=True)
    assert list(later) == []
    assert later.open_now(0.0) == {"84": 60}


@pytest.mark.parametrize("record", [7, [], {"version": 9}, {"version": 1, "closed": 3}])
def test_no_record_at_all(record: object) -> None:
    closures = Closures.from_record(record)
    closures.tick(moment(0.0), budget_left=True)
    assert closures.none


def test_nothing_is_open_for_ever_by_a_damaged_record() -> None:
    record = {"version": 1, "closed": [], "opened": {"all": 10**12, "PH": MAX_OPEN}}
    closures = Closures.from_record(record)
    closures.tick(moment(0.0), budget_left=True)
    assert closures.ignored == 1
    assert closures.open_now(0.0) == {"PH": MAX_OPEN}


def test_what_is_left_is_never_longer_than_a_day() -> None:
    closures = Closures()
    close(closures)
    record = closures.to_record(moment(0.0))
    record["closed"][0]["left"] = 10**9
    later = Closures.from_record(record)
    later.tick(moment(0.0), budget_left=True)
    assert [one.until for one in later] == [DECAY]


def test_what_is_only_told_of_is_one_wherever_to_and_closes_nothing() -> None:
    closures = Closures()
    told = close(closures, closing=Close("stopped", HOUR, HOUR))
    assert stopping(closures) == []
    assert told.opens_with == "ringfence allow SL --for 2h"
    again = closures.close(
        Close("stopped", HOUR, HOUR), "rule", "", US, PHONE, (1.0, WALL), monitor=False
    )
    assert again is None
    assert closures.telling(monitor=False) is told
    assert closures.telling(monitor=True) is None


def test_what_is_told_of_goes_on_with_each_call_and_is_never_longer() -> None:
    closures = Closures()
    told = close(closures, closing=Close("stopped", HOUR, HOUR))
    for at in range(3 * PERSISTENT):
        closures.goes_on(told, 7, at * HOUR / 2, held=at == 0)
    last = (3 * PERSISTENT - 1) * HOUR / 2
    assert (told.stopped, told.passed) == (3 * PERSISTENT - 1, 1)
    assert told.cost == 7 * told.stopped
    assert closures.tick(moment(last + HOUR - 1), budget_left=True) == []
    assert closures.tick(moment(last + HOUR), budget_left=True) == [told]
    close(closures, last + HOUR, Close("stopped", HOUR, HOUR))
    assert closures.tick(moment(last + 2 * HOUR - 1), budget_left=True) == []
    assert len(closures.tick(moment(last + 2 * HOUR), budget_left=True)) == 1


def test_what_is_told_of_outlives_a_restart() -> None:
    closures = Closures()
    closures.goes_on(
        close(closures, closing=Close("stopped", HOUR, HOUR)), 7, 60.0, held=False
    )
    record = json.loads(json.dumps(closures.to_record(moment(60.0))))
    again = Closures.from_record(record)
    assert again.ignored == 0
    again.tick(moment(1_000.0), budget_left=True)
    told = again.telling(monitor=False)
    assert told is not None
    assert (told.subject, told.stopped, told.cost) == ("SL", 1, 7)
    again.goes_on(told, 7, 2_000.0, held=False)
    assert told.until == 2_000.0 + HOUR


def test_the_country_opened_ends_what_is_told_of_it() -> None:
    closures = Closures()
    told = close(closures, closing=Close("stopped", HOUR, HOUR))
    assert closures.open("63", HOUR, 0.0) == []
    assert closures.open("232", HOUR, 0.0) == [told]
