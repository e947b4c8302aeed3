"""TCP segments to bytes in order, one flow a direction (RFC 9293 section 3.4).

Knows sequence numbers and nothing of SIP: the caller says which flows matter and
takes messages off `Flow.data`. Both sides of a connection are separate flows. All
that a stranger can grow here has a bound: flows, bytes a flow, segments ahead.
"""

from typing import Final

from ringfence.packet import Instant, Segment
from ringfence.state import BoundedTable

MAX_FLOWS: Final = 4_096
"""Directions tracked at once. 50 phones on TCP are 100; a router has few more."""

FLOW_AGE: Final = 3_600.0
"""Seconds without data after which a flow is forgotten; phones refresh sooner."""

MAX_AHEAD: Final = 32
"""Segments held that came before their predecessor; more means capture loss. With
`sip.framing`'s bounds on a message in the making this bounds the bytes of a flow."""

_FIN_RST = 0x05
_SYN = 0x02
_MOD = 1 << 32
_HALF = 1 << 31

FlowKey = tuple[bytes, bytes, int, int]


class Flow:
    """One direction of one connection."""

    __slots__ = ("ahead", "data", "dead", "next_seq", "skip")

    def __init__(self, next_seq: int) -> None:
        """Start at the sequence number of the next byte expected."""
        self.next_seq = next_seq
        self.data = bytearray()
        """Bytes in order that nobody has taken yet."""
        self.ahead: dict[int, bytes] = {}
        self.skip = 0
        """Bytes of a body still to come that need not be kept."""
        self.dead = False
        """True once a message was refused: nothing of this flow passes any more."""

    def _append(self, payload: bytes) -> None:
        self.next_seq = (self.next_seq + len(payload)) % _MOD
        if self.skip:
            skipped = min(self.skip, len(payload))
            self.skip -= skipped
            payload = payload[skipped:]
        self.data += payload

    def push(self, seq: int, payload: bytes) -> bool:
        """Take one segment's bytes; True when `data` grew.

        A repeated part is passed over. A part from ahead waits; when too many wait,
        the gap is given up and reading resumes behind it.
        """
        before = len(self.data)
        self._place(seq, payload)
        while self.ahead:
            if len(self.ahead) > MAX_AHEAD:
                self._resume()
                continue
            ready = [s for s in self.ahead if (s - self.next_seq) % _MOD >= _HALF]
            if self.next_seq in self.ahead:
                ready.append(self.next_seq)
            if not ready:
                break
            for start in ready:
                self._place(start, self.ahead.pop(start))
        return len(self.data) > before

    def _place(self, seq: int, payload: bytes) -> None:
        offset = (seq - self.next_seq) % _MOD
        if offset == 0:
            self._append(payload)
        elif offset < _HALF:
            self.ahead.setdefault(seq, payload)
        elif len(payload) > _MOD - offset:
            self._append(payload[_MOD - offset :])

    def _resume(self) -> None:
        nearest = min(self.ahead, key=lambda s: (s - self.next_seq) % _MOD)
        self.data.clear()
        self.skip = 0
        self.next_seq = nearest


class Streams:
    """All tracked flows."""

    def __init__(self, capacity: int = MAX_FLOWS) -> None:
        """Hold at most `capacity` flows."""
        self.flows: BoundedTable[FlowKey, Flow] = BoundedTable(capacity, FLOW_AGE)

    def find(self, segment: Segment, now: Instant) -> Flow | None:
        """Return the flow of a segment, if it is tracked."""
        return self.flows.get(_key(segment), now.mono)

    def full(self, now: Instant) -> bool:
        """Tell whether one more flow would push the oldest out."""
        self.flows.expire(now.mono)
        return len(self.flows) >= self.flows.capacity

    def open(self, segment: Segment, now: Instant) -> Flow:
        """Track the flow of a segment from this segment's first byte on."""
        flow = Flow((segment.seq + (1 if segment.flags & _SYN else 0)) % _MOD)
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
                self.flows.pop(key)
            return False
        self.flows.put(key, flow, now.mono)
        if not segment.payload:
            return False
        start = segment.seq + (1 if segment.flags & _SYN else 0)
        return flow.push(start % _MOD, segment.payload)


def _key(segment: Segment) -> FlowKey:
    return segment.src, segment.dst, segment.sport, segment.dport
