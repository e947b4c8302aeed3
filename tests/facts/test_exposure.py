"""Strangers, phones and trunks, told apart by what they send and what they are told."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from builders import (
    ABROAD,
    INSIDE,
    JAPAN,
    JAPAN6,
    invite,
    octets,
    register,
    settings,
    sip,
    udp,
)
from ringfence.engine import Engine
from ringfence.facts import Facts
from ringfence.facts.dating import BUILT
from ringfence.facts.days import DAY, WATCHED
from ringfence.facts.exposure import (
    EXPLAINED_WITHIN,
    MAX_PEERS,
    MAX_SENDERS,
    MAX_TRIED,
    REGISTERS_WITHIN,
)
from ringfence.packet import Datagram, Instant
from ringfence.sip.message import Message

START = BUILT + 5 * 86_400.0
TRUNK = "198.51.100.50"
TAGGED = {"To": "<sip:201@example.com>;tag=a"}


def proof(number: int = 1, user: str = "201") -> dict[str, str | None]:
    """Return the header fields of a request with credentials."""
    return {
        "Authorization": f'Digest username="{user}", realm="pbx", nonce="n{number}", '
        f'uri="sip:pbx", response="{number:032x}"',
        "CSeq": f"{number} REGISTER",
    }


settled = cache(settings)


class Site:
    """An engine, a clock, and who sends."""

    def __init__(self, toml: str = "") -> None:
        self.engine = Engine(settled(toml))
        self.exposure = self.engine.exposure
        self.exposure.seeing = True
        self.mono = 100.0
        self.ahead = START - self.mono
        """What the wall clock is ahead of the other."""

    @property
    def now(self) -> Instant:
        return Instant(self.mono, self.mono + self.ahead)

    def give(self, payload: bytes, src: str, dst: str, **more: int) -> None:
        self.engine.inspect(udp(payload, src, dst, **more), self.now)

    def comes(self, payload: bytes, src: str = JAPAN) -> None:
        self.give(payload, src, INSIDE)

    def goes(self, payload: bytes, dst: str = JAPAN) -> None:
        self.give(payload, INSIDE, dst)

    def answers(self, payload: bytes, status: int, dst: str = JAPAN) -> None:
        """Answer a request, as our side does."""
        _, _, rest = payload.partition(b"\r\n")
        self.goes(f"SIP/2.0 {status} Reason\r\n".encode() + rest, dst)

    def passes(self, seconds: float) -> None:
        self.mono += seconds
        self.exposure.turn(self.now)

    @property
    def record(self) -> dict[str, int | None]:
        return self.exposure.record(self.now)

    @property
    def strangers(self) -> int:
        return self.record["strangers_30d"] or 0


@pytest.fixture
def site() -> Site:
    return Site()


def test_who_is_stopped_is_a_stranger_at_once(site: Site) -> None:
    site.comes(register(), ABROAD)
    assert site.record == {
        "watching_since": int(START),
        "days_watched": 0,
        "stranger_last": int(START),
        "strangers_30d": 1,
        "honest_outside_last": None,
    }
    assert site.exposure.changed


def test_monitoring_sees_strangers_as_well() -> None:
    site = Site('mode = "monitor"\n')
    site.comes(register(), ABROAD)
    assert site.strangers == 1


def test_a_register_that_leads_to_nothing(site: Site) -> None:
    site.comes(register())
    site.answers(register(), 401)
    site.passes(REGISTERS_WITHIN)
    assert site.strangers == 0
    site.passes(1.0)
    assert site.strangers == 1
    # It was seen when it came, and not when that was understood.
    assert site.record["stranger_last"] == int(START)


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE", "SUBSCRIBE", "MESSAGE"])
def test_who_asks_and_is_never_spoken_to(site: Site, method: str) -> None:
    for _ in range(3):
        site.comes(sip(method))
        site.answers(sip(method), 404)
    site.passes(EXPLAINED_WITHIN)
    assert site.strangers == 0
    site.passes(1.0)
    assert site.strangers == 3


def test_who_goes_on_asking_does_not_stay_unknown(site: Site) -> None:
    for _ in range(70):
        site.comes(sip())
        site.passes(60.0)
    assert site.strangers >= 65


@pytest.mark.parametrize("method", ["ACK", "BYE", "CANCEL", "NOTIFY", "INFO"])
def test_what_begins_nothing_is_nobody_s(site: Site, method: str) -> None:
    site.comes(sip(method))
    site.passes(2 * EXPLAINED_WITHIN)
    assert site.strangers == 0


def test_within_a_call_is_no_beginning(site: Site) -> None:
    site.comes(invite(fields=TAGGED))
    site.passes(2 * EXPLAINED_WITHIN)
    assert site.strangers == 0


def test_a_phone_outside_signs_in(site: Site) -> None:
    site.comes(register())
    site.answers(register(), 401)
    site.passes(1.0)
    site.comes(register(proof()))
    site.answers(register(proof()), 200)
    assert site.record["honest_outside_last"] == int(START) + 1
    site.passes(2 * EXPLAINED_WITHIN)
    assert site.strangers == 0


def test_a_phone_outside_calls_with_its_password(site: Site) -> None:
    fields = {**proof(), "CSeq": "1 INVITE"}
    site.comes(invite(fields=fields))
    site.answers(invite(fields=fields), 100)
    assert site.record["honest_outside_last"] is None
    site.answers(invite(fields=fields), 180)
    site.passes(5.0)
    site.answers(invite(fields=fields), 200)
    assert site.record["honest_outside_last"] == int(START) + 5
    assert site.exposure._peers == {}, "it is a phone, and no trunk"


@pytest.mark.parametrize("status", [100, 180, 401, 403, 407, 500])
def test_what_is_not_accepted_is_no_sign_in(site: Site, status: int) -> None:
    site.comes(register(proof()))
    site.answers(register(proof()), status)
    site.passes(REGISTERS_WITHIN + 1)
    assert site.record["honest_outside_last"] is None
    assert site.strangers == 1


def test_nobody_signs_in_without_a_password(site: Site) -> None:
    fields: Mapping[str, str | None] = {"CSeq": "1 REGISTER"}
    site.comes(register(fields))
    site.answers(register(fields), 200)
    assert site.record["honest_outside_last"] is None


@pytest.mark.parametrize("change", ["call", "client", "server", "cseq", "late"])
def test_an_answer_to_something_else_is_no_sign_in(site: Site, change: str) -> None:
    site.comes(register(proof()))
    answered, src, dst = register(proof()), INSIDE, JAPAN
    if change == "call":
        answered = answered.replace(b"a84b4c76e66710", b"another")
    elif change == "client":
        dst = TRUNK
    elif change == "server":
        src = "192.168.50.21"
    elif change == "cseq":
        answered = answered.replace(b"CSeq: 1 ", b"CSeq: 2 ")
    else:
        site.passes(33.0)
    rest = answered.partition(b"\r\n")[2]
    site.give(b"SIP/2.0 200 OK\r\n" + rest, src, dst)
    assert site.record["honest_outside_last"] is None


def test_nobody_outside_can_answer_for_us(site: Site) -> None:
    site.comes(register(proof()))
    rest = register(proof()).partition(b"\r\n")[2]
    site.give(b"SIP/2.0 200 OK\r\n" + rest, ABROAD, JAPAN)
    assert site.record["honest_outside_last"] is None


def test_a_trunk_that_our_side_registers_at(site: Site) -> None:
    site.comes(sip(), TRUNK)  # before it does, as after a start
    site.passes(3_600.0)
    site.goes(register(), TRUNK)
    for _ in range(100):
        site.comes(sip(), TRUNK)
        site.comes(invite(), TRUNK)
        site.answers(invite(), 486, TRUNK)
        site.passes(60.0)
    site.passes(2 * EXPLAINED_WITHIN)
    assert site.record["stranger_last"] is None
    assert site.record["honest_outside_last"] is None


def test_a_trunk_that_is_known_by_its_address(site: Site) -> None:
    site.comes(invite(), TRUNK)
    site.answers(invite(), 180, TRUNK)
    site.comes(sip(), TRUNK)
    site.passes(2 * EXPLAINED_WITHIN)
    assert (site.strangers, site.record["honest_outside_last"]) == (0, None)


def test_what_our_side_sends_to_its_own_makes_no_peer(site: Site) -> None:
    site.goes(invite(), "192.168.50.21")
    assert site.exposure._peers == {}


def test_whom_the_owner_allows_is_no_stranger() -> None:
    site = Site(f'[origin]\nallow = ["{JAPAN}"]\n')
    site.comes(sip())
    site.passes(2 * EXPLAINED_WITHIN)
    assert site.strangers == 0
    # A phone there is a phone outside all the same.
    site.comes(register(proof()))
    site.answers(register(proof()), 200)
    assert site.record["honest_outside_last"] is not None


def test_neighbours_in_ipv6_are_one(site: Site) -> None:
    here, router = JAPAN6, "2001:db8:50::20"
    site.give(sip(), here, router)
    site.give(sip(), "2001:db8:81::11", router)
    assert len(site.exposure._asking) == 1


def test_what_the_kernel_dropped(site: Site) -> None:
    for packets, seen in ((500, 0), (500, 0), (None, 0), (507, 7), (3, 10)):
        site.exposure.foreign(packets, site.mono)
        assert site.strangers == seen


# The clock and the days.


def test_an_agent_that_runs_counts_its_days(site: Site) -> None:
    for _ in range(3 * DAY // 300):
        site.passes(300.0)
    assert site.record["days_watched"] in (3, 4)


def test_short_looks_add_up(site: Site) -> None:
    site.ahead = START - START % DAY - site.mono
    site.passes(0.0)
    for _ in range(WATCHED * 2 - 1):
        site.passes(0.5)
    assert site.record["days_watched"] == 0
    site.passes(0.5)
    assert site.record["days_watched"] == 1


def test_without_answers_nothing_is_watched(site: Site) -> None:
    site.exposure.seeing = False
    for _ in range(100):
        site.passes(300.0)
    assert site.record["days_watched"] == 0


def test_before_the_time_is_known_everything_waits(site: Site) -> None:
    site.ahead = 0.0  # 1970
    site.passes(0.0)
    site.comes(register(), ABROAD)
    site.comes(register(proof()))
    site.answers(register(proof()), 200)
    site.passes(300.0)
    assert site.record == {
        "watching_since": None,
        "days_watched": 0,
        "stranger_last": None,
        "strangers_30d": 1,
        "honest_outside_last": None,
    }
    site.ahead = START - site.mono
    site.passes(50.0)
    record = site.record
    assert record["stranger_last"] == record["honest_outside_last"] == int(START) - 300
    assert record["strangers_30d"] == 1


def again(site: Site, ahead: float) -> Site:
    """Start another agent, on another boot, with what the first one left."""
    data = json.loads(json.dumps(site.exposure.dump(site.now)))
    other = Site()
    other.exposure.load(data)
    other.mono, other.ahead = 20.0, ahead - 20.0
    return other


def month(site: Site) -> Site:
    """Let a month pass, with a stranger a day and a phone on the tenth."""
    for number in range(31):
        site.comes(register(), ABROAD)
        if number == 10:
            site.comes(register(proof()))
            site.answers(register(proof()), 200)
        for _ in range(24):
            site.passes(3_600.0)
    return site


def test_a_reboot_forgets_nothing(site: Site) -> None:
    before = month(site).record
    assert (before["days_watched"], before["strangers_30d"]) == (30, 30)
    assert before["honest_outside_last"] == int(START + 10 * DAY)
    assert again(site, site.now.wall + 60).record == before


@pytest.mark.parametrize("wall", [0.0, BUILT, START + DAY], ids=["1970", "rom", "old"])
def test_a_boot_at_an_old_date_until_the_time_comes(site: Site, wall: float) -> None:
    before = month(site).record
    later = site.now.wall + 7_200
    other = again(site, wall)
    assert other.record == before
    other.comes(register(), ABROAD)
    for _ in range(3):
        other.passes(300.0)
    assert other.record["days_watched"] == 30
    assert other.record["honest_outside_last"] == before["honest_outside_last"]
    other.ahead = later - other.mono  # NTP
    assert other.record["stranger_last"] == int(later) - 900
    assert other.record["honest_outside_last"] == before["honest_outside_last"]


def test_off_again_before_the_time_came(site: Site) -> None:
    before = month(site)
    other = again(site, 0.0)
    other.comes(register(), ABROAD)
    third = again(other, before.now.wall + 7_200)
    assert third.record["strangers_30d"] == (before.record["strangers_30d"] or 0) + 1
    assert third.record["honest_outside_last"] == before.record["honest_outside_last"]


def test_a_clock_that_is_decades_ahead_for_a_while(site: Site) -> None:
    month(site)
    truth = site.ahead
    site.ahead += 24 * 365 * DAY
    site.passes(300.0)
    site.comes(register(), ABROAD)
    site.passes(300.0)
    site.ahead = truth
    for _ in range(100):
        site.passes(300.0)
    record = site.record
    assert record["days_watched"] == 30
    assert record["honest_outside_last"] == int(START + 10 * DAY)
    assert (record["stranger_last"] or 0) <= site.now.wall


def test_a_month_switched_off(site: Site) -> None:
    month(site)
    other = again(site, site.now.wall + 40 * DAY)
    assert (other.record["days_watched"], other.strangers) == (0, 0)


# From start to start.


def test_a_trunk_is_known_at_once_after_a_start(site: Site) -> None:
    site.goes(register(), TRUNK)
    other = again(site, START)
    other.comes(sip(), TRUNK)
    assert other.exposure.sizes()["unknown asking"][0] == 0
    other.passes(2 * EXPLAINED_WITHIN)
    assert other.strangers == 0


@pytest.mark.parametrize(
    "change",
    [
        {"latest": None},
        {"latest": -1},
        {"peers": None},
        {"peers": ["zz"]},
        {"peers": ["c6"]},
        {"peers": [1]},
        {"peers": ["c6336432"] * (MAX_PEERS + 1)},
        {"days": [[0]]},
    ],
    ids=str,
)
def test_what_is_not_ours_is_refused_whole(site: Site, change: Any) -> None:
    month(site).goes(register(), TRUNK)
    before = site.exposure.dump(site.now)
    with pytest.raises(ValueError, match=r"expected|hexadecimal"):
        site.exposure.load({**before, **change})
    assert site.exposure.dump(site.now) == before
    others: list[Any] = [None, [], "x", 3]
    for other in others:
        with pytest.raises(ValueError, match="expected"):
            site.exposure.load(other)


# Limits.


def sender(number: int) -> str:
    return f"198.51.{100 + number // 250}.{number % 250 + 1}"


@pytest.mark.parametrize(("method", "table"), [("REGISTER", 1), ("OPTIONS", 2)])
def test_more_senders_than_there_is_room_for(
    site: Site, method: str, table: int
) -> None:
    name = list(site.exposure.sizes())[table]
    for number in range(MAX_SENDERS):
        requested(site, sip(method), sender(number))
    assert site.exposure.sizes()[name] == (MAX_SENDERS, MAX_SENDERS)
    assert site.strangers == 0
    requested(site, sip(method), sender(MAX_SENDERS))
    assert site.exposure.sizes()[name] == (MAX_SENDERS, MAX_SENDERS)
    assert site.strangers == 1, "the oldest; nobody is forgotten"


def requested(site: Site, payload: bytes, src: str) -> None:
    """Give a request past the rules, one of which would stop so many."""
    packet = Datagram(octets(src), octets(INSIDE), 5060, 5060, payload, False)
    facts = Facts(site.engine.settings.world, packet, "outside", Message(payload))
    standing = site.engine.signins.standing
    site.exposure.requested(facts, standing, site.mono, stopped=False)


def test_more_sign_ins_than_there_is_room_for(site: Site) -> None:
    for number in range(MAX_TRIED + 1):
        fields = proof(number)
        requested(site, register(fields), JAPAN)
    assert site.exposure.sizes()["sign-ins that wait"] == (MAX_TRIED, MAX_TRIED)
    site.answers(register(proof(0)), 200)
    assert site.record["honest_outside_last"] is None
    site.answers(register(proof(1)), 200)
    assert site.record["honest_outside_last"] is not None


def test_more_peers_than_there_is_room_for(site: Site) -> None:
    for number in range(MAX_PEERS + 1):
        site.goes(sip(), sender(number))
    peers = site.exposure._peers
    assert len(peers) == MAX_PEERS
    assert bytes([198, 51, 100, 1]) not in peers
    assert bytes([198, 51, 100, 2]) in peers
