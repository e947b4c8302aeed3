"""TCP segments to bytes in order, one flow a direction (RFC 9293 section 3.4).

Knows sequence numbers and nothing of SIP: the caller says which flows matter and
takes messages off `Flow.data`. Both sides of a connection are separate flows. All
that a stranger can grow here has a bound: flows, bytes, segments ahead.

A stranger also decides what a segment claims. None that the receiver would ignore
may make us lose our place: a SYN in the middle of a connection or a FIN out of order
changes nothing. (What lies outside the receiver's window, or has a wrong checksum,
the kernel's connection tracking knows best; we do not look at either.) And a sender
that repeats itself with other bytes contradicts itself; since nobody can tell which
of them the receiver has kept, its flow is dead.
"""

from typing import Final

from ringfence.packet import Instant, Segment
from ringfence.state import BoundedTable

MAX_FLOWS: Final = 4_096
"""Directions tracked at once. 50 phones on TCP are 100; a router has few more."""

FLOW_AGE: Final = 3_600.0
"""Seconds without data after which a flow is forgotten; phones refresh sooner."""

MAX_AHEAD: Final = 32
"""Segments held that came before their predecessor; more means capture loss."""

MAX_AHEAD_OCTETS: Final = 65_536
"""Bytes of those segments: a receive window without scaling."""

MAX_REPEAT: Final = 4_096
"""Bytes kept to compare repeats with, three full segments: a sender repeats what was
lost last, and SIP keeps little in flight."""

MAX_OCTETS: Final = 4 << 20
"""Bytes held by all flows: a router has 64 MB and better uses for it. Enough for a
thousand messages in the making."""

WINDOW: Final = 1 << 18
"""Bytes around the expected one in which a sequence number is taken for this
connection's; receivers of SIP announce a quarter of it."""

OVERHEAD: Final = 512
"""Bytes that a flow costs besides what it holds, or empty ones would be free."""

_FIN_RST = 0x05
_SYN = 0x02
_MOD = 1 << 32

FlowKey = tuple[bytes, bytes, int, int]


class Flow:
    """One direction of one connection."""

    __slots__ = (
        "_gap",
        "_recent",
        "ahead",
        "counted",
        "data",
        "dead",
        "next_seq",
        "reopened",
        "skip",
    )

    def __init__(self, next_seq: int) -> None:
        """Start at the sequence number of the next byte expected."""
        self.counted = 0
        """Bytes that `Streams` believes this flow to hold."""
        self.start(next_seq)

    def start(self, next_seq: int) -> None:
        """Begin anew, as the next connection between the same ports."""
        self.next_seq = next_seq
        self.data = bytearray()
        """Bytes in order that nobody has taken yet."""
        self.ahead: dict[int, bytes] = {}
        """Segments that came too early, by sequence number."""
        self.skip = 0
        """Bytes of a body still to come that need not be kept."""
        self.dead = False
        """True once a message was refused or the sender contradicted itself: nothing
        of this flow passes any more."""
        self.reopened: int | None = None
        """Where the next connection starts, once a SYN has announced one."""
        self._recent = b""
        self._gap = False

    @property
    def octets(self) -> int:
        """Bytes held, `OVERHEAD` included."""
        held = len(self.data) + len(self._recent) + OVERHEAD
        return held + sum(map(len, self.ahead.values())) if self.ahead else held

    def push(self, seq: int, payload: bytes, *, cut: bool = False) -> bool:
        """Take one segment's bytes; True when there are new ones to read.

        A repeated part is passed over. A part from ahead waits; when too many wait,
        or when what is missing was cut off by the capture, the gap is given up and
        reading resumes behind it.
        """
        grown = self._place(seq, payload)
        while self.ahead:
            first = min(self.ahead, key=self._distance)
            if self._distance(first) > 0 and not self._give_up(first):
                break
            grown |= self._place(first, self.ahead.pop(first))
        self._gap = cut
        return grown

    def begin_anew(self, seq: int) -> None:
        """Start over if a segment belongs to the connection that a SYN announced.

        That is one with numbers of its own (RFC 6528). Were a connection believed
        that starts where this one did, a dead flow could be sent again in another
        order, and the receiver would put together what came past in either round.
        """
        start = self.reopened
        if start is not None and _near(seq, start) and not _near(seq, self.next_seq):
            self.start(start)

    def _distance(self, seq: int) -> int:
        """How far ahead of the expected byte; negative for a repeat."""
        return (seq - self.next_seq + WINDOW) % _MOD - WINDOW

    def _place(self, seq: int, payload: bytes) -> bool:
        distance = self._distance(seq)
        if distance > 0:
            known = self.ahead.get(seq, b"")
            shared = min(len(known), len(payload))
            self.dead |= known[:shared] != payload[:shared]
            if len(payload) > len(known):
                self.ahead[seq] = payload
            return False
        if distance < 0:
            self._compare(payload, -distance)
            payload = payload[-distance:]
        self.next_seq = (self.next_seq + len(payload)) % _MOD
        self._recent = (self._recent + payload)[-MAX_REPEAT:]
        if self.skip:
            skipped = min(self.skip, len(payload))
            self.skip -= skipped
            payload = payload[skipped:]
        self.data += payload
        return bool(payload)

    def _compare(self, payload: bytes, back: int) -> None:
        """Hold what is repeated, from `back` bytes ago on, against what was there."""
        if len(payload) == 1:
            return  # a keep-alive carries any byte (RFC 9293 section 3.8.4)
        recent = self._recent
        repeated = payload[max(0, back - len(recent)) : back]
        at = max(0, len(recent) - back)
        self.dead |= recent[at : at + len(repeated)] != repeated

    def _give_up(self, first: int) -> bool:
        """Go on at the segment `first`, if its predecessor is not to be expected."""
        held = sum(map(len, self.ahead.values()))
        if not self._gap and len(self.ahead) <= MAX_AHEAD and held <= MAX_AHEAD_OCTETS:
            return False
        missing = self._distance(first)
        if missing <= self.skip:
            self.skip -= missing
        else:
            self.data.clear()
            self.skip = 0
        self._recent = b""
        self.next_seq = first
        return True


class Streams:
    """All tracked flows."""

    def __init__(self, capacity: int = MAX_FLOWS, octets: int = MAX_OCTETS) -> None:
        """Hold at most `capacity` flows, and of all together `octets` bytes."""
        self.flows: BoundedTable[FlowKey, Flow] = BoundedTable(
            capacity, FLOW_AGE, self._dropped
        )
        self.octets = 0
        """Bytes held, at most: what was taken off a flow since its last segment is
        still counted."""
        self._max_octets = octets
        self._evicted = 0

    @property
    def evicted(self) -> int:
        """Flows given up because there were too many, or too many bytes."""
        return self._evicted + self.flows.evicted

    def find(self, segment: Segment, now: Instant) -> Flow | None:
        """Return the flow of a segment, if it is tracked."""
        flow = self.flows.get(_key(segment), now.mono)
        if flow is not None and segment.payload:
            flow.begin_anew(segment.seq)
        return flow

    def full(self, now: Instant) -> bool:
        """Tell whether one more flow would push the oldest out."""
        self.flows.expire(now.mono)
        return len(self.flows) >= self.flows.capacity

    def open(self, segment: Segment, now: Instant) -> Flow:
        """Track the flow of a segment from this segment's first byte on.

        A SYN for a flow that is tracked is believed once data follows it: until then
        the old connection may go on, and its receiver ignores the SYN.
        """
        self.flows.expire(now.mono)
        start = _start(segment)
        flow = self.flows.get(_key(segment), now.mono)
        if flow is not None:
            flow.reopened = start
            if segment.payload:  # TCP Fast Open, RFC 7413
                flow.begin_anew(start)
            return flow
        flow = Flow(start)
        flow.counted = flow.octets
        self.octets += flow.counted
        self.flows.put(_key(segment), flow, now.mono)
        return flow

    def push(self, flow: Flow, segment: Segment, now: Instant) -> bool:
        """Give a segment to its flow; True when there are new bytes to read.

        A segment that was cut leaves a gap where its missing bytes would be.
        """
        key = _key(segment)
        if segment.flags & _FIN_RST and not segment.payload:
            # Out of order it ends nothing, for a receiver neither (RFC 9293 section
            # 3.10.7.4); and to the receiver a dead flow is not where it is to us.
            if segment.seq == flow.next_seq and not flow.dead:
                self._forget(key)
            return False
        self.flows.put(key, flow, now.mono)
        if not segment.payload:
            return False
        grown = flow.push(_start(segment), segment.payload, cut=segment.cut)
        self._count(flow, now)
        return grown

    def _count(self, flow: Flow, now: Instant) -> None:
        octets = flow.octets
        self.octets += octets - flow.counted
        flow.counted = octets
        if self.octets > self._max_octets:
            self._make_room(now)

    def _make_room(self, now: Instant) -> None:
        """Count anew, and give up the oldest flows until a quarter is free.

        That much, so that the next count is a long way off.
        """
        keys = list(self.flows)
        self.octets = 0
        for key in keys:
            flow = self.flows.get(key, now.mono)
            if flow is not None:
                flow.counted = flow.octets
                self.octets += flow.counted
        for key in keys:
            if self.octets <= self._max_octets * 3 // 4:
                return
            self._forget(key)
            self._evicted += 1

    def _forget(self, key: FlowKey) -> None:
        flow = self.flows.pop(key)
        if flow is not None:
            self._dropped(key, flow)

    def _dropped(self, _key: FlowKey, flow: Flow) -> None:
        self.octets -= flow.counted
        flow.counted = 0


def _start(segment: Segment) -> int:
    """Sequence number of a segment's first payload byte; the SYN itself takes one."""
    return (segment.seq + (1 if segment.flags & _SYN else 0)) % _MOD


def _near(seq: int, other: int) -> bool:
    return (seq - other + WINDOW) % _MOD <= 2 * WINDOW


def _key(segment: Segment) -> FlowKey:
    return segment.src, segment.dst, segment.sport, segment.dport
