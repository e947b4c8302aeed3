"""Packets in, SIP messages out: the way from the queue to what can be judged.

What is stopped is followed inline (`decode.flow`), what is only watched passively.

Knows which packets may hold SIP and in which order their layers are read; owns the
fragments and flows that packets leave behind. It judges nothing: that a message of a
flow was refused, the engine says by `Flow.dead`.
"""

from typing import Final, NamedTuple

from ringfence.decode import Decoder
from ringfence.decode.flow import Flow
from ringfence.decode.stream import Streams, start_of
from ringfence.errors import Malformed
from ringfence.packet import Datagram, Instant, Packet, Segment
from ringfence.sip.framing import next_message
from ringfence.sip.message import Message, looks_like_sip

_SYN: Final = 0x02
_RST: Final = 0x04
_ACK: Final = 0x10
_URG: Final = 0x20


class Taken(NamedTuple):
    """What one packet held."""

    unit: Datagram | Segment | None = None
    """None: nothing for us, or part of a datagram that is not complete."""
    messages: tuple[Message, ...] = ()
    """Those that this packet completed, in order."""
    flow: Flow | None = None
    """Where a segment belongs; to be marked dead when one of its messages is refused."""
    malformed: str | None = None
    """Why bytes behind those messages could not be read."""
    stop: str | None = None
    """Why the packet must not pass whatever is in it: `refused-flow`,
    `contradicting-flow`, `state-full`, `urgent-segment` or a `decode.flow.Stop`."""


NOTHING: Final = Taken()


class Intake:
    """Reads packets one after the other."""

    def __init__(self) -> None:
        """Start with no fragments and no flows."""
        self.decoder = Decoder()
        self.streams = Streams()
        self.full = 0
        """Segments of new flows for which there was no room."""

    def take(
        self,
        packet: Packet,
        now: Instant,
        ports: frozenset[int],
        *,
        enforcing: bool,
        refuse_full: bool,
        outside: frozenset[int] = frozenset(),
    ) -> Taken:
        """Read one packet; raises `Malformed` when its layers cannot be read.

        `ports` are those on which SIP is expected. Unless `enforcing`, nothing will
        be stopped, so that the receiver has what we have. With `refuse_full` a flow
        too many is stopped; else the oldest is forgotten for it. `outside` are the
        interfaces that face strangers.
        """
        unit = self.decoder.decode(packet, now)
        if unit is None:
            return NOTHING
        if isinstance(unit, Datagram):
            return _datagram(unit, ports)
        indev = packet.indev
        if not enforcing or indev < 0:
            return self._watched(unit, now, ports, enforcing, refuse_full)
        if unit.flags & (_ACK | _RST) == _ACK:
            # Not of a RST: it acknowledges whatever it was sent (RFC 9293, 3.10.7.1).
            self.streams.heed(unit, now, indev, outside)
        return self._inline(unit, now, ports, refuse_full, indev)

    def _flow(
        self,
        segment: Segment,
        now: Instant,
        ports: frozenset[int],
        refuse_full: bool,
        indev: int,
    ) -> Flow | Taken:
        """Find or begin a segment's flow; else return what comes of the segment."""
        flow = self.streams.find(segment, now, indev)
        if flow is None or segment.flags & _SYN:
            if segment.sport not in ports and segment.dport not in ports:
                # Elsewhere only what begins like SIP is followed.
                if not looks_like_sip(segment.payload):
                    return NOTHING
            elif not segment.payload and not segment.flags & _SYN:
                return NOTHING
            if flow is None and self.streams.full(now):
                self.full += 1
                if refuse_full:
                    return Taken(segment, stop="state-full")
            flow = self.streams.open(segment, now, indev)
        return flow

    def _watched(
        self,
        segment: Segment,
        now: Instant,
        ports: frozenset[int],
        enforcing: bool,
        refuse_full: bool,
    ) -> Taken:
        flow = self._flow(segment, now, ports, refuse_full, -1)
        if isinstance(flow, Taken):
            return flow
        stops = bool(segment.payload) and enforcing
        if flow.dead and stops:
            return Taken(segment, stop="refused-flow")
        grown = self.streams.push(flow, segment, now)
        if flow.dead and stops:  # the sender has just contradicted itself
            return Taken(segment, stop="contradicting-flow")
        return _completed(flow, segment) if grown else NOTHING

    def _inline(
        self,
        segment: Segment,
        now: Instant,
        ports: frozenset[int],
        refuse_full: bool,
        indev: int,
    ) -> Taken:
        if segment.flags & _URG and (segment.sport in ports or segment.dport in ports):
            # The receiver takes the urgent byte, of this segment or a later one, out
            # of the stream or leaves it there (RFC 6093): nobody can tell what it
            # reads. SIP has no use for it.
            return Taken(segment, stop="urgent-segment")
        flow = self._flow(segment, now, ports, refuse_full, indev)
        if isinstance(flow, Taken):
            return flow
        payload = segment.payload
        if flow.dead:
            return Taken(segment, stop="refused-flow") if payload else NOTHING
        if payload:
            stop = flow.admit(start_of(segment), payload)
            if stop is not None:
                return Taken(segment, stop=stop)
        grown = self.streams.push(flow, segment, now)
        if flow.dead:  # the sender has just contradicted itself
            return Taken(segment, stop="contradicting-flow")
        return _completed(flow, segment) if grown else NOTHING


def _datagram(datagram: Datagram, ports: frozenset[int]) -> Taken:
    payload = datagram.payload
    expected = datagram.dport in ports
    if looks_like_sip(payload):
        try:
            message = Message(payload)
        except Malformed:
            if not expected:
                raise
        else:
            message.check_length(cut=datagram.cut)
            return Taken(datagram, (message,))
    if not expected:
        return NOTHING
    # We know no receiver that looks for a message behind other lines, but where SIP
    # is expected it costs little to be surer than that.
    found = next_message(payload, cut=True).message
    if found is not None:
        return Taken(datagram, (found,))
    if payload[:9].upper().startswith((b"INVITE ", b"REGISTER ")):
        raise Malformed("sip.start-line")
    return NOTHING


def _completed(flow: Flow, segment: Segment) -> Taken:
    """Take every message that a segment completed off its flow."""
    messages: list[Message] = []
    malformed: str | None = None
    while flow.data:
        try:
            framed = next_message(flow.data, cut=segment.cut)
        except Malformed as error:
            # The flow stays: its next message begins at the next byte in order, not
            # where a stranger lets the next segment begin.
            flow.data.clear()
            malformed = error.reason
            break
        del flow.data[: framed.used]
        flow.skip = framed.skip
        if framed.message is None:
            break
        messages.append(framed.message)
    return Taken(segment, tuple(messages), flow, malformed)
