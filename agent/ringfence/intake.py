"""Packets in, SIP messages out: the way from the queue to what can be judged.

Knows which packets may hold SIP and in which order their layers are read; owns the
fragments and flows that packets leave behind. It judges nothing: that a message of a
flow was refused, the engine says by `Flow.dead`.
"""

from typing import Final, NamedTuple

from ringfence.decode import Decoder
from ringfence.decode.stream import Flow, Streams
from ringfence.errors import Malformed
from ringfence.packet import Datagram, Instant, Packet, Segment
from ringfence.sip.framing import next_message
from ringfence.sip.message import Message, looks_like_sip

_SYN: Final = 0x02


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
    `contradicting-flow` or `state-full`."""


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
    ) -> Taken:
        """Read one packet; raises `Malformed` when its layers cannot be read.

        `ports` are those on which SIP is expected. Unless `enforcing`, nothing will
        be stopped, so that the receiver has what we have. With `refuse_full` a flow
        too many is stopped; else the oldest is forgotten for it.
        """
        unit = self.decoder.decode(packet, now)
        if unit is None:
            return NOTHING
        if isinstance(unit, Datagram):
            return _datagram(unit, ports)
        return self._segment(unit, now, ports, enforcing, refuse_full)

    def _segment(
        self,
        segment: Segment,
        now: Instant,
        ports: frozenset[int],
        enforcing: bool,
        refuse_full: bool,
    ) -> Taken:
        flow = self.streams.find(segment, now)
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
            flow = self.streams.open(segment, now)
        stops = bool(segment.payload) and enforcing
        if flow.dead and stops:
            return Taken(segment, stop="refused-flow")
        grown = self.streams.push(flow, segment, now)
        if flow.dead and stops:  # the sender has just contradicted itself
            return Taken(segment, stop="contradicting-flow")
        return _completed(flow, segment) if grown else NOTHING


def _datagram(datagram: Datagram, ports: frozenset[int]) -> Taken:
    payload = datagram.payload
    if not looks_like_sip(payload):
        if payload[:9].upper().startswith((b"INVITE ", b"REGISTER ")) and (
            datagram.dport in ports
        ):
            raise Malformed("sip.start-line")
        return NOTHING
    message = Message(payload)
    message.check_length(cut=datagram.cut)
    return Taken(datagram, (message,))


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
