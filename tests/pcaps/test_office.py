"""Twelve months of the office: plausible, repeatable, and nobody's numbers."""

from collections import Counter
from statistics import mean, median

import pytest
from call import Call
from office import EMERGENCY_DAY, STAFF, VIET_NAM_WEEK, calls
from office_days import YEAR, date_of, day_of, local, worked
from phonenumbers import is_valid_number, parse

SEED = 1
TRUNK_CHANNELS = 8

Year = dict[int, list[Call]]


@pytest.fixture(scope="module")
def year() -> Year:
    return {day: calls(day, SEED) for day in YEAR}


def every(year: Year) -> list[Call]:
    return [call for day in YEAR for call in year[day]]


def abroad(year: Year, direction: str = "out") -> list[Call]:
    return [
        call
        for call in every(year)
        if call.direction == direction and call.country not in ("JP", "")
    ]


def test_a_day_is_the_same_whichever_days_one_asks_for(year: Year) -> None:
    assert calls(200, SEED) == year[200]
    assert calls(200, SEED + 1) != year[200]


def test_calls_begin_on_their_day_and_in_order(year: Year) -> None:
    for day in YEAR:
        begins = [call.begin for call in year[day]]
        assert begins == sorted(begins)
        assert {local(begin)[0] for begin in begins} <= {day}


def test_working_days_are_busy_and_others_are_not(year: Year) -> None:
    busy = [len(year[day]) for day in YEAR if worked(day)]
    quiet = [len(year[day]) for day in YEAR if not worked(day)]
    assert 235 <= len(busy) <= 245
    assert 60 < mean(busy) < 85
    assert min(busy) > 35
    assert max(busy) < 120
    assert mean(quiet) < 3
    assert max(quiet) < 10


def test_nobody_calls_at_night(year: Year) -> None:
    for call in every(year):
        day, second = local(call.begin)
        assert 8.5 * 3_600 <= second < 20 * 3_600
        assert worked(day) or 10 * 3_600 <= second < 17.5 * 3_600


def test_lunch_is_quiet(year: Year) -> None:
    hours = Counter(local(call.begin)[1] // 3_600 for call in every(year))
    assert 3 * hours[12] < min(hours[11], hours[13])


def test_outcomes_and_durations(year: Year) -> None:
    found = every(year)
    out = [call for call in found if call.direction == "out"]
    assert 0.45 < len(out) / len(found) < 0.65
    outcomes = Counter(call.outcome for call in out)
    assert 0.65 < outcomes["answered"] / len(out) < 0.8
    assert 0.08 < outcomes["unanswered"] / len(out) < 0.16
    for rare in ("busy", "cancelled", "unreachable", "unknown"):
        assert 0.005 < outcomes[rare] / len(out) < 0.08
    assert 5 <= outcomes["crossed"] < 60
    lasted = [call.duration for call in found if call.outcome == "answered"]
    assert 60 < median(lasted) < 95
    assert min(lasted) < 5
    assert 3_000 < max(lasted) < 4_600
    ended_by = Counter(call.ended_by for call in found if call.answered is not None)
    assert ended_by["caller"] > ended_by["called"] > 0.3 * len(lasted)
    assert 3 <= ended_by[""] < 40


def test_what_is_said_of_a_call_agrees(year: Year) -> None:
    for call in every(year):
        assert not call.theft
        assert call.begin < call.ended
        answered = call.outcome in ("answered", "crossed")
        assert (call.answered is not None) is answered
        if call.answered is not None:
            assert call.begin < call.answered < call.ended
        assert call.who in STAFF or (call.who, call.outcome) == ("", "busy")
        assert call.country or not call.number
        assert call.ended_by or call.country in ("JP", "")


def test_calls_have_names_of_their_own(year: Year) -> None:
    names = [call.call_id for call in every(year)]
    assert len(names) == len(set(names))


def test_a_few_calls_a_week_go_abroad(year: Year) -> None:
    weeks = len(YEAR) / 7
    out = Counter(call.country for call in abroad(year))
    assert set(out) == {"US", "PH", "DE", "VN"}
    assert 2 < out["US"] / weeks < 4
    assert 3 < out["PH"] / weeks < 6
    assert 8 < out["DE"] < 35
    back = Counter(call.country for call in abroad(year, "in"))
    assert set(back) == {"US", "PH", "DE"}
    by_day = Counter((local(call.begin)[0], call.country) for call in abroad(year))
    assert max(by_day.values()) < 8


def test_one_week_is_full_of_calls_to_a_new_country(year: Year) -> None:
    to_viet_nam = [call for call in abroad(year) if call.country == "VN"]
    assert len(to_viet_nam) == 15 == sum(VIET_NAM_WEEK.values())
    days = Counter(local(call.begin)[0] for call in to_viet_nam)
    assert days == VIET_NAM_WEEK
    assert date_of(min(days)).isoformat() == "2026-10-19"
    assert all(map(worked, days))


def test_one_ambulance_is_called(year: Year) -> None:
    emergencies = [call for call in every(year) if call.number == "119"]
    assert [local(call.begin)[0] for call in emergencies] == [EMERGENCY_DAY]
    assert worked(EMERGENCY_DAY)


def test_nobody_has_two_calls_and_the_trunk_is_not_full(year: Year) -> None:
    for day in YEAR:
        running: list[Call] = []
        for call in year[day]:
            running = [one for one in running if one.ended > call.begin]
            if not call.diverted and call.who:
                busy = {one.who for one in running if not one.diverted}
                assert call.who not in busy
            running.append(call)
            assert len(running) <= TRUNK_CHANNELS


def test_some_calls_are_sent_on_to_a_mobile(year: Year) -> None:
    found = every(year)
    sent_on = [call for call in found if call.diverted]
    assert 100 < len(sent_on) < 400
    for call in sent_on:
        assert (call.direction, call.country) == ("out", "JP")
        first = [
            one
            for one in year[local(call.begin)[0]]
            if one.direction == "in" and one.who == call.who
        ]
        assert any(
            one.begin < call.begin < (one.answered or 0)
            and one.ended - call.ended < 0.1
            for one in first
        )


def test_some_telephones_are_outside(year: Year) -> None:
    found = every(year)
    outer = {call.who for call in found if call.outer is not None}
    assert {"208", "209"} <= outer
    addresses = {call.outer.address for call in found if call.outer is not None}
    assert all(address.startswith("198.51.100.") for address in addresses)
    assert len(addresses) > 10, "the soft phone moves"


def test_numbers_that_a_country_keeps_or_has_not_assigned(year: Year) -> None:
    numbers = {call.number for call in every(year) if call.number[:1] == "+"}
    for number in numbers:
        national = number.removeprefix("+81")
        if number.startswith("+1"):
            assert number[-7:-2] == "55501"
        elif number.startswith("+49"):
            assert number.startswith("+4930231250")
        elif national == number:
            assert not is_valid_number(parse(number))
        else:  # exchanges begin with 2 to 9; the others are the usual examples
            assert national[:2] in ("31", "61") or national[1:-1] in (
                *("01234567", "2012345"),
            )


def test_a_year_has_the_days_that_it_says() -> None:
    assert day_of(2026, 4, 1) == YEAR[0]
    assert day_of(2027, 3, 31) == YEAR[-1]
