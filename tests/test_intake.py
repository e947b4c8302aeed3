"""TCP inline: what may pass, whose word is believed, what is never forgotten."""

from collections.abc import Sequence
from itertools import pairwise

import hypothesis
import pytest
from builders import (
    ABROAD,
    ACK,
    FIN,
    INSIDE,
    JAPAN,
    LISTED,
    NOW,
    PSH,
    ROUTER,
    RST,
    SYN,
    engine,
    invite,
    settings,
    sip,
    tcp,
    udp,
)
from hypothesis import given
from hypothesis import strategies as st
from ringfence.decision import Decision, Verdict
from ringfence.decode.flow import (
    MAX_INSISTENCE,
    MAX_UNACKNOWLEDGED,
    MAX_UNHEARD,
    OVERHEAD,
    WINDOW,
    Flow,
)
from ringfence.decode.stream import FLOW_AGE, MAX_LOST
from ringfence.engine import Engine
from ringfence.packet import Instant, Packet

SEARCH = [phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.shrink]
"""Examples of a hundred draws take minutes to shrink."""

URG = 0x20
WAN, LAN, GUESTS = 2, 3, 4
MOD = 1 << 32
CALL = invite(LISTED)
HONEST = sip()
STARTS = [6, MOD - 1, MOD - 40, (1 << 31) - 20]

PASS = None
EARLY, STALE = "early-segment", "stale-segment"
DEAD, CONTRADICTING = "refused-flow", "contradicting-flow"


class Line:
    """One direction of a connection past the agent, and what its receiver says.

    Offsets count from the first byte after the SYN.
    """

    def __init__(
        self,
        judge: Engine | None = None,
        *,
        isn: int = 6,
        src: str = ABROAD,
        dst: str = ROUTER,
        indev: int = WAN,
        back: int = LAN,
        sport: int = 40_000,
        begun: bool = True,
    ) -> None:
        self.judge = engine() if judge is None else judge
        self.judge.outside_interfaces = frozenset({WAN})
        self.isn, self.src, self.dst = isn, src, dst
        self.indev, self.back, self.sport = indev, back, sport
        self.now = NOW
        if begun:
            self.begin()

    def begin(self) -> None:
        self.decide(b"", -1, SYN)
        self.ack(0, SYN | ACK)

    def decide(
        self, payload: bytes, offset: int, flags: int = ACK | PSH, indev: int = -1
    ) -> Decision:
        seq = (self.isn + 1 + offset) % MOD
        indev = self.indev if indev < 0 else indev
        packet = tcp(
            payload, seq, flags, self.src, self.dst, sport=self.sport, indev=indev
        )
        return self.judge.inspect(packet, self.now)

    def send(self, payload: bytes, offset: int, flags: int = ACK | PSH) -> str | None:
        """Return why the segment was stopped, None if it passed."""
        decision = self.decide(payload, offset, flags)
        return PASS if decision.verdict is Verdict.ACCEPT else decision.reason

    def ack(self, offset: int, flags: int = ACK, *, indev: int = -1) -> None:
        """Let the receiver say which byte it expects."""
        packet = tcp(
            b"",
            99,
            flags,
            self.dst,
            self.src,
            sport=5060,
            dport=self.sport,
            indev=self.back if indev < 0 else indev,
            ack=(self.isn + 1 + offset) % MOD,
        )
        assert self.judge.inspect(packet, self.now).verdict is Verdict.ACCEPT

    def wait(self, seconds: float) -> None:
        self.now = Instant(self.now.mono + seconds, self.now.wall)

    @property
    def flow(self) -> Flow:
        flows = self.judge.intake.streams.flows
        for key in flows:
            flow = flows.get(key, self.now.mono)
            if flow is not None and key[2] == self.sport:
                return flow
        raise AssertionError("no such flow")


def refused(stop: str | None) -> bool:
    return stop is not None and "SL" in stop


# Order ----------------------------------------------------------------------------


@pytest.mark.parametrize("isn", STARTS)
def test_what_comes_early_is_repeated_by_its_sender(isn: int) -> None:
    line = Line(isn=isn)
    assert line.send(HONEST[50:100], 50) == EARLY
    assert line.send(HONEST[:50], 0) is PASS
    assert line.send(HONEST[100:], 100) == EARLY
    assert line.send(HONEST[50:100], 50) is PASS
    assert line.send(HONEST[100:], 100) is PASS
    counters = line.judge.counters
    assert counters.drops == {EARLY: 2}
    assert (counters.messages, counters.accepted, counters.dropped) == (1, 1, 0)
    assert not line.flow.ahead


@pytest.mark.parametrize("isn", STARTS)
def test_a_refused_message_is_never_complete(isn: int) -> None:
    judge = engine()
    for cut in range(1, len(CALL)):
        line = Line(judge, isn=isn, sport=cut)
        assert line.send(CALL[cut:], cut) == EARLY
        assert line.send(CALL[:cut], 0) is PASS
        assert refused(line.send(CALL[cut:], cut))
        assert line.send(CALL[cut:], cut) == DEAD
        assert line.send(CALL, 0) == DEAD
        assert line.send(HONEST, len(CALL)) == DEAD


def test_watching_stops_nothing() -> None:
    line = Line(Engine(settings('mode = "monitor"\n')))
    assert line.send(CALL[50:], 50) is PASS
    assert line.send(CALL[:50], 0, ACK | URG) is PASS
    assert line.judge.counters.drops == {}
    assert line.judge.counters.held == 1


def test_a_reload_changes_how_a_flow_is_followed() -> None:
    watching = settings('mode = "monitor"\n')
    line = Line(Engine(watching))
    assert line.send(CALL[:50], 0) is PASS
    line.judge.settings = settings()
    assert line.send(CALL[60:], 60) == EARLY
    assert refused(line.send(CALL[50:], 50))
    line.judge.settings = watching
    assert line.send(CALL, len(CALL)) is PASS


@pytest.mark.parametrize("extra", [0, 1])
def test_no_further_than_any_receiver_follows(extra: int) -> None:
    """Or bytes that never arrive could lead round to the same numbers again."""
    line = Line()
    step = 1 << 15
    for at in range(0, WINDOW - step, step):
        assert line.send(b"\n" * step, at) is PASS
    last = line.send(b"\n" * (step + extra), WINDOW - step)
    assert last == (EARLY if extra else PASS)


def test_no_way_round_where_no_receiver_is_heard() -> None:
    line = Line(begun=False)
    line.decide(b"", -1, SYN)
    assert line.send(b"\n" * 10, 0) is PASS
    line.flow._unheard = MAX_UNHEARD  # two gigabytes later
    assert line.send(b"\n", 10) is PASS
    assert line.send(b"\n", 11) == EARLY


# Unseen ---------------------------------------------------------------------------


@pytest.mark.parametrize("isn", STARTS)
@pytest.mark.parametrize("known", [0, 60])
def test_what_the_receiver_has_is_not_waited_for(isn: int, known: int) -> None:
    line = Line(isn=isn)
    if known:
        assert line.send(HONEST[:known], 0) is PASS
    size = len(HONEST)
    line.ack(size)  # the rest went past unseen
    assert line.send(HONEST, size) is PASS
    assert line.judge.counters.messages == 1
    assert refused(line.send(CALL, 2 * size))


def test_an_acknowledgement_may_come_after_what_is_early() -> None:
    line = Line()
    assert line.send(HONEST, 500) == EARLY
    line.ack(500)
    assert line.send(HONEST, 500) is PASS
    # An old one changes nothing.
    line.ack(200)
    assert line.send(HONEST, 500 + len(HONEST)) is PASS


def test_a_body_that_is_passed_over_may_go_unseen() -> None:
    large = sip(body=b"b" * 40_000)
    head = len(large) - 40_000
    line = Line()
    assert line.send(large[: head + 100], 0) is PASS
    line.ack(head + 1000)
    assert line.send(large[head + 1000 :], head + 1000) is PASS
    assert line.send(CALL[:100], len(large)) is PASS
    assert refused(line.send(CALL[100:], len(large) + 100))


@pytest.mark.parametrize("indev", [WAN, LAN])
def test_no_stranger_says_what_the_inside_has(indev: int) -> None:
    line = Line()
    assert line.send(CALL[:100], 0) is PASS
    line.ack(200, indev=indev)
    stop = line.send(CALL[200:], 200)
    assert stop == (EARLY if indev == WAN else PASS)
    if indev == WAN:
        assert line.send(CALL[100:200], 100) is PASS
        assert refused(line.send(CALL[200:], 200))


def test_nobody_acknowledges_what_he_sends() -> None:
    line = Line(src=INSIDE, dst=JAPAN, indev=LAN, back=WAN)
    line.ack(200, indev=LAN)
    assert line.send(HONEST[200:], 200) == EARLY
    line.ack(200)
    assert line.send(HONEST[200:], 200) is PASS


@pytest.mark.parametrize("back", [0, GUESTS, WAN])
def test_who_is_believed_of_what_leaves_the_inside(back: int) -> None:
    line = Line(src=INSIDE, dst=JAPAN, indev=LAN, back=back)
    line.ack(200)
    assert line.send(HONEST, 200) is PASS


@pytest.mark.parametrize("offset", [1, 100, len(HONEST), 5000, 1 << 20])
def test_no_stranger_hides_what_he_is_about_to_be_told(offset: int) -> None:
    """Else a password could be tried without its failure being seen."""
    line = Line(src=INSIDE, dst=JAPAN, indev=LAN, back=WAN)
    line.ack(offset)
    assert line.send(HONEST, 0) is PASS
    assert line.judge.counters.messages == 1
    line.ack(offset + len(HONEST))
    assert line.send(HONEST[:50], len(HONEST)) is PASS
    assert line.send(HONEST[50:], len(HONEST) + 50) is PASS
    assert line.judge.counters.messages == 2


def test_what_leaves_is_early_until_its_sender_is_beyond_it() -> None:
    line = Line(src=INSIDE, dst=JAPAN, indev=LAN, back=WAN)
    line.ack(500)
    assert line.send(HONEST[:50], 100) == EARLY
    assert line.send(HONEST, 500) is PASS
    # A lie does not keep the sender from insisting.
    line.ack(WINDOW - 1000)
    stops = [line.send(HONEST, 2000) for _ in range(MAX_INSISTENCE)]
    assert stops == [EARLY] * (MAX_INSISTENCE - 1) + [PASS]


def test_an_end_of_what_leaves_is_acknowledged_with_it() -> None:
    line = Line(src=INSIDE, dst=JAPAN, indev=LAN, back=WAN)
    assert line.send(HONEST, 0, FIN | ACK) is PASS
    line.ack(len(HONEST) + 1)
    assert [key[2] for key in line.judge.intake.streams.flows] == [5060]


def test_this_machine_is_believed_itself() -> None:
    line = Line(back=0)
    line.ack(200)
    assert line.send(HONEST, 200) is PASS


def test_a_reset_acknowledges_nothing() -> None:
    """It tells back whatever number it was sent."""
    line = Line()
    line.ack(200, RST | ACK)
    assert line.send(HONEST, 200) == EARLY


def test_a_receiver_in_another_connection_is_followed_there() -> None:
    """The SYN went past unseen."""
    line = Line()
    far = 1 << 30
    assert line.send(HONEST, far) == EARLY
    line.ack(far)
    assert line.send(HONEST, far) is PASS
    assert line.send(CALL[:100], far + len(HONEST)) is PASS
    assert refused(line.send(CALL[100:], far + len(HONEST) + 100))


# A sender that insists ------------------------------------------------------------


@pytest.mark.parametrize("isn", STARTS)
def test_a_sender_that_insists_is_followed(isn: int) -> None:
    """Its first bytes and their acknowledgement both went past unseen."""
    line = Line(isn=isn)
    for _ in range(MAX_INSISTENCE - 1):
        assert line.send(HONEST, 300) == EARLY
        assert line.send(HONEST, 900) == EARLY
    assert line.send(HONEST, 300) is PASS
    assert line.judge.counters.messages == 1


def test_what_was_left_out_never_passes() -> None:
    line = Line()
    assert line.send(CALL[:100], 0) is PASS
    stops = [line.send(CALL[200:], 200) for _ in range(MAX_INSISTENCE)]
    assert stops == [EARLY] * (MAX_INSISTENCE - 1) + [PASS]
    for payload, offset in ((CALL[100:200], 100), (CALL[100:], 100), (CALL, 0)):
        assert line.send(payload, offset) == STALE
    line.ack(100)  # the receiver lacks it
    assert line.send(CALL[100:200], 100) == STALE


def test_insistence_on_what_is_not_the_earliest() -> None:
    """The earliest went past unseen in the meantime."""
    line = Line()
    assert line.send(b"a", 100) == EARLY
    for _ in range(2 * MAX_INSISTENCE - 1):
        assert line.send(b"b", 200) == EARLY
    assert line.send(b"b", 200) is PASS


def test_finding_the_place_ends_insistence() -> None:
    line = Line()
    for _ in range(MAX_INSISTENCE - 1):
        assert line.send(b"c", 300) == EARLY
    line.ack(200)
    for _ in range(MAX_INSISTENCE - 1):
        assert line.send(b"c", 300) == EARLY
    assert line.send(b"c", 300) is PASS


def test_an_earlier_byte_ends_insistence() -> None:
    line = Line()
    for _ in range(MAX_INSISTENCE - 1):
        assert line.send(b"c", 300) == EARLY
    assert line.send(b"b", 200) == EARLY
    assert line.send(b"c", 300) == EARLY
    assert line.send(b"a", 0) is PASS
    for _ in range(MAX_INSISTENCE - 1):
        assert line.send(b"c", 300) == EARLY


def test_nobody_insists_on_what_is_far_away() -> None:
    line = Line()
    for _ in range(MAX_INSISTENCE + 1):
        assert line.send(b"c", WINDOW + 1) == EARLY
        assert line.send(b"c", -WINDOW - 1) == EARLY


# The middle -----------------------------------------------------------------------


@pytest.mark.parametrize("isn", STARTS)
def test_a_connection_older_than_the_agent(isn: int) -> None:
    line = Line(isn=isn, begun=False)
    # Of this message the first part went past before: nobody can judge it.
    assert line.send(CALL[200:], 200) is PASS
    assert line.judge.counters.messages == 0
    assert line.send(HONEST, len(CALL)) is PASS
    assert line.judge.counters.messages == 1
    assert refused(line.send(CALL, len(CALL) + len(HONEST)))


@pytest.mark.parametrize("isn", STARTS)
def test_the_first_segment_seen_may_be_a_late_one(isn: int) -> None:
    line = Line(isn=isn, begun=False)
    assert line.send(CALL[200:], 200) is PASS
    assert line.send(CALL[50:100], 50) is PASS
    assert line.send(CALL[:70], 0) is PASS
    assert line.judge.counters.messages == 0
    assert refused(line.send(CALL[100:200], 100))


def test_the_first_segment_seen_is_held_to_what_it_said() -> None:
    line = Line(begun=False)
    assert line.send(CALL[200:], 200) is PASS
    other = CALL[:220] + b"X" + CALL[221:]
    assert line.send(other, 0) == CONTRADICTING


def test_an_honest_late_start() -> None:
    line = Line(begun=False)
    assert line.send(HONEST[200:] + HONEST, 200) is PASS
    assert line.send(HONEST[:200], 0) is PASS
    assert line.send(HONEST, 2 * len(HONEST)) is PASS
    # The message of the late segment was read a second time, behind its predecessor.
    assert line.judge.counters.messages == 1 + 2 + 1


def test_before_the_first_segment_only_what_was_acknowledged() -> None:
    line = Line(begun=False)
    assert line.send(HONEST, 200) is PASS
    line.ack(200)
    assert line.send(b"x" * 200, 0) is PASS, "the receiver throws it away"
    assert line.judge.counters.messages == 1


# Repeats --------------------------------------------------------------------------


def test_acknowledged_bytes_are_not_compared() -> None:
    line = Line()
    assert line.send(HONEST, 0) is PASS
    line.ack(100)
    assert line.send(b"x" * 100 + HONEST[100:], 0) is PASS
    assert line.flow.octets == OVERHEAD + len(HONEST) - 100
    assert line.send(b"x" * 101, 0) == CONTRADICTING
    assert line.send(HONEST, 0) == DEAD


def test_repeats_whose_tail_is_new() -> None:
    line = Line()
    assert line.send(CALL[:100], 0) is PASS
    assert line.send(CALL[:200], 0) is PASS
    line.ack(150)
    assert refused(line.send(b"x" * 50 + CALL[150:], 100))


@pytest.mark.parametrize("extra", [0, 1])
def test_repeats_held(extra: int) -> None:
    line = Line()
    for at in range(0, MAX_UNACKNOWLEDGED, 1 << 12):
        assert line.send(b"\n" * (1 << 12), at) is PASS
    assert line.send(b"\n" * (1 + extra), MAX_UNACKNOWLEDGED) is PASS
    assert line.send(b"\n" * 5, 1) == (STALE if extra else PASS)
    assert line.send(b"\n" * 5, 2) is PASS
    line.ack(3)
    assert line.send(b"x" * 3, 0) is PASS


def test_a_keep_alive_repeats_what_has_arrived() -> None:
    """RFC 9293 section 3.8.4: any octet in the place of the last one."""
    line = Line()
    assert line.send(HONEST, 0) is PASS
    last = len(HONEST) - 1
    assert line.send(HONEST[-1:], last) is PASS
    assert line.send(b"\0", last) == STALE
    line.ack(last + 1)
    assert line.send(b"\0", last) is PASS
    assert line.send(b"", last) is PASS
    assert line.send(HONEST, last + 1) is PASS


def test_no_message_passes_as_keep_alives() -> None:
    """The first round does not live to reach the receiver, the second would."""
    line = Line()
    stops = []
    for at, octet in enumerate(CALL):
        assert line.send(b"\n", at) is PASS
        stops.append(line.send(bytes([octet]), at))
    assert stops == [PASS if octet == 10 else STALE for octet in CALL]


def test_a_probe_of_a_closed_window_is_the_next_byte() -> None:
    line = Line()
    assert line.send(HONEST[:1], 0) is PASS
    line.ack(0)  # no room for it
    assert line.send(HONEST[:1], 0) is PASS
    line.ack(1)
    assert line.send(HONEST[1:], 1) is PASS
    assert line.judge.counters.accepted == 1


# Beginnings and ends --------------------------------------------------------------


def test_data_on_the_syn() -> None:
    """TCP Fast Open, RFC 7413; a receiver without it gets the bytes once more."""
    line = Line(begun=False)
    assert line.send(CALL[:100], -1, SYN) is PASS
    line.ack(0, SYN | ACK)
    assert line.send(CALL[:150], 0) is PASS
    assert refused(line.send(CALL[150:], 150))
    other = Line(begun=False)
    assert refused(other.send(CALL, -1, SYN))
    assert other.send(CALL, -1, SYN) == DEAD


def test_data_on_a_syn_within_a_connection() -> None:
    line = Line()
    assert line.send(CALL[:100], 0) is PASS
    assert line.send(b"\n" * 100, 1 << 20, SYN) == EARLY
    assert refused(line.send(CALL[100:], 100))


@pytest.mark.parametrize("dead", [False, True])
def test_the_next_connection_between_the_same_ports(dead: bool) -> None:
    line = Line()
    assert refused(line.send(CALL, 0)) if dead else line.send(CALL[:99], 0) is PASS
    line.isn += 1 << 20
    line.decide(b"", -1, SYN)
    assert line.send(HONEST, 0) == (DEAD if dead else EARLY), "nobody answered"
    line.ack(0, SYN | ACK, indev=WAN)
    assert line.send(HONEST, 0) == (DEAD if dead else EARLY), "a stranger did"
    line.ack(0, SYN | ACK)
    assert line.send(HONEST, 0) is PASS
    assert refused(line.send(CALL, len(HONEST)))


def test_no_syn_leads_away_and_back() -> None:
    line = Line()
    assert line.send(CALL[:100], 0) is PASS
    for offset in (1 << 20, 100):
        line.decide(b"", offset - 1, SYN)
        line.ack(100)  # the answer of RFC 5961 section 4.2
        assert line.send(CALL[100:110], offset) == (EARLY if offset > 100 else PASS)
    assert refused(line.send(CALL[110:], 110))


def test_the_first_syn_is_answered_twice() -> None:
    line = Line()
    assert line.send(CALL[:100], 0) is PASS
    line.decide(b"", -1, SYN)
    line.ack(0, SYN | ACK)
    assert refused(line.send(CALL[100:], 100))


def test_where_no_acknowledgement_is_believed_a_syn_is_answered_by_anybody() -> None:
    """The receiver is behind the same interface as the sender."""
    line = Line(back=WAN)
    assert refused(line.send(CALL, 0))
    line.isn += 1 << 20
    line.begin()
    assert line.send(HONEST, 0) is PASS
    line.ack(1000)
    assert line.send(HONEST, 1000) == EARLY


@pytest.mark.parametrize("flags", [FIN | ACK, RST])
def test_an_end_that_was_acknowledged_forgets_the_flow(flags: int) -> None:
    line = Line()
    size = len(HONEST)
    assert line.send(HONEST, 0) is PASS
    line.ack(size)
    assert line.send(b"", size, flags) is PASS
    line.ack(size + 1)
    streams = line.judge.intake.streams
    assert [key[2] for key in streams.flows] == [5060], "but for the other way"
    assert (streams.octets, len(streams.lost)) == (OVERHEAD, 0)


def test_a_fin_with_data_ends_a_flow_too() -> None:
    line = Line()
    assert line.send(HONEST, 0, FIN | ACK) is PASS
    assert line.judge.counters.accepted == 1
    line.ack(len(HONEST) + 1)
    assert [key[2] for key in line.judge.intake.streams.flows] == [5060]
    other = Line()
    assert refused(other.send(CALL, 0, FIN | ACK))


@pytest.mark.parametrize("flags", [FIN | ACK, RST])
def test_an_end_that_may_never_arrive_forgets_nothing(flags: int) -> None:
    line = Line()
    assert line.send(CALL[:100], 0) is PASS
    line.ack(100)
    line.send(b"", 100, flags)
    assert refused(line.send(CALL[100:], 100))
    # As we read it the message is whole, but the receiver lacks its end.
    line = Line()
    harmless = invite("0312345678")
    assert line.send(harmless[:30], 0) is PASS
    line.ack(30)
    assert line.send(harmless[30:], 30) is PASS
    line.send(b"", len(harmless), flags)
    assert line.send(CALL[30:], 30) == CONTRADICTING


# Urgent bytes and checksums -------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", HONEST])
def test_nothing_urgent_passes(payload: bytes) -> None:
    line = Line()
    assert line.send(payload, 0, ACK | URG) == "urgent-segment"
    assert line.send(HONEST, 0) is PASS
    line.dst, line.sport = JAPAN, 40_000
    packet = tcp(payload, 1, ACK | URG, ABROAD, dport=80, indev=WAN)
    assert line.judge.inspect(packet, NOW).verdict is Verdict.ACCEPT


def test_checksums_are_not_looked_at() -> None:
    """The network card may have to finish them, so that ours are not whole yet."""
    line = Line()
    whole = tcp(CALL, 7, ACK, ABROAD, indev=WAN)
    for checksum in (b"\0\0", b"\xff\xff", b"\x12\x34"):
        data = whole.data[:36] + checksum + whole.data[38:]
        decision = line.judge.inspect(whole._replace(data=data), NOW)
        assert decision.verdict is Verdict.DROP


# What is given up -----------------------------------------------------------------


def test_nobody_waits_until_half_a_message_is_forgotten() -> None:
    line = Line()
    assert line.send(CALL[:100], 0) is PASS
    line.ack(100)
    line.wait(FLOW_AGE + 1)
    assert line.send(CALL[100:], 100) == DEAD
    line.wait(100 * FLOW_AGE)
    assert line.send(HONEST, 100) == DEAD
    line.isn += 1 << 20
    line.begin()
    assert line.send(HONEST, 0) is PASS
    assert len(line.judge.intake.streams.lost) == 0


def test_nobody_waits_until_a_refusal_is_forgotten() -> None:
    line = Line()
    assert line.send(CALL[:100], 0) is PASS
    assert refused(line.send(CALL[100:], 100))
    line.wait(FLOW_AGE + 1)
    assert line.send(CALL[100:], 100) == DEAD


def test_nobody_waits_for_what_the_receiver_lacks_to_be_forgotten() -> None:
    line = Line()
    harmless = invite("0312345678")
    assert line.send(harmless[:30], 0) is PASS
    line.ack(30)
    assert line.send(harmless[30:], 30) is PASS
    line.wait(FLOW_AGE + 1)
    assert line.send(CALL[30:], 30) == DEAD


@pytest.mark.parametrize("begun", [False, True])
def test_nobody_waits_for_what_came_early_to_be_forgotten(begun: bool) -> None:
    """Where the receiver is not heard, too."""
    line = Line(back=WAN, begun=begun)
    for _ in range(MAX_INSISTENCE):
        line.send(CALL[100:], 100)
    line.wait(FLOW_AGE + 1)
    assert line.send(CALL[:100], 0) == DEAD


def test_a_silent_connection_between_messages_goes_on() -> None:
    line = Line()
    assert line.send(HONEST, 0) is PASS
    line.ack(len(HONEST))
    line.wait(FLOW_AGE + 1)
    assert line.send(HONEST, len(HONEST)) is PASS
    assert refused(line.send(CALL, 2 * len(HONEST)))


def test_a_full_table_makes_nobody_forget() -> None:
    line = Line()
    line.judge.intake.streams.flows.capacity = 3
    assert line.send(CALL[:100], 0) is PASS
    for sport in range(1, 5):
        other = Line(line.judge, sport=sport)
        assert other.send(HONEST, 0) is PASS
        other.ack(len(HONEST))
    assert line.send(CALL[100:], 100) == DEAD
    assert other.send(HONEST, len(HONEST)) is PASS
    assert len(line.judge.intake.streams.lost) == 1


@pytest.mark.parametrize("extra", [0, 1])
def test_flows_given_up_that_are_remembered(extra: int) -> None:
    line = Line()
    assert line.send(CALL[:100], 0) is PASS
    for sport in range(1, MAX_LOST + extra):
        Line(line.judge, sport=sport).send(CALL[:100], 0)
    line.wait(FLOW_AGE + 1)
    Line(line.judge, sport=50_000).wait(FLOW_AGE + 1)
    line.judge.intake.streams.flows.expire(line.now.mono)
    streams = line.judge.intake.streams
    assert len(streams.lost) == MAX_LOST
    assert streams.lost.evicted == extra
    assert line.send(CALL[100:], 100) == (PASS if extra else DEAD)


# Any sender -----------------------------------------------------------------------


class Receiver:
    """A kernel's side: bytes by offset, and the next one it expects."""

    def __init__(self, last_wins: bool) -> None:
        self.last_wins = last_wins
        self.early: dict[int, int] = {}
        self.read = bytearray()

    def take(self, offset: int, payload: bytes) -> None:
        for at, octet in enumerate(payload, offset):
            if at < len(self.read) or at > len(self.read) + 65_535:
                continue
            if self.last_wins or at not in self.early:
                self.early[at] = octet
        while len(self.read) in self.early:
            self.read.append(self.early.pop(len(self.read)))


NOISE = [b"", b"\r\n\r\n", b"noise\r\n\r\n", b"SIP/2.0 no\r\n\r\n", HONEST]
HARMLESS = invite("0312345678")


@pytest.mark.parametrize("last_wins", [False, True])
@hypothesis.settings(phases=SEARCH)
@given(st.data())
def test_no_sender_gets_a_refused_message_through(
    last_wins: bool, data: st.DataObject
) -> None:
    draw = data.draw
    before = draw(st.sampled_from(NOISE))
    whole = before + CALL + draw(st.sampled_from(NOISE))
    other = (before + HARMLESS + whole)[: len(whole)]
    edges = {0, len(whole), *draw(st.sets(st.integers(1, len(whole) - 1), max_size=5))}
    parts = list(pairwise(sorted(edges)))
    line = Line(isn=draw(st.sampled_from(STARTS)), begun=draw(st.booleans()))
    receiver = Receiver(last_wins)
    tricks = st.sampled_from(
        ["send", "send", "send", "insist", "decoy", "byte", "cut", "odd", "age", "back"]
    )
    for start, end in draw(st.permutations(parts * 3)):
        trick = draw(tricks)
        text = draw(st.sampled_from([whole, whole, other]))
        arrives = True
        times = 1
        flags = ACK
        if trick == "insist":
            times = MAX_INSISTENCE
        elif trick == "decoy":  # with a wrong checksum, or too few hops to live
            text, arrives = other, False
        elif trick == "byte":
            start = draw(st.integers(start, end - 1))
            end = start + 1
        elif trick == "cut":
            start = draw(st.integers(0, end - 1))
        elif trick == "back":  # in order, which all above seldom are
            start = len(receiver.read)
            end = max(end, min(start + 20, len(whole)))
        elif trick == "odd":
            arrives = False
            flags = draw(st.sampled_from([SYN, FIN | ACK, RST, SYN | ACK]))
            at = draw(st.sampled_from([start, end, len(receiver.read), 1 << 20]))
            empty = draw(st.booleans())
            line.send(b"" if empty else text[start:end], at - (flags & 2) // 2, flags)
            continue
        elif trick == "age":
            line.wait(FLOW_AGE + 1)
            continue
        for _ in range(times):
            if line.send(text[start:end], start, flags) is PASS and arrives:
                receiver.take(start, text[start:end])
        if draw(st.integers(0, 3)):
            line.ack(len(receiver.read))
        if not draw(st.integers(0, 5)):  # a stranger lies
            line.ack(draw(st.integers(0, len(whole))), indev=WAN)
    assert CALL not in receiver.read


def test_the_receiver_above_would_take_the_call() -> None:
    for last_wins in (False, True):
        receiver = Receiver(last_wins)
        receiver.take(100, CALL[100:])
        receiver.take(0, CALL[:120])
        assert receiver.read == CALL


# Honest senders -------------------------------------------------------------------


@hypothesis.settings(phases=SEARCH)
@given(st.data())
def test_whatever_the_network_does_everything_arrives(data: st.DataObject) -> None:
    """Loss, repeats, any order, and packets that pass unseen, either way."""
    draw = data.draw
    whole = HONEST + sip(body=b"b" * 300) + HARMLESS + HONEST
    line = Line(isn=draw(st.sampled_from(STARTS)), begun=draw(st.booleans()))
    receiver = Receiver(draw(st.booleans()))
    fates = st.sampled_from(["pass", "pass", "pass", "lost", "twice", "unseen"])
    told = 0  # what the sender knows to have arrived
    tries = 0
    for attempt in range(200):
        if told == len(whole):
            break
        rough = attempt < 30
        sent: list[tuple[int, int]] = []
        at = told
        # All that fits, then again and again only the first segment, as after a
        # retransmission timeout.
        for _ in range(5 if tries == 0 else 1):
            size = draw(st.integers(1, 400)) if rough else 400
            sent.append((at, min(at + size, len(whole))))
            at = sent[-1][1]
            if at == len(whole):
                break
        replies: list[int] = []
        for start, end in draw(st.permutations(sent)) if rough else sent:
            fate = draw(fates) if rough else "pass"
            for _ in range({"lost": 0, "twice": 2}.get(fate, 1)):
                if fate == "unseen" or line.send(whole[start:end], start) is PASS:
                    receiver.take(start, whole[start:end])
                    replies.append(len(receiver.read))
        known = told
        for reply in replies:
            fate = draw(fates) if rough else "pass"
            if fate != "lost":
                if fate != "unseen":
                    line.ack(reply)
                told = max(told, reply)
            elif draw(st.booleans()):
                line.ack(reply)  # past us, and lost behind
        tries = 0 if told > known else tries + 1
    assert receiver.read == whole
    assert told == len(whole)
    assert not line.flow.dead


# Whatever comes -------------------------------------------------------------------


def packets() -> st.SearchStrategy[Packet]:
    """Raw bytes, and segments that nearly make sense."""
    ends = st.sampled_from([(ABROAD, ROUTER, WAN), (INSIDE, JAPAN, LAN)])
    segments = st.builds(
        lambda payload, seq, ack, flags, way, back: tcp(
            payload,
            seq % MOD,
            flags,
            *(way[:2][::-1] if back else way[:2]),
            sport=5060 if back else 40_000,
            dport=40_000 if back else 5060,
            indev=way[2],
            ack=ack % MOD,
        ),
        st.binary(max_size=30) | st.sampled_from([CALL, HONEST, CALL[:50], CALL[50:]]),
        st.integers(-400, 400) | st.integers(0, MOD - 1),
        st.integers(-400, 400) | st.integers(0, MOD - 1),
        st.integers(0, 255) | st.sampled_from([SYN, ACK, FIN | ACK, RST]),
        ends,
        st.booleans(),
    )
    raw = st.builds(
        lambda data, indev: Packet(data, length=len(data), indev=indev),
        st.binary(max_size=80) | st.binary(max_size=60).map(lambda b: b"\x45" + b),
        st.integers(-1, 4),
    )
    return segments | raw | st.binary(max_size=60).map(lambda b: udp(b, indev=WAN))


@given(st.lists(packets(), max_size=40))
def test_whatever_comes_is_decided(some: Sequence[Packet]) -> None:
    judge = engine()
    judge.outside_interfaces = frozenset({WAN})
    for packet in some:
        judge.inspect(packet, NOW)
        streams = judge.intake.streams
        for key in streams.flows:
            flow = streams.flows.get(key, NOW.mono)
            assert flow is not None
            assert flow.acked is None or (flow.next_seq - flow.acked) % MOD <= WINDOW
        assert streams.octets >= 0
