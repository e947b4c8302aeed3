"""Rules about calls in the engine: what is stopped, what is left alone, what is told."""

from collections.abc import Iterable

import pytest
from behaviour import (
    COLOMBIA,
    HOUR,
    KENYA,
    MINUTE,
    OFFICE,
    POLAND,
    US,
    US_TOO,
    call,
    every,
    then,
)
from builders import engine, invite, octets, sip, udp
from generate import TRUNK, Timed
from ringfence.calls.events import BudgetShare, CallOver, Incident, Told
from ringfence.calls.line import MAX_TOLD, TICK
from ringfence.decision import Decision, Verdict
from ringfence.engine import Engine
from ringfence.packet import Instant, Packet
from ringfence.sip.message import Message

LINKTYPE_ETHERNET = 1
WALL = 1_795_000_000.0
BUDGET = "[budget]\nday = 5000\n"


def packet(frame: bytes) -> Packet:
    return Packet(frame, LINKTYPE_ETHERNET, len(frame))


def _call_id(frame: bytes) -> str | None:
    return Message(frame[42:] if frame[12:14] == b"\x08\x00" else frame[62:]).call_id


class Site:
    """An engine, fed with calls; what is stopped has no consequences."""

    def __init__(self, toml: str = "") -> None:
        self.engine: Engine = engine(toml)
        self.told: list[Told] = []
        self.stopped: list[tuple[float, str | None]] = []
        self.now = Instant(0.0, WALL)

    def feed(self, timed: Iterable[Timed], offset: float = 0.0) -> list[Decision]:
        decisions = []
        refused: set[str | None] = set()
        for at, frame in timed:
            if _call_id(frame) in refused and b"INVITE sip:" not in frame:
                continue
            self.now = Instant(offset + at, WALL + offset + at)
            decision = self.engine.inspect(packet(frame), self.now)
            decisions.append(decision)
            if decision.verdict is not Verdict.ACCEPT:
                rule = decision.findings[0].ruling.rule
                self.stopped.append((self.now.mono, rule))
                refused.add(_call_id(frame))
            self.told += self.engine.told()
        return decisions

    def pass_time(self, until: float) -> None:
        self.now = Instant(until, WALL + until)
        self.engine.tick(self.now)
        self.told += self.engine.told()

    @property
    def incidents(self) -> list[tuple[str, str, str]]:
        return [
            (one.event, one.closure.rule, one.closure.subject)
            for one in self.told
            if isinstance(one, Incident)
        ]

    @property
    def calls(self) -> list[CallOver]:
        return [one for one in self.told if isinstance(one, CallOver)]


def burst(number: str = US, count: int = 5) -> list[Timed]:
    return every(2 * MINUTE, *[number] * count, talked=61.0)


def test_one_country_is_closed_and_opens_by_itself() -> None:
    site = Site()
    site.feed(burst())
    assert site.stopped == [
        (6 * MINUTE, "country-surge"),
        (8 * MINUTE, "country-surge"),
    ]
    site.feed(call(10 * MINUTE, POLAND))
    assert len(site.stopped) == 2, "another country is open"
    site.feed(call(50 * MINUTE, US))
    assert len(site.stopped) == 3
    site.feed(call(67 * MINUTE, US))
    assert len(site.stopped) == 3
    assert site.incidents == [
        ("opened", "country-surge", "US"),
        ("closed", "country-surge", "US"),
    ]
    closed = [one for one in site.told if isinstance(one, Incident)][1]
    assert (closed.closure.stopped, closed.closure.passed) == (3, 3)
    assert closed.closure.cost == 3 * 9_000, "a minute each"
    assert closed.time == WALL + 66 * MINUTE, "not when somebody looked"


def test_calls_that_run_are_left_alone() -> None:
    site = Site()
    long = call(0.0, US, 30 * MINUTE)
    refresh = [
        (20 * MINUTE, frame.replace(b"CSeq: 1 INVITE", b"CSeq: 3 INVITE"))
        for _, frame in long[:1]
    ]
    within = refresh[0][1].replace(
        f"To: <sip:{US}@{TRUNK}>".encode(),
        f"To: <sip:{US}@{TRUNK}>;tag=b0{US}".encode(),
    )
    site.feed(then(long[:4], *(call(60.0 * at, US) for at in range(1, 6))))
    assert site.stopped
    before = len(site.stopped)
    site.feed([(20 * MINUTE, _fixed(within)), *long[4:]])
    assert len(site.stopped) == before, "neither its refresh nor its BYE is stopped"
    (over,) = (one for one in site.calls if one.begin == WALL)
    assert (over.end, over.duration) == ("bye", 30 * MINUTE)


def _fixed(frame: bytes) -> bytes:
    """Set the lengths of a frame whose message has grown."""
    size = len(frame) - 14
    frame = frame[:16] + size.to_bytes(2) + frame[18:]
    return frame[:38] + (size - 20).to_bytes(2) + frame[40:]


def test_an_invite_in_a_dialog_that_nobody_knows_is_a_call() -> None:
    site = Site()
    site.feed(burst())
    before = len(site.stopped)
    text = invite(US, {"To": f"<sip:{US}@x>;tag=made-up"})
    site.engine.inspect(udp(text), site.now)
    decision = site.engine.inspect(udp(text), Instant(600.0, WALL + 600))
    assert decision.verdict is Verdict.REJECT
    assert len(site.stopped) == before


@pytest.mark.parametrize("number", ["119", "110", "0312345678", "104", "201"])
def test_what_is_not_abroad_is_never_closed(number: str) -> None:
    site = Site(BUDGET)
    site.feed(call(0.0, COLOMBIA, 40 * MINUTE))
    site.feed(call(41 * MINUTE, US))
    assert site.stopped == [(41 * MINUTE, "budget")]
    site.feed(call(42 * MINUTE, number))
    assert len(site.stopped) == 1


def test_a_transfer_or_a_forwarding_to_what_is_closed_is_stopped() -> None:
    site = Site()
    site.feed(burst())
    later = Instant(600.0, WALL + 600)
    for text in (
        sip("REFER", fields={"Refer-To": f"<sip:{US}@pbx.example>"}),
        sip(fields={"Contact": f"<sip:{US}@pbx.example>", "CSeq": "1 INVITE"}).replace(
            b"OPTIONS sip:203.0.113.1 SIP/2.0", b"SIP/2.0 302 Moved", 1
        ),
    ):
        decision = site.engine.inspect(udp(text), later)
        assert decision.verdict is not Verdict.ACCEPT
        assert decision.findings[0].ruling.rule == "country-surge"
        other = text.replace(US.encode(), POLAND.encode())
        assert site.engine.inspect(udp(other), later).verdict is Verdict.ACCEPT


def test_a_repeated_invite_is_one_call() -> None:
    site = Site()
    (first, *_) = call(0.0, US)
    site.feed([first] * 9)
    assert site.stopped == []
    site.feed(then(*(call(at * MINUTE, US) for at in (1, 3, 5, 7))))
    frames = call(10 * MINUTE, US)[:1] * 7
    site.feed(frames)
    assert len(site.stopped) >= 7
    (closure,) = site.engine.line.closures
    assert closure.stopped == 2, (
        "the fourth that counts, as the first one rang in vain, and that one once"
    )
    assert sum(one.end == "stopped" for one in site.calls) == 2


def test_nobody_outside_can_close_anything_or_keep_it_closed() -> None:
    site = Site()
    strangers = [
        (60.0 * at, frame)
        for at in range(30)
        for _, frame in call(at, US, None, src="198.51.100.66", dst="203.0.113.1")[:1]
    ]
    site.feed(strangers)
    assert site.stopped == []
    assert site.incidents == []
    site.feed(burst(), HOUR)
    (closure,) = site.engine.line.closures
    stopped = closure.stopped
    site.feed(strangers, HOUR + 20 * MINUTE)
    assert closure.stopped == stopped


def test_numbers_that_the_site_allows_are_not_judged_but_for_the_budget() -> None:
    site = Site("[numbers]\nallow = ['1', '57']\n" + BUDGET)
    site.feed(burst(count=9))
    assert site.stopped == []
    site.feed(call(HOUR, COLOMBIA, 40 * MINUTE))
    site.feed(call(2 * HOUR, US))
    assert site.stopped == [(2 * HOUR, "budget")]


@pytest.mark.parametrize(
    "toml",
    [
        'mode = "monitor"',
        '[rules.country-surge]\nmode = "monitor"',
        "[numbers]\nprofile = 'watch'",
    ],
)
def test_monitoring_tells_and_stops_nobody(toml: str) -> None:
    site = Site(toml)
    decisions = site.feed(burst(count=6))
    assert site.stopped == []
    held = [
        finding.ruling
        for decision in decisions
        for finding in decision.findings
        if finding.ruling.would is not None
    ]
    assert [ruling.rule for ruling in held] == ["country-surge"] * 3
    assert site.incidents == [("opened", "country-surge", "US")]
    (closure,) = site.engine.line.closures
    assert closure.monitor
    assert (closure.stopped, closure.passed) == (0, 6)


def test_a_rule_that_is_switched_off_opens_what_it_closed() -> None:
    site = Site()
    site.feed(burst())
    off = engine('[rules.country-surge]\nmode = "off"')
    site.engine.settings = off.settings
    before = len(site.stopped)
    site.feed(call(10 * MINUTE, US))
    assert len(site.stopped) == before


def test_the_owner_opens_a_country_for_a_time() -> None:
    site = Site()
    site.feed(burst())
    before = len(site.stopped)
    (over,) = site.engine.line.open("1", HOUR, site.now)
    site.told += site.engine.told()
    assert site.incidents[-1] == ("closed", "country-surge", "US")
    assert over.subject == "US"
    site.feed(every(MINUTE, *[US_TOO] * 9), 10 * MINUTE)
    assert len(site.stopped) == before
    site.feed(burst(), 2 * HOUR)
    assert len(site.stopped) > before, "then the rules hold again"


def test_what_is_opened_is_open_for_the_list_too() -> None:
    site = Site()
    sierra_leone = "01023276123456"
    site.feed(call(0.0, sierra_leone))
    assert site.stopped == [(0.0, "blocked-destination")]
    site.engine.line.open("232", HOUR, site.now)
    site.feed(call(60.0, sierra_leone))
    assert len(site.stopped) == 1
    site.feed(call(2 * HOUR, sierra_leone))
    assert len(site.stopped) == 2


SIERRA_LEONE = "01023276123456"
UNIT = 175_000
"""Of a call there, in thousandths."""


def refused(
    count: int, seconds: float = 60.0, number: str = SIERRA_LEONE
) -> list[Timed]:
    return then(
        *(
            [(at * seconds, frame) for _, frame in call(at * seconds, number)[:1]]
            for at in range(count)
        )
    )


def test_the_owner_is_told_once_of_what_the_list_stops_and_once_of_all_of_it() -> None:
    site = Site()
    site.feed(refused(4))
    assert site.incidents == [], "somebody who tries again is no thief"
    site.feed(refused(1), 4 * MINUTE)
    (opened,) = (one for one in site.told if isinstance(one, Incident))
    assert (opened.event, opened.closure.what) == ("opened", "stopped")
    assert opened.until == WALL + 4 * MINUTE + 12 * HOUR
    site.feed(refused(100), 6 * MINUTE)
    site.feed(refused(1, number="01023276654321"), 2.5 * HOUR)
    assert len(site.incidents) == 1, "it goes on"
    site.pass_time(14.5 * HOUR - 1)
    assert len(site.incidents) == 1
    site.pass_time(15 * HOUR)
    assert site.incidents == [
        ("opened", "stopped-calls", "SL"),
        ("closed", "stopped-calls", "SL"),
    ]
    (_, closed) = (one for one in site.told if isinstance(one, Incident))
    assert closed.time == WALL + 14.5 * HOUR
    assert (closed.closure.stopped, closed.closure.passed) == (106, 0)
    assert closed.closure.cost == 106 * UNIT
    assert [rule for _, rule in site.stopped] == ["blocked-destination"] * 106
    site.feed(refused(5), 16 * HOUR)
    assert len(site.incidents) == 3, "and anew when it begins anew"


def test_what_is_only_told_of_stops_nothing() -> None:
    site = Site()
    site.feed(refused(9))
    before = len(site.stopped)
    site.feed(call(10 * MINUTE, US))
    assert len(site.stopped) == before


def test_what_only_watches_tells_of_calls_that_passed() -> None:
    site = Site('[numbers]\nprofile = "watch"\n')
    site.feed(then(*(call(120.0 * at, SIERRA_LEONE) for at in range(6))))
    site.pass_time(13 * HOUR)
    assert site.stopped == []
    told = [one for one in site.told if isinstance(one, Incident)]
    told = [one for one in told if one.closure.rule == "stopped-calls"]
    assert [one.event for one in told] == ["opened", "closed"]
    closure = told[0].closure
    assert (closure.monitor, closure.passed, closure.stopped) == (True, 6, 0)
    assert closure.cost == 0, "nothing was saved"


def test_to_open_the_country_ends_what_is_told_of_it() -> None:
    site = Site()
    site.feed(refused(5))
    assert [one.what for one in site.engine.line.open("232", HOUR, site.now)] == [
        "stopped"
    ]
    site.feed(refused(9), HOUR / 2)
    assert len(site.stopped) == 5


def test_what_is_closed_is_not_told_of_twice() -> None:
    site = Site()
    site.feed(burst(count=30))
    assert [rule for _, rule, _ in site.incidents] == ["country-surge"]


def test_a_stranger_is_nobody_that_the_owner_has_to_hear_of() -> None:
    site = Site()
    for at in range(9):
        asked = invite(
            SIERRA_LEONE, {"Call-ID": f"{at}@x", "From": "<sip:209@x>;tag=a"}
        )
        now = Instant(60.0 * at, WALL + 60.0 * at)
        decision = site.engine.inspect(udp(asked, "198.51.100.9"), now)
        assert decision.verdict is not Verdict.ACCEPT
        site.told += site.engine.told()
    assert site.incidents == []


def test_calls_out_of_hours_are_told_of() -> None:
    site = Site('[hours]\ninternational = ["Mon 00:00-00:01"]\n')
    numbers = US, "010442071234567", US_TOO, "010442071234568", US
    for at, number in enumerate(numbers):
        site.feed(refused(1, number=number), at * 12 * MINUTE)
    assert {rule for _, rule in site.stopped} == {"hours"}
    assert [rule for _, rule, _ in site.incidents] == ["stopped-calls"]


def test_countries_in_turn_close_what_is_new_and_nothing_else() -> None:
    site = Site()
    site.feed(call(0.0, US))
    days = 8 * 24 * HOUR
    site.feed(every(20 * MINUTE, COLOMBIA, POLAND, KENYA, "01039212345678"), days)
    assert [rule for _, rule in site.stopped] == ["country-rotation"]
    site.feed(call(2 * HOUR, US), days)
    assert len(site.stopped) == 1, "it is usual"
    site.feed(call(3 * HOUR, POLAND), days)
    assert len(site.stopped) == 2, "what led to it is not"


def test_the_budget_is_told_of_and_opens_with_the_next_day() -> None:
    site = Site(BUDGET)
    long = call(0.0, COLOMBIA, 40 * MINUTE)
    site.feed(long[:4])
    for minute in range(1, 40):
        site.pass_time(minute * MINUTE)
    site.feed(long[4:])
    shares = [one for one in site.told if isinstance(one, BudgetShare)]
    assert [(one.period, one.share) for one in shares] == [
        *(("day", 50), ("day", 80), ("day", 100)),
    ]
    site.feed(call(41 * MINUTE, US))
    assert site.incidents == [("opened", "budget", "")]
    (opened,) = (one for one in site.told if isinstance(one, Incident))
    assert opened.until is None
    site.pass_time(30 * HOUR)
    assert site.incidents[-1] == ("closed", "budget", "")
    site.feed(call(31 * HOUR, US))
    assert len(site.stopped) == 1


def test_a_call_is_told_of_once_with_its_cost() -> None:
    site = Site()
    phone = "192.168.50.20"
    leg = call(0.0, US, 130.0, src=phone, dst=OFFICE, user="201")
    trunk = call(0.5, US, 129.0)
    site.feed(then(leg, trunk))
    (over,) = site.calls
    assert (over.account, over.source) == ("201", octets(phone))
    assert (over.number, over.country, over.abroad) == ("12125550123", "US", True)
    assert (over.cost, over.end, over.status) == (3 * 9_000, "bye", 200)
    assert over.duration == pytest.approx(129.0)
    assert over.begin == WALL + 0.5


def test_calls_at_home_are_told_of_and_cost_nothing_that_we_know() -> None:
    site = Site()
    site.feed(call(0.0, "0312345678"))
    site.feed(call(HOUR, "0312345600", src=TRUNK, dst=OFFICE, user="0612345671"))
    out, in_ = site.calls
    assert (out.direction, out.cost, out.abroad) == ("out", None, False)
    assert (in_.direction, in_.cost, in_.kind) == ("in", None, "domestic")


def test_what_nobody_listens_to_is_bounded() -> None:
    site = Site()
    for at in range(MAX_TOLD + 50):
        for when, frame in call(at * 200.0, "0312345678"):
            now = Instant(at * 200.0 + when, WALL + at * 200.0 + when)
            site.engine.inspect(packet(frame), now)
    assert len(site.engine.told()) == MAX_TOLD
    assert site.engine.told() == []


def test_when_time_has_to_pass() -> None:
    site = Site()
    line = site.engine.line
    assert line.due(0.0)
    site.pass_time(100.0)
    assert not line.due(100.0 + TICK - 0.1)
    assert line.due(100.0 + TICK)
    assert line.wait(100.0) > TICK, "nothing to do"
    site.feed(call(110.0, US)[:4])
    assert line.wait(site.now.mono) <= TICK


def test_hours_are_not_told_by_a_clock_that_was_not_set() -> None:
    """A router without a clock chip begins in 1970, on a Thursday at midnight."""
    site = Site('[hours]\ninternational = ["mon-fri 08:00-20:00"]\n')
    (_, frame), *_ = call(0.0, US)
    decision = site.engine.inspect(packet(frame), Instant(20.0, 20.0))
    assert decision.verdict is Verdict.ACCEPT


def _sent_on(number: str, serial: int, src: str = OFFICE, dst: str = TRUNK) -> Packet:
    """Tell the carrier, or the PBX, to call somebody else for a call that came in."""
    fields = {
        "Contact": f"<sip:{number}@{TRUNK}>",
        "CSeq": "1 INVITE",
        "Call-ID": f"{serial}@{TRUNK}",
    }
    text = sip(fields=fields).replace(
        b"OPTIONS sip:203.0.113.1 SIP/2.0", b"SIP/2.0 302 Moved", 1
    )
    return udp(text, src, dst)


def _transfer(number: str, serial: int) -> Packet:
    fields = {
        "Refer-To": f"<sip:{number}@{TRUNK}>",
        "CSeq": "2 REFER",
        "Call-ID": f"{serial}@{TRUNK}",
    }
    return udp(sip("REFER", fields=fields), OFFICE, TRUNK)


@pytest.mark.parametrize("how", [_sent_on, _transfer])
def test_what_the_carrier_forwards_for_us_is_counted_and_costs(how) -> None:  # type: ignore[no-untyped-def]
    site = Site(BUDGET)
    verdicts = []
    for serial in range(5):
        for again in (0.0, 0.5):
            now = Instant(serial * 60.0 + again, WALL + serial * 60.0 + again)
            decision = site.engine.inspect(how(US, serial), now)
            verdicts.append(decision.verdict is Verdict.ACCEPT)
            site.told += site.engine.told()
    assert verdicts == [True] * 6 + [False] * 4, "each with its repetition"
    assert site.incidents == [("opened", "country-surge", "US")]
    line = site.engine.line
    assert line.ledger.spent("day", now) == 3 * 5 * 9_000
    assert [one.cost for one in site.calls if one.rule is None] == [5 * 9_000] * 3


def test_what_our_pbx_forwards_is_counted_when_it_does() -> None:
    site = Site(BUDGET)
    for serial in range(9):
        now = Instant(serial * 60.0, WALL + serial * 60.0)
        phone = _sent_on(US, serial, src="192.168.50.20", dst=OFFICE)
        assert site.engine.inspect(phone, now).verdict is Verdict.ACCEPT
    assert site.engine.line.ledger.spent("day", now) == 0


def test_a_call_that_came_in_is_over_when_it_is_forwarded() -> None:
    site = Site()
    inbound = call(0.0, "0312345600", src=TRUNK, dst=OFFICE, user="0612345671")
    site.feed(inbound[:2])
    assert site.engine.line.view.at_once("in") == 1
    moved = (
        inbound[1][1]
        .replace(b"180 Ringing", b"302 Elsewhe")
        .replace(
            f"Contact: <sip:0312345600@{OFFICE}>".encode(),
            f"Contact: <sip:{US}@{TRUNK}>".encode(),
        )
    )
    assert US.encode() in moved
    site.feed([(5.0, _fixed(moved))])
    assert site.engine.line.view.at_once("in") == 0


def test_a_new_line_that_is_busy_is_learnt_all_the_same() -> None:
    """Closed for an hour it tries on, and its first busy hour keeps nothing closed."""
    site = Site()
    day = 24 * HOUR
    for at in range(6):
        site.feed(every(2 * MINUTE, *[US] * 20, talked=61.0), at * day + 9 * HOUR)
        site.feed(every(10 * MINUTE, *[US] * 12, talked=61.0), at * day + 13 * HOUR)
    assert site.stopped
    assert max(at for at, _ in site.stopped) < 3 * day


def test_calls_that_nobody_answers_do_not_become_usual() -> None:
    """They are free, and to dial again is excused: a night of them must not make room
    for the night after."""
    site = Site()
    night = 9 * 24 * HOUR
    site.feed(call(0.0, "0312345678"))
    site.pass_time(night - HOUR)
    site.feed(every(6 * MINUTE, *[KENYA] * 90, talked=None), night)
    assert site.stopped == [], "somebody who tries all night"
    baseline = site.engine.line.baseline
    site.pass_time(night + 30 * HOUR)
    assert not baseline.knows("KE")
    assert baseline.usual("KE").calls == 0
    assert baseline.days_since_abroad is not None, "it was a call abroad all the same"
