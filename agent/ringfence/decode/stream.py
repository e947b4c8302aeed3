"""All followed flows, and which segment belongs to which (RFC 9293 section 3.4).

Knows connections and their beginnings and ends; how a flow's bytes get into order is
`flow.py`'s part, which flows matter is the caller's. Both sides of a connection are
separate flows. All that a stranger can grow here has a bound: flows, bytes, and flows
that were given up in the middle of a message.

A stranger also decides what a segment claims. None that the receiver would ignore
may make us lose our place: a SYN in the middle of a connection or a FIN out of order
changes nothing. Inline we ask more: a new connection between the same ports is believed
once its receiver has answered the SYN, and an ended flow is forgotten once its receiver
has acknowledged all of it, since either segment may have been one that never arrives.

Whose acknowledgement is believed: that of a packet which came in on another interface
than the flow's own segments, and not, where those come from outside, from outside. Who
sends a flow can then not acknowledge it himself. Outside anybody can forge what a
receiver there says, but he gains only if a machine inside is his as well; and who
receives there could acknowledge an answer before it is sent, to keep us from reading
it, so of him nothing is believed that the sender's own segments do not bear out.
"""

from typing import Final

from ringfence.decode.flow import MOD, Flow
from ringfence.packet import Instant, Segment
from ringfence.state import BoundedTable

MAX_FLOWS: Final = 4_096
"""Directions tracked at once. 50 phones on TCP are 100; a router has few more."""

FLOW_AGE: Final = 3_600.0
"""Seconds without a segment after which a flow is forgotten; phones refresh sooner."""

MAX_LOST: Final = 4_096
"""Flows remembered that were given up, by age or for want of room, while their
receiver may have waited for the rest of a message; half a kilobyte each."""

MAX_OCTETS: Final = 4 << 20
"""Bytes held by all flows: a router has 64 MB and better uses for it. Enough for a
thousand messages in the making."""

_FIN_RST = 0x05
_SYN = 0x02

FlowKey = tuple[bytes, bytes, int, int]


class Streams:
    """All tracked flows."""

    def __init__(self, capacity: int = MAX_FLOWS, octets: int = MAX_OCTETS) -> None:
        """Hold at most `capacity` flows, and of all together `octets` bytes."""
        self.flows: BoundedTable[FlowKey, Flow] = BoundedTable(
            capacity, FLOW_AGE, self._dropped
        )
        self.lost: BoundedTable[FlowKey, Flow] = BoundedTable(MAX_LOST, float("inf"))
        """Flows given up in the middle of a message: dead until a new connection."""
        self.octets = 0
        """Bytes held, at most: what was taken off a flow since its last segment is
        still counted."""
        self._max_octets = octets
        self._evicted = 0

    @property
    def evicted(self) -> int:
        """Flows given up because there were too many, or too many bytes."""
        return self._evicted + self.flows.evicted

    def find(self, segment: Segment, now: Instant, indev: int = -1) -> Flow | None:
        """Return the flow of a segment that came in on `indev`, if it is tracked.

        `indev` is negative while we only watch; a reload may change that.
        """
        key = _key(segment)
        flow = self.flows.get(key, now.mono)
        if flow is not None:
            if (flow.indev < 0) is not (indev < 0):
                flow.indev = indev
            if indev < 0 and segment.payload:
                flow.begin_anew(segment.seq)
            return flow
        self.flows.expire(now.mono)
        return self.lost.get(key, now.mono)

    def heed(
        self, segment: Segment, now: Instant, indev: int, outside: frozenset[int]
    ) -> None:
        """Take from a segment with ACK what it says of the flow the other way.

        It came in on `indev`; `outside` are the interfaces that face strangers.
        """
        key = segment.dst, segment.src, segment.dport, segment.sport
        flow = self.flows.get(key, now.mono)
        if segment.flags & _SYN and flow is None:
            flow = self.lost.get(key, now.mono)
        if flow is None or flow.indev < 0:
            return
        ack = segment.ack
        believed = not indev or (
            indev != flow.indev and (indev not in outside or flow.indev not in outside)
        )
        if (
            segment.flags & _SYN
            and ack == flow.reopened != flow.first
            # Where no acknowledgement can be believed there is but this.
            and (believed or flow.acked is None)
        ):
            flow.start(ack)
            self.lost.pop(key)
            self.flows.put(key, flow, now.mono)
        if believed and not flow.dead:
            flow.acknowledge(ack, sure=indev not in outside)
            if flow.ended and flow.over:
                self._forget(key)

    def full(self, now: Instant) -> bool:
        """Tell whether one more flow would push the oldest out."""
        self.flows.expire(now.mono)
        return len(self.flows) >= self.flows.capacity

    def open(self, segment: Segment, now: Instant, indev: int = -1) -> Flow:
        """Track the flow of a segment from this segment's first byte on.

        A SYN for a flow that is tracked is believed once data follows it, or inline
        (`indev` is not negative) once it is answered: until then the old connection
        may go on, and its receiver ignores the SYN.
        """
        self.flows.expire(now.mono)
        start = start_of(segment)
        key = _key(segment)
        flow = self.flows.get(key, now.mono) or self.lost.get(key, now.mono)
        if flow is not None:
            flow.reopened = start
            if segment.payload and indev < 0:  # TCP Fast Open, RFC 7413
                flow.begin_anew(start)
            return flow
        flow = Flow(start, indev=indev, uncertain=not segment.flags & _SYN)
        flow.counted = flow.octets
        self.octets += flow.counted
        self.flows.put(key, flow, now.mono)
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
                flow.ended = True
                if flow.indev < 0 or flow.over:
                    self._forget(key)
            return False
        self.flows.put(key, flow, now.mono)
        if not segment.payload:
            return False
        start = start_of(segment)
        grown = flow.push(start, segment.payload, cut=segment.cut)
        if segment.flags & _FIN_RST and flow.next_seq == (
            (start + len(segment.payload)) % MOD
        ):
            flow.ended = True
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
            self._forget(key, given_up=True)
            self._evicted += 1

    def _forget(self, key: FlowKey, *, given_up: bool = False) -> None:
        flow = self.flows.pop(key)
        if flow is None:
            return
        if given_up:
            self._dropped(key, flow)
        else:
            self.octets -= flow.counted
            flow.counted = 0

    def _dropped(self, key: FlowKey, flow: Flow) -> None:
        """Let a flow go that has not ended: inline, what it began stays unfinished.

        Or it would be begun again in the middle of a message, whose rest nobody could
        judge, by whoever waits long enough or fills the table.
        """
        self.octets -= flow.counted
        flow.counted = 0
        if flow.indev >= 0 and (flow.dead or flow.unfinished):
            flow.retire()
            self.lost.put(key, flow, 0.0)


def start_of(segment: Segment) -> int:
    """Sequence number of a segment's first payload byte; the SYN itself takes one."""
    return (segment.seq + (1 if segment.flags & _SYN else 0)) % MOD


def _key(segment: Segment) -> FlowKey:
    return segment.src, segment.dst, segment.sport, segment.dport
