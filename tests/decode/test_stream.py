"""Segments in any order, repeated, overlapping, lost, contradicting, ended."""

from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.decode.flow import (
    MAX_AHEAD,
    MAX_AHEAD_OCTETS,
    MAX_REPEAT,
    OVERHEAD,
    WINDOW,
    Flow,
)
from ringfence.decode.stream import FLOW_AGE, MAX_FLOWS, MAX_OCTETS, Streams
from ringfence.packet import Instant, Segment

NOW = Instant(100.0, 1_795_000_000.0)
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
MOD = 1 << 32
TEXT = bytes(range(256)) * 8
STARTS = [0, 1000, MOD - 1, MOD - 3, MOD - 300, (1 << 31) - 5]


def segment(
    payload: bytes = b"",
    seq: int = 1,
    flags: int = ACK,
    *,
    sport: int = 40_000,
    cut: bool = False,
) -> Segment:
    src, dst = b"\xc6\x33\x64\x07", b"\xcb\x00\x71\x0a"
    return Segment(src, dst, sport, 5060, payload, cut, seq % MOD, flags)


class Line:
    """One direction of a connection, through `Streams` as the engine drives it."""

    def __init__(self, streams: Streams | None = None, isn: int = 0) -> None:
        self.streams = Streams() if streams is None else streams
        self.base = isn + 1
        self.send(b"", -1, SYN)

    def send(
        self, payload: bytes, offset: int, flags: int = ACK, *, cut: bool = False
    ) -> bool:
        """Send bytes at an offset from the first one after the SYN."""
        part = segment(payload, self.base + offset, flags, cut=cut)
        flow = self.streams.find(part, NOW)
        if flow is None or flags & SYN:
            flow = self.streams.open(part, NOW)
        return self.streams.push(flow, part, NOW)

    @property
    def flow(self) -> Flow:
        flow = self.streams.find(segment(), NOW)
        assert flow is not None
        return flow

    @property
    def data(self) -> bytes:
        return bytes(self.flow.data)


# Order ----------------------------------------------------------------------------

PARTS = [(0, 5), (5, 6), (6, 300), (300, 512)]


@pytest.mark.parametrize("isn", STARTS)
def test_every_order_of_four_segments(isn: int) -> None:
    for order in permutations(PARTS):
        line = Line(isn=isn)
        grown = [line.send(TEXT[start:end], start) for start, end in order]
        assert line.data == TEXT[:512]
        assert line.flow.next_seq == (isn + 513) % MOD
        assert not line.flow.ahead
        assert not line.flow.dead
        assert any(grown)
        assert grown[-1], "the last one to come closes the last gap"


@pytest.mark.parametrize("isn", STARTS)
def test_every_order_with_every_segment_twice(isn: int) -> None:
    for order in permutations(PARTS):
        line = Line(isn=isn)
        for start, end in (*order, *order[::-1]):
            line.send(TEXT[start:end], start)
            line.send(TEXT[start:end], start)
        assert line.data == TEXT[:512]
        assert not line.flow.dead


def test_what_is_new_is_told() -> None:
    line = Line()
    assert line.send(b"abc", 0)
    assert not line.send(b"abc", 0), "a repeat brings nothing"
    assert not line.send(b"ghi", 6), "nor does what comes too early"
    assert not line.send(b"", 3)
    assert line.send(b"bcd", 1), "but its new part does"
    assert line.send(b"ef", 4)
    assert line.data == b"abcdefghi"


def test_bytes_are_new_though_fewer_are_held_than_before() -> None:
    """A gap that is given up takes the unfinished message with it."""
    line = Line()
    line.send(b"x" * 500, 0)
    grown = [line.send(b"y", 600 + 2 * at) for at in range(MAX_AHEAD + 1)]
    assert grown == [False] * MAX_AHEAD + [True]
    assert line.data == b"y"


@given(st.data())
def test_any_segments_of_one_text(data: st.DataObject) -> None:
    """However they overlap and repeat: once all bytes were sent, all are there."""
    isn = data.draw(st.sampled_from(STARTS))
    size = data.draw(st.integers(1, 200))
    spans = data.draw(
        st.lists(st.tuples(st.integers(0, size - 1), st.integers(1, 60)), max_size=20)
    )
    edges = sorted({0, size, *data.draw(st.sets(st.integers(0, size), max_size=8))})
    spans += [(a, b - a) for a, b in pairwise(edges)]
    line = Line(isn=isn)
    for start, length in data.draw(st.permutations(spans)):
        line.send(TEXT[start : min(start + length, size)], start)
        assert TEXT.startswith(line.data)
    assert line.data == TEXT[:size]
    assert not line.flow.ahead
    assert not line.flow.dead


@given(
    st.lists(
        st.tuples(
            st.integers(0, MOD - 1) | st.integers(-40, 40),
            st.binary(max_size=9),
            st.sampled_from([0, SYN, FIN, RST, ACK, SYN | ACK, FIN | ACK]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_any_segments_stay_within_bounds(
    segments: list[tuple[int, bytes, int, bool]],
) -> None:
    line = Line(Streams(octets=3000))
    for offset, payload, flags, cut in segments:
        line.send(payload, offset, flags, cut=cut)
        for key in line.streams.flows:
            flow = line.streams.flows.get(key, NOW.mono)
            assert flow is not None
            assert len(flow.ahead) <= MAX_AHEAD
            assert all(seq != flow.next_seq for seq in flow.ahead)
            assert flow.counted == flow.octets
        assert 0 <= line.streams.octets <= 3000


# Overlap --------------------------------------------------------------------------


@pytest.mark.parametrize("first", [b"abcdefgh", b"abcd"])
def test_a_repeat_that_says_the_same_changes_nothing(first: bytes) -> None:
    line = Line()
    line.send(first, 0)
    line.send(b"cd", 2)
    line.send(b"abcdefgh", 0)
    line.send(b"bcdefghi", 1)
    assert line.data == b"abcdefghi"
    assert not line.flow.dead


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((b"abcdefgh", 0), (b"abcdefgX", 0)),
        ((b"abcdefgh", 0), (b"Xbcdefgh", 0)),
        ((b"abcdefgh", 0), (b"cX", 2)),
        ((b"abcdefgh", 0), (b"gXij", 6)),
        ((b"efgh", 4), (b"eXgh", 4)),
        ((b"efgh", 4), (b"efgXi", 4)),
        ((b"efghij", 4), (b"eX", 4)),
        ((b"efgh", 4), (b"abcdX", 0)),
        ((b"ghij", 6), (b"abcdefgX", 0)),
    ],
)
def test_a_repeat_that_says_something_else_kills_the_flow(
    first: tuple[bytes, int], second: tuple[bytes, int]
) -> None:
    for order in ((first, second), (second, first)):
        line = Line()
        for part in order:
            line.send(*part)
        line.send(b"abcd", 0)
        assert line.flow.dead, order


def test_a_keep_alive_may_carry_any_byte() -> None:
    """RFC 9293 section 3.8.4: one garbage octet before the next one expected."""
    line = Line()
    line.send(b"abcd", 0)
    assert not line.send(b"\0", 3)
    assert not line.flow.dead
    line.send(b"\0\0", 2)
    assert line.flow.dead


@pytest.mark.parametrize("extra", [0, 1])
def test_repeats_compared(extra: int) -> None:
    line = Line()
    line.send(b"x" * 10_000, 0)
    line.send(b"yy" + b"x" * 8, 10_000 - MAX_REPEAT - 2 + 1 - extra)
    assert line.flow.dead is (extra == 0)


def test_a_longer_segment_replaces_a_shorter_one_ahead() -> None:
    """A sender that repeats joins what it had sent in pieces."""
    line = Line()
    line.send(b"cd", 2)
    line.send(b"cdef", 2)
    line.send(b"cd", 2)
    line.send(b"ab", 0)
    assert line.data == b"abcdef"


# Gaps -----------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [0, 1])
def test_segments_held_ahead(extra: int) -> None:
    line = Line()
    for at in range(MAX_AHEAD + extra):
        line.send(b"ab", 10 + 2 * at)
    if extra:
        assert line.data == b"ab" * (MAX_AHEAD + 1)
        assert not line.flow.ahead
    else:
        assert line.data == b""
        assert len(line.flow.ahead) == MAX_AHEAD


@pytest.mark.parametrize("extra", [0, 1])
def test_bytes_held_ahead(extra: int) -> None:
    half = MAX_AHEAD_OCTETS // 2
    line = Line()
    line.send(b"a" * half, 10)
    line.send(b"b" * (half + extra), 10 + half)
    assert bool(line.data) is bool(extra)
    assert bool(line.flow.ahead) is not bool(extra)


def test_several_gaps_are_given_up_one_after_the_other() -> None:
    line = Line()
    line.send(b"abc", 0)
    for at in range(MAX_AHEAD + 1):
        line.send(b"xy", 10 + 3 * at)
    assert line.data == b"xy"
    assert len(line.flow.ahead) == MAX_AHEAD
    line.send(b"xy", 10 + 3 * (MAX_AHEAD + 1))
    assert line.data == b"xy"
    assert line.flow.next_seq == 1 + 10 + 3 + 2


def test_a_gap_in_a_body_that_nobody_needs() -> None:
    line = Line()
    line.flow.skip = 100
    line.send(b"b" * 10, 0)
    for at in range(MAX_AHEAD + 1):
        line.send(b"b", 50 + at)
    assert line.flow.skip == 100 - 50 - MAX_AHEAD - 1
    line.send(b"b" * 20, 50 + MAX_AHEAD + 1)
    assert line.data == b"b" * 3


def test_a_gap_beyond_such_a_body() -> None:
    line = Line()
    line.flow.skip = 40
    for at in range(MAX_AHEAD + 1):
        line.send(b"c", 50 + at)
    assert line.flow.skip == 0
    assert line.data == b"c" * (MAX_AHEAD + 1)


def test_skipping_ends_inside_a_segment() -> None:
    line = Line()
    line.flow.skip = 5
    assert not line.send(b"bbb", 0)
    assert line.send(b"bbnext", 3)
    assert line.data == b"next"


def test_what_a_capture_cut_off_is_not_waited_for() -> None:
    line = Line()
    line.send(b"abc", 0, cut=True)
    assert line.send(b"xyz", 10)
    assert line.data == b"xyz"
    line.flow.data.clear()
    line.flow.skip = 20
    line.send(b"bbb", 13, cut=True)
    line.send(b"bbbnext", 13 + 17)
    assert line.data == b"next"


# Beginnings and ends --------------------------------------------------------------


def test_a_flow_may_begin_in_its_middle() -> None:
    streams = Streams()
    first = segment(b"abc", 777)
    assert streams.find(first, NOW) is None
    flow = streams.open(first, NOW)
    assert streams.push(flow, first, NOW)
    assert flow.data == b"abc"
    assert streams.find(first, NOW) is flow


@pytest.mark.parametrize("isn", STARTS)
def test_data_on_the_syn(isn: int) -> None:
    line = Line(isn=isn)
    line.send(b"abc", -1, SYN)
    line.send(b"def", 3)
    assert line.data == b"abcdef"


def test_data_on_the_next_syn() -> None:
    line = Line()
    line.send(b"old", 0)
    line.send(b"abc", (1 << 20) - 1, SYN)
    assert line.data == b"abc"
    line.send(b"def", (1 << 20) + 3)
    assert line.data == b"abcdef"


@pytest.mark.parametrize("flags", [FIN | ACK, RST, RST | ACK])
def test_an_end_in_order_forgets_the_flow(flags: int) -> None:
    line = Line()
    line.send(b"abc", 0)
    assert not line.send(b"", 3, flags)
    assert len(line.streams.flows) == 0
    assert line.streams.octets == 0


@pytest.mark.parametrize("flags", [FIN | ACK, RST, RST | ACK])
@pytest.mark.parametrize("offset", [-1, 0, 2, 4, 100_000, -100_000])
def test_an_end_out_of_order_ends_nothing(flags: int, offset: int) -> None:
    line = Line()
    line.send(b"abc", 0)
    line.send(b"", offset, flags)
    line.send(b"ef", 4)
    line.send(b"d", 3)
    assert line.data == b"abcdef"


def test_a_fin_with_data_brings_the_data() -> None:
    line = Line()
    assert line.send(b"abc", 0, FIN | ACK)
    assert line.data == b"abc"


def test_an_end_does_not_revive_a_dead_flow() -> None:
    line = Line()
    line.send(b"abc", 0)
    line.flow.dead = True
    line.send(b"", 3, RST)
    assert line.flow.dead


@pytest.mark.parametrize("offset", [-500, -1, 0, 2, 50, 10_000_000, -10_000_000])
def test_a_syn_in_the_middle_changes_nothing(offset: int) -> None:
    """The receiver ignores it (RFC 5961 section 4), and so must we."""
    line = Line()
    line.send(b"abc", 0)
    line.send(b"", offset, SYN)
    assert not line.send(b"gh", 6)
    assert line.send(b"def", 3)
    assert line.data == b"abcdefgh"


@pytest.mark.parametrize("isn", [1 << 20, 1 << 31, MOD - (1 << 20), WINDOW + 50])
def test_the_next_connection_between_the_same_ports(isn: int) -> None:
    line = Line()
    line.send(b"the old one, unfinished", 0)
    line.send(b"", isn - 1, SYN)
    assert line.data == b"the old one, unfinished"
    assert not line.send(b"def", isn + 3), "the second segment may come first"
    assert line.send(b"abc", isn)
    assert line.data == b"abcdef"
    assert line.send(b"ghi", isn + 6)


def test_the_next_connection_after_a_refusal() -> None:
    line = Line()
    line.send(b"abc", 0)
    line.flow.dead = True
    line.send(b"", 1 << 20, SYN)
    assert line.flow.dead
    line.send(b"bc", 1)
    assert line.flow.dead, "what was refused is sent again, behind a SYN"
    line.send(b"abc", (1 << 20) + 1)
    assert not line.flow.dead
    assert line.data == b"abc"


@pytest.mark.parametrize("offset", [-1, 0, 5, 1000, -1000])
def test_a_refused_flow_is_not_sent_again(offset: int) -> None:
    """The receiver may hold parts of it; of two rounds it would make one message."""
    line = Line()
    line.send(b"cd", 2)
    line.send(b"ab", 0)
    line.flow.dead = True
    line.send(b"", offset, SYN)
    line.send(b"ab", offset + 1)
    assert line.flow.dead


# Bounds ---------------------------------------------------------------------------


def test_flows_tracked() -> None:
    streams = Streams()
    for sport in range(MAX_FLOWS):
        assert not streams.full(NOW)
        streams.open(segment(sport=sport), NOW)
    assert streams.full(NOW)
    assert streams.evicted == 0
    streams.open(segment(sport=MAX_FLOWS), NOW)
    assert len(streams.flows) == MAX_FLOWS
    assert streams.evicted == 1
    assert streams.find(segment(sport=0), NOW) is None
    assert streams.find(segment(sport=1), NOW) is not None
    assert streams.octets == MAX_FLOWS * OVERHEAD <= MAX_OCTETS


def test_flows_age() -> None:
    streams = Streams()
    first = segment(b"abc")
    streams.push(streams.open(first, NOW), first, NOW)
    at_limit = Instant(NOW.mono + FLOW_AGE, NOW.wall)
    assert streams.find(first, at_limit) is not None
    # Traffic keeps it, an acknowledgement is enough.
    flow = streams.find(first, at_limit)
    assert flow is not None
    streams.push(flow, segment(), at_limit)
    later = Instant(NOW.mono + 2 * FLOW_AGE, NOW.wall)
    assert streams.find(first, later) is not None
    beyond = Instant(later.mono + 0.1, NOW.wall)
    assert streams.find(first, beyond) is None
    assert not streams.full(beyond)
    assert len(streams.flows) == 0
    assert streams.octets == 0


def test_an_aged_flow_leaves_nothing_behind() -> None:
    """Its successor takes its place in the table, not its bytes."""
    streams = Streams()
    first = segment(b"abc")
    streams.push(streams.open(first, NOW), first, NOW)
    later = Instant(NOW.mono + FLOW_AGE + 1, NOW.wall)
    assert streams.find(first, later) is None
    streams.open(segment(flags=SYN), later)
    assert streams.octets == OVERHEAD


def test_no_room_at_all() -> None:
    streams = Streams(capacity=0)
    first = segment(b"abc")
    flow = streams.open(first, NOW)
    assert streams.push(flow, first, NOW)
    assert flow.data == b"abc"
    assert len(streams.flows) == 0
    assert streams.full(NOW)


def held(streams: Streams, count: int, size: int) -> None:
    for sport in range(count):
        part = segment(b"x" * size, sport=sport)
        streams.push(streams.open(part, NOW), part, NOW)


@pytest.mark.parametrize("extra", [0, 1])
def test_bytes_held_by_all_flows(extra: int) -> None:
    each = OVERHEAD + 100 + 100  # waiting, and kept for comparison
    streams = Streams(octets=16 * each - extra)
    held(streams, 16, 100)
    assert streams.octets <= 16 * each - extra
    if not extra:
        assert (len(streams.flows), streams.evicted) == (16, 0)
        return
    # The oldest went, until a quarter is free; the newest is there.
    assert (len(streams.flows), streams.evicted) == (11, 5)
    assert streams.find(segment(sport=4), NOW) is None
    assert streams.find(segment(sport=5), NOW) is not None


def test_messages_taken_off_leave_room() -> None:
    """They are counted until the room gets scarce, and evict nobody then."""
    size = 30_000
    streams = Streams(octets=4 * (OVERHEAD + MAX_REPEAT + size) - 1)
    for sport in range(4):
        part = segment(b"x" * size, sport=sport)
        flow = streams.open(part, NOW)
        streams.push(flow, part, NOW)
        if sport < 3:
            flow.data.clear()
    assert streams.octets == 4 * (OVERHEAD + MAX_REPEAT) + size
    assert (len(streams.flows), streams.evicted) == (4, 0)


def test_the_usual_bound_is_what_it_says() -> None:
    streams = Streams()
    held(streams, MAX_FLOWS, 4000)
    assert streams.octets <= MAX_OCTETS
    assert streams.evicted > 0
    assert len(streams.flows) >= 300
