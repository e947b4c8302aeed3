"""The line's traffic as a whole: true to its table, read by our decoder, judged.

A month of the office goes through the engine once; what several tests ask of it is
kept. Everything is compared with the truth that the calls were written from.
"""

import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import mean

import incident
import pytest
import theft
from behaviour import RULES as BEHAVIOUR
from builders import ABROAD, JAPAN, REPOSITORY, engine
from call import Call
from incident import (
    INCIDENT,
    INCIDENT_MONTH,
    OFFICE,
    SLOW,
    Passing,
    Traffic,
    calls,
    capture,
    excerpt,
    messages,
    table,
)
from office_days import DAY_S, local, midnight
from office_line import Outcome, judge
from phonenumbers import is_valid_number, parse
from ringfence.decision import Decision
from ringfence.facts import Facts
from ringfence.pcap import open_capture
from ringfence.sip.message import Message

CASES = REPOSITORY / "pcaps"
LARGEST = 1_472
"""Payload of a datagram that Ethernet carries whole, over IPv4."""


class Watched:
    """Notes of every trunk leg when its turns showed, from the messages alone."""

    def __init__(self, truth: list[Call]) -> None:
        self.legs: dict[str, dict[str, float]] = {call.call_id: {} for call in truth}
        self.anomalies: Counter[str] = Counter()
        self.methods: Counter[str] = Counter()
        self.ends: set[bytes] = set()
        self.largest = 0
        self.last = 0.0
        self.disorder = 0

    def see(self, passing: Passing, decision: Decision) -> None:
        self.disorder += passing.time < self.last
        self.last = passing.time
        self.largest = max(self.largest, len(passing.packet) - 28)
        self.ends |= {passing.packet[12:16], passing.packet[16:20]}
        (finding,) = decision.findings
        assert isinstance(finding.facts, Facts)
        message = finding.facts.message
        if message.anomaly is not None:
            self.anomalies[message.anomaly] += 1
        what = message.method or f"{message.status} {message.cseq[1]}"
        self.methods[what] += 1
        leg = self.legs.get(message.call_id or "")
        if leg is not None:
            leg.setdefault(what, passing.time)


def end_of(leg: dict[str, float], call: Call) -> float:
    """Find when a leg ended by what was said on it."""
    if "BYE" in leg:
        return leg["BYE"]
    if "CANCEL" in leg:
        return leg["CANCEL"]
    for refusal in ("486 INVITE", "480 INVITE", "404 INVITE"):
        if refusal in leg:
            return leg[refusal]
    assert call.ended_by == "", "only a line that breaks says nothing"
    return call.ended


@pytest.fixture(scope="module")
def truth() -> list[Call]:
    return list(calls(OFFICE, INCIDENT_MONTH))


@pytest.fixture(scope="module")
def month(truth: list[Call]) -> tuple[Watched, Outcome]:
    watched = Watched(truth)
    return watched, judge(engine(), Traffic(OFFICE, INCIDENT_MONTH), watched.see)


@pytest.fixture(scope="module")
def documented() -> list[Call]:
    return [call for call in calls(INCIDENT, INCIDENT_MONTH) if call.theft]


@pytest.fixture(scope="module")
def slow() -> list[Call]:
    return [call for call in calls(SLOW, INCIDENT_MONTH) if call.theft]


def test_our_decoder_reads_every_message_and_finds_no_flaw(
    month: tuple[Watched, Outcome],
) -> None:
    watched, outcome = month
    assert outcome.messages == sum(watched.methods.values()) > 20_000
    assert not outcome.malformed
    assert not watched.anomalies
    assert watched.disorder == 0
    assert watched.largest <= LARGEST


def test_the_default_rules_accept_all_of_the_office(
    month: tuple[Watched, Outcome], truth: list[Call]
) -> None:
    _, outcome = month
    assert outcome.stopped == []
    assert outcome.registrations_stopped == 0
    assert sorted(call.call_id for call in outcome.passed) == sorted(
        call.call_id for call in truth
    )


def test_the_messages_say_what_the_truth_says(
    month: tuple[Watched, Outcome], truth: list[Call]
) -> None:
    watched, _ = month
    assert len(truth) > 1_000
    for call in truth:
        leg = watched.legs[call.call_id]
        assert leg["INVITE"] == pytest.approx(call.begin, abs=1e-5)
        assert ("200 INVITE" in leg) is (call.answered is not None)
        if call.answered is not None:
            assert leg["200 INVITE"] == pytest.approx(call.answered, abs=1e-5)
        assert end_of(leg, call) == pytest.approx(call.ended, abs=1e-5)


def test_everything_that_a_line_carries_is_there(
    month: tuple[Watched, Outcome],
) -> None:
    watched, _ = month
    assert set(watched.methods) >= {
        *("INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS"),
        *("100 INVITE", "180 INVITE", "183 INVITE", "200 INVITE", "407 INVITE"),
        *("401 INVITE", "404 INVITE", "480 INVITE", "486 INVITE", "487 INVITE"),
        *("200 BYE", "200 CANCEL", "200 OPTIONS", "200 REGISTER", "401 REGISTER"),
    }
    assert watched.methods["REGISTER"] > watched.methods["200 REGISTER"] > 2_500


def test_addresses_are_private_or_of_the_documentation(
    month: tuple[Watched, Outcome],
) -> None:
    watched, _ = month
    assert {end[:3] for end in watched.ends} == {
        bytes([192, 168, 50]),
        bytes([198, 51, 100]),
    }


def test_the_same_bytes_each_time_and_other_ones_for_another_seed() -> None:
    days = range(theft.FIRST_DAY, theft.FIRST_DAY + 1)
    first = list(messages(INCIDENT, days))
    assert first == list(messages(INCIDENT, days))
    assert first != list(messages(INCIDENT, days, seed=2))
    assert [when for when, _ in first] == sorted(when for when, _ in first)


def test_a_part_of_the_year_is_that_part_of_the_whole() -> None:
    week = range(100, 107)
    part = set(messages(OFFICE, week))
    whole = messages(OFFICE, range(98, 109))
    begin, end = midnight(100), midnight(107)
    assert part == {one for one in whole if begin <= one[0] < end}


def test_the_office_goes_on_during_a_theft(truth: list[Call]) -> None:
    for scenario in (INCIDENT, SLOW):
        honest = [c for c in calls(scenario, INCIDENT_MONTH) if not c.theft]
        assert honest == truth


# The documented incident ----------------------------------------------------------


def test_fourteen_thousand_calls_of_half_a_minute_in_four_days(
    documented: list[Call],
) -> None:
    answered = [call for call in documented if call.answered is not None]
    assert len(answered) == 14_000 == theft.DOCUMENTED_CALLS
    assert len(documented) < 1.05 * len(answered)
    assert documented[-1].begin - documented[0].begin < theft.DOCUMENTED_S == 4 * DAY_S
    assert mean(call.duration for call in answered) == pytest.approx(31, abs=1.5)
    assert all(20 < call.duration < 60 for call in answered), "one unit each"
    assert {call.country for call in documented} == {"SL"}
    assert {call.who for call in documented} == {theft.ACCOUNT}


def test_nights_come_first_and_several_calls_run_at_once(
    documented: list[Call],
) -> None:
    by_night = [c for c in documented if not 8 <= local(c.begin)[1] // 3_600 < 19]
    assert by_night[: len(documented) // 8] == documented[: len(documented) // 8]
    assert len(by_night) > 0.8 * len(documented)
    nights = {local(call.begin - 12 * 3_600)[0] for call in by_night}
    assert nights == {theft.FIRST_DAY + night for night in range(4)}
    changes = sorted(
        [(call.begin, 1) for call in documented]
        + [(call.ended, -1) for call in documented]
    )
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    assert 2 < most <= 5


def test_the_default_rules_stop_the_documented_incident(
    documented: list[Call], truth: list[Call]
) -> None:
    days = range(theft.FIRST_DAY, theft.FIRST_DAY + 2)
    outcome = judge(engine(), Traffic(INCIDENT, days))
    assert outcome.let_through() == []
    assert outcome.hindered() == []
    assert not outcome.malformed
    for found, true in ((outcome.stopped, documented), (outcome.passed, truth)):
        assert len(found) == sum(local(call.begin)[0] in days for call in true) > 50


@pytest.mark.parametrize("entry", theft.ENTRIES)
def test_where_the_thief_comes_from(entry: str) -> None:
    friday = range(theft.FIRST_DAY, theft.FIRST_DAY + 1)
    scenario = INCIDENT._replace(entry=entry)
    ends: Counter[bytes] = Counter()

    def seen(passing: Passing, _: Decision) -> None:
        if passing.call is not None and passing.call.theft:
            ends.update((passing.packet[12:16], passing.packet[16:20]))

    site = engine("[numbers]\nallow = ['232']\n[budget]\nday = 0\nmonth = 0\n")
    outcome = judge(site, Traffic(scenario, friday), seen)
    assert outcome.hindered() == []
    assert len(outcome.let_through()) > 200, "he calls, whether he may register or not"
    phone = theft.ENTRIES[entry]
    expected = {"192.168.50.2", "198.51.100.50"} | {phone.address if phone else ""}
    assert {".".join(map(str, end)) for end in ends} == expected - {""}
    assert (outcome.registrations_stopped > 0) is (entry == theft.FROM_ABROAD)
    if phone is not None:
        country = JAPAN if entry == theft.FROM_JAPAN else ABROAD
        assert phone.address.rpartition(".")[0] == country.rpartition(".")[0]


# The slow one ---------------------------------------------------------------------


def test_one_call_in_ten_minutes_at_night_to_ten_countries(slow: list[Call]) -> None:
    assert len(slow) == theft.SLOW_NIGHTS * 8 * 6
    assert all(not 6 <= local(call.begin)[1] // 3_600 < 22 for call in slow)
    for before, after in pairwise(slow):
        assert after.begin - before.begin >= 9 * 60
        assert before.ended < after.begin
        assert before.country != after.country
    countries = Counter(call.country for call in slow)
    assert len(countries) == 10
    assert set(countries.values()) == {48}


def test_no_list_knows_of_the_slow_theft(slow: list[Call]) -> None:
    days = range(theft.FIRST_DAY, theft.FIRST_DAY + 2)
    only_lists = "".join(f"[rules.{rule}]\nmode = 'off'\n" for rule in BEHAVIOUR)
    outcome = judge(engine(only_lists), Traffic(SLOW, days))
    assert outcome.stopped == []
    assert len(outcome.let_through()) == sum(
        local(call.begin)[0] in days for call in slow
    )


def test_the_numbers_that_thieves_call_are_nobodys(
    slow: list[Call], documented: list[Call]
) -> None:
    for number in {call.number for call in [*slow, *documented]}:
        assert not is_valid_number(parse(number))


# A line that is refused -----------------------------------------------------------


def test_what_is_refused_at_the_trunk_has_no_answer_but_one_to_the_caller() -> None:
    friday = range(theft.FIRST_DAY, theft.FIRST_DAY + 1)
    traffic = Traffic(INCIDENT, friday)
    after: dict[str, list[str]] = {}
    for passing in traffic:
        call = passing.call
        if call is None or not call.theft:
            continue
        message = Message(passing.packet[28:])
        if call.call_id in after:
            what = message.method or f"{message.status}"
            after[call.call_id].append(what)
        elif passing.time == call.begin:
            assert message.call_id == call.call_id
            traffic.refuse(call, passing.time)
            traffic.refuse(call, passing.time)  # which changes nothing
            after[call.call_id] = []
    assert len(after) > 200
    heard = {tuple(what) for what in after.values()}
    assert heard == {("503", "ACK"), ("100", "503", "ACK")}


def test_what_is_refused_before_the_pbx_has_called_is_over() -> None:
    friday = range(theft.FIRST_DAY, theft.FIRST_DAY + 1)
    traffic = Traffic(INCIDENT, friday)
    seen: Counter[str] = Counter()
    for passing in traffic:
        call = passing.call
        if call is not None and call.theft:
            seen[call.call_id] += 1
            traffic.refuse(call, passing.time)
    assert set(seen.values()) == {1}


# Files ----------------------------------------------------------------------------


def test_the_committed_excerpt_is_what_is_made(tmp_path: Path) -> None:
    subprocess.run(  # noqa: S603 - the project's own script
        [sys.executable, CASES / "incident.py", "-o", tmp_path], check=True, timeout=60
    )
    for name in ("incident.pcap", "incident.csv"):
        assert (tmp_path / name).read_bytes() == (CASES / name).read_bytes()
    assert (CASES / "incident.pcap").stat().st_size < 300_000


def test_the_excerpt_shows_the_office_and_the_theft_of_its_table() -> None:
    found = list(excerpt())
    with open_capture(CASES / "incident.pcap") as frames:
        kept = [(wall, packet.data) for _, wall, packet in frames]
    assert [data for _, data in kept] == [one.packet for one in found]
    assert [wall for wall, _ in kept] == pytest.approx([one.time for one in found])
    rows = (CASES / "incident.csv").read_text(encoding="utf-8").splitlines()[1:]
    thefts = [row.split(",")[2] for row in rows]
    assert thefts.count("0") >= 2
    assert thefts.count("1") >= 8


def test_a_table_has_a_row_for_every_call(truth: list[Call]) -> None:
    head, *rows = table(truth).splitlines()
    assert tuple(head.split(",")) == incident.COLUMNS
    assert len(rows) == len(truth)
    total = sum(float(row.split(",")[10]) for row in rows)
    assert total == pytest.approx(sum(call.duration for call in truth), abs=1)


def test_a_capture_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "week.pcap"
    words = ["office", "--from", "2026-10-19", "--to", "2026-10-20", "-o", str(path)]
    assert incident.main(words) == 0
    with open_capture(path) as frames:
        read = [packet.data for _, _, packet in frames]
    days = range(201, 203)
    assert read == [packet for _, packet in messages(OFFICE, days)]
    assert path.read_bytes() == b"".join(capture(messages(OFFICE, days)))
    rows = path.with_suffix(".csv").read_text(encoding="utf-8")
    assert rows == table(calls(OFFICE, days))


@pytest.mark.parametrize(
    "words",
    [
        ["office"],
        ["office", "-o", "x.txt"],
        ["office", "-o", "x.pcap", "--from", "2026-03-31"],
        ["office", "-o", "x.pcap", "--from", "2026-05-02", "--to", "2026-05-01"],
        ["nothing", "-o", "x.pcap"],
    ],
)
def test_a_command_line_that_cannot_be_done(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        incident.main(words)
    assert ended.value.code == 2
    assert list(tmp_path.iterdir()) == []
