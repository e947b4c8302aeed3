"""Refused calls: which of them may be answered, and whose ACK is for us alone.

Between the engine, which rules on messages, and whoever sends the answer. Knows what
makes an answer a reflection, and where in a connection it belongs; it must not know
how one is sent.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

from ringfence.decision import Decision, Ruling, Verdict
from ringfence.decode.stream import Streams
from ringfence.facts import Facts
from ringfence.packet import Datagram, Segment
from ringfence.sip.answer import UNANSWERED
from ringfence.state import BoundedTable

TIMER_H: Final = 32.0
"""Seconds in which the ACK of a refused INVITE may come (RFC 3261 section 17.2.1)."""

MAX_REFUSED: Final = 1_024
"""Refused calls remembered; all come from our own side, at most 50 a second are
answered, and a site with fifty phones makes a few a minute."""

MAX_UNSEEN: Final = 65_535
"""Bytes on their way to a caller who is answered: a window without scaling. More means
that we have missed a part of the connection."""

_SYN, _ACK = 0x02, 0x10

ABSORBED: Final = Ruling(Verdict.DROP, None, "acknowledges a refusal", "builtin")
"""On an ACK that the next server has nothing for: it never saw the INVITE."""

_Key = tuple[bytes, bytes, str, str | None, str]


class Refusals:
    """INVITEs from inside that were refused, until their ACK can no longer come."""

    def __init__(self) -> None:
        """Start with none."""
        self._refused: BoundedTable[_Key, bool] = BoundedTable(MAX_REFUSED, TIMER_H)
        self.absorbed = 0
        """ACKs that went no further."""

    def ruled(self, facts: Facts, ruling: Ruling, mono: float) -> None:
        """Remember a refused INVITE; forget it when the same one passes after all."""
        if facts.message.method != "INVITE" or facts.side != "inside":
            return
        if ruling.verdict is Verdict.REJECT:
            self._refused.put(_key(facts), True, mono)
        elif len(self._refused):
            self._refused.pop(_key(facts))

    def absorbs(self, facts: Facts, mono: float) -> bool:
        """Tell whether a message is the ACK of a refused INVITE, and count it.

        Over TCP it never is: there it comes on the refused flow, which is dead, or
        on a new one, which the loss of a segment would kill.
        """
        if facts.message.method != "ACK" or not len(self._refused):
            return False
        if not isinstance(facts.packet, Datagram):
            return False
        if not self._refused.get(_key(facts), mono):
            return False
        self.absorbed += 1
        return True


class Refused(NamedTuple):
    """A request that is to be answered."""

    facts: Facts
    ruling: Ruling


def reachable(indev: int, strangers: Collection[int]) -> bool:
    """Tell whether something may be sent back to where a packet came from.

    `indev` is the interface that it came in on, `strangers` those that face the
    outside. Only what this machine sent itself is sound, and what came in on an
    interface known to face nobody else: anywhere else the sender's address may be a
    victim's.
    """
    return indev == 0 or (indev > 0 and bool(strangers) and indev not in strangers)


def to_answer(
    decision: Decision, indev: int, strangers: Collection[int]
) -> Refused | None:
    """Return the request of a packet that may be answered.

    Of several requests in a segment it is the first: its answer ends the connection.
    """
    if decision.verdict is not Verdict.REJECT or not reachable(indev, strangers):
        return None
    for finding in decision.findings:
        facts = finding.facts
        assert isinstance(facts, Facts)  # noqa: S101 - tells the type checker
        if (
            finding.ruling.verdict is Verdict.REJECT
            and facts.side == "inside"
            and facts.message.method is not None
            and facts.message.method not in UNANSWERED
        ):
            return Refused(facts, finding.ruling)
    return None


def next_back(streams: Streams, segment: Segment, mono: float) -> int | None:
    """Return the sequence number at which a segment's receiver would go on.

    That is behind all that it has sent to our knowledge, even if the sender of the
    segment has yet to see it. None while it is in the middle of a message, and for a
    segment that belongs to no connection.
    """
    if segment.flags & (_SYN | _ACK) != _ACK or segment.cut:
        return None
    src, dst, sport, dport = segment[:4]
    flow = streams.flows.get((dst, src, dport, sport), mono)
    if flow is None:
        return segment.ack
    if flow.data or flow.skip or flow.ahead or flow.dead:
        return None
    unseen = (flow.next_seq - segment.ack) % (1 << 32)
    return flow.next_seq if unseen <= MAX_UNSEEN else segment.ack


def _key(facts: Facts) -> _Key:
    """Tell one INVITE from another; its ACK has all of this (section 17.1.1.3)."""
    message, packet = facts.message, facts.packet
    return packet.src, packet.dst, message.branch, message.call_id, message.cseq[0]
