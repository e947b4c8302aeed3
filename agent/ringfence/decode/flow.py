"""One direction of one TCP connection: its bytes in order (RFC 9293 section 3.4).

Knows sequence numbers and nothing of SIP: whoever reads takes messages off
`Flow.data`. A flow is followed in one of two ways.

Passively, in captures and while we only watch, every segment reaches the receiver:
`push` holds what comes too early and gives a gap up when nothing will close it.

Inline we decide what the receiver gets, and `admit` is asked first. What lies ahead
of the next byte in order is stopped, the sender repeats it, and so all that the
receiver has is what was judged, in the order in which it was judged. What we have not
seen pass (the queue was full, the agent was away) the receiver alone can tell:
`acknowledge` believes it, and whose word that is the caller decides. Where it tells
nothing, a sender that keeps repeating what we think too early is followed there, and
what it left out never passes any more.

A sender that repeats itself with other bytes contradicts itself; since nobody can tell
which of them the receiver has kept, its flow is dead. Only what the receiver has
acknowledged may differ: it throws that away unread. (Which segments have a wrong
checksum or will not live to reach the receiver we cannot tell, nor need to.)
"""

from typing import Final, Literal

MAX_AHEAD: Final = 32
"""Segments held that came before their predecessor; more means capture loss."""

MAX_AHEAD_OCTETS: Final = 65_536
"""Bytes of those segments: a receive window without scaling."""

MAX_REPEAT: Final = 4_096
"""Bytes kept to compare repeats with while only watching, three full segments: a
sender repeats what was lost last, and SIP keeps little in flight."""

MAX_UNACKNOWLEDGED: Final = 65_536
"""Bytes kept to compare repeats with inline. What nobody has acknowledged and we do
not hold any more cannot be sent again: it is a window without scaling."""

WINDOW: Final = 1 << 18
"""Bytes around the expected one in which a sequence number is taken for this
connection's; receivers of SIP announce a quarter of it. Inline no more than this may
be sent ahead of what was acknowledged: going on where no receiver can follow, a sender
could come round to the same numbers again."""

MAX_UNHEARD: Final = 1 << 31
"""As `WINDOW`, where no word of the receiver ever comes past."""

MAX_INSISTENCE: Final = 5
"""Times that the same early bytes must come, and nothing before them, until they are
taken for the next ones. An honest sender repeats the byte that was lost, and at most
once what follows it (the tail loss probe of RFC 8985); its fifth try comes after 2 to
3 s."""

OVERHEAD: Final = 512
"""Bytes that a flow costs besides what it holds, or empty ones would be free."""

MOD: Final = 1 << 32

Stop = Literal["early-segment", "stale-segment"]
"""Why a segment must not pass: it lies ahead of the next byte in order, or repeats
what was neither acknowledged nor is held."""


class Flow:
    """Where one direction of one connection has got to."""

    __slots__ = (
        "_early",
        "_gap",
        "_insisted",
        "_others",
        "_recent",
        "_unheard",
        "acked",
        "ahead",
        "counted",
        "data",
        "dead",
        "elsewhere",
        "ended",
        "first",
        "indev",
        "next_seq",
        "reopened",
        "skip",
        "uncertain",
    )

    def __init__(
        self, next_seq: int, *, indev: int = -1, uncertain: bool = False
    ) -> None:
        """Start at the sequence number of the next byte expected.

        `indev` is the interface its segments come in on, negative when we only watch.
        With `uncertain` bytes before that one may still be missing at the receiver.
        """
        self.counted = 0
        """Bytes that `Streams` believes this flow to hold."""
        self.indev = indev
        self.start(next_seq, uncertain=uncertain)

    def start(self, next_seq: int, *, uncertain: bool = False) -> None:
        """Begin anew, as the next connection between the same ports."""
        self.first = self.next_seq = next_seq
        self.uncertain = uncertain
        self.data = bytearray()
        """Bytes in order that nobody has taken yet."""
        self.ahead: dict[int, bytes] = {}
        """Segments that came too early and passed, by sequence number."""
        self.skip = 0
        """Bytes of a body still to come that need not be kept."""
        self.dead = False
        """True once a message was refused or the sender contradicted itself: nothing
        of this flow passes any more."""
        self.ended = False
        """True once its sender said that nothing more comes."""
        self.reopened: int | None = None
        """Where the next connection starts, once a SYN has announced one."""
        self.acked: int | None = None
        """What the receiver expects next, by its own word; never beyond `next_seq`."""
        self.elsewhere: int | None = None
        """The same when it is not to be believed yet: too far ahead, or of a connection
        that we do not know."""
        self._recent = bytearray()
        self._gap = False
        self._early = 0
        self._insisted = 0
        self._others = 0
        self._unheard = 0

    @property
    def octets(self) -> int:
        """Bytes held, `OVERHEAD` included."""
        held = len(self.data) + len(self._recent) + OVERHEAD
        return held + sum(map(len, self.ahead.values())) if self.ahead else held

    @property
    def unfinished(self) -> bool:
        """True when the receiver may wait for the rest of a message.

        What is acknowledged it has. Of the rest it may have other bytes than we, since
        a segment did not live to reach it, or later ones than it can use. Where it is
        never heard that is not held against a connection whose beginning was seen.
        """
        heard = self.acked is not None or self.uncertain
        return bool(self.data or self.skip or (heard and self._recent))

    @property
    def over(self) -> bool:
        """True when its sender has ended it and the receiver has all of it."""
        return self.ended and self.acked == self.next_seq and not self.unfinished

    def retire(self) -> None:
        """Give up what is held: the rest could not be judged, so none of it passes."""
        first, acked = self.first, self.acked
        self.start(self.next_seq)
        self.first, self.acked, self.dead = first, acked, True

    def push(self, seq: int, payload: bytes, *, cut: bool = False) -> bool:
        """Take one segment's bytes; True when there are new ones to read.

        A repeated part is passed over. A part from ahead waits; when too many wait,
        or when what is missing was cut off by the capture, the gap is given up and
        reading resumes behind it. Inline, `admit` lets nothing come from ahead.
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
        if start is not None and near(seq, start) and not near(seq, self.next_seq):
            self.start(start)

    # Inline ---------------------------------------------------------------------------

    def admit(self, seq: int, payload: bytes) -> Stop | None:
        """Say why a segment must not pass, or make ready to `push` it.

        After None the flow may still turn out dead in `push`.
        """
        distance = 0
        if seq != self.next_seq:
            distance = signed(seq - self.next_seq)
            if distance > 0 or distance < -WINDOW:
                if not self._resume(seq, distance, len(payload)):
                    return "early-segment"
                distance = signed(seq - self.next_seq)
        advance = distance + len(payload)
        if self.acked is not None:
            if (self.next_seq - self.acked) % MOD + advance > WINDOW:
                return "early-segment"
        elif advance > 0:
            if self._unheard > MAX_UNHEARD:
                return "early-segment"
            self._unheard += advance
        if distance < 0 and not self._repeats(seq, payload, -distance):
            return "stale-segment"
        return None

    def acknowledge(self, ack: int, *, sure: bool = True) -> None:
        """Believe that the receiver has everything before a sequence number.

        What of that we have not seen went past us, and the sender will not repeat it.
        Unless we are `sure`, the sender has to say so too, by going on behind it: a
        receiver could hide from us what it is about to be sent.
        """
        if ack == self.next_seq:  # as nearly always
            self.acked, self.elsewhere = ack, None
            self._recent.clear()
            return
        distance = signed(ack - self.next_seq)
        if self.ended and distance == 1:  # the FIN itself
            ack, distance = self.next_seq, 0
        if abs(distance) > WINDOW or (distance > 0 and not sure):
            self.elsewhere = ack
            return
        self.elsewhere = None
        if distance > 0:
            self._lose(ack)
        if self.acked is None or signed(ack - self.acked) > 0:
            self.acked = ack
            surplus = len(self._recent) - signed(self.next_seq - ack)
            if surplus > 0:
                del self._recent[:surplus]

    def _resume(self, seq: int, distance: int, size: int) -> bool:
        """Find our place again if a segment is early only because we have lost it."""
        elsewhere = self.elsewhere
        if elsewhere is not None and near(seq, elsewhere):
            missing = signed(elsewhere - self.next_seq)
            unknown = abs(missing) > WINDOW
            if unknown or 0 < missing <= distance + size:
                if unknown:
                    self.start(elsewhere)
                else:
                    self._lose(elsewhere)
                self.acked, self.elsewhere = elsewhere, None
                return signed(seq - elsewhere) <= 0
        if not 0 < distance <= WINDOW:
            return False
        later = signed(seq - self._early)
        if later > 0 and self._insisted and self._others < MAX_INSISTENCE:
            self._others += 1
            return False
        # Of several early segments the first counts, while it is still repeated.
        self._insisted = 1 if later else self._insisted + 1
        self._early, self._others = seq, 0
        if self._insisted < MAX_INSISTENCE:
            return False
        self._lose(seq)
        self.uncertain = True
        return True

    def _repeats(self, seq: int, payload: bytes, back: int) -> bool:
        """Tell whether what is repeated, from `back` bytes ago on, may pass."""
        acked = 0 if self.acked is None else max(0, signed(self.acked - seq))
        unheld = min(back - len(self._recent), len(payload))
        if unheld > acked:
            return self._pull_back(seq + acked)
        # A keep-alive carries any byte (RFC 9293 section 3.8.4), but of bytes that
        # have arrived. Else whole messages would pass as keep-alives.
        return len(payload) > 1 or acked > 0 or self._recent[-back] == payload[0]

    def _pull_back(self, seq: int) -> bool:
        """Begin sooner, if our first segment was not the first one in order."""
        held = len(self._recent) + sum(map(len, self.ahead.values()))
        if not (
            self.uncertain
            and len(self._recent) == signed(self.next_seq - self.first)
            and len(self.ahead) < MAX_AHEAD
            and held <= MAX_AHEAD_OCTETS
        ):
            return False
        self.ahead[self.first] = bytes(self._recent)
        self._recent.clear()
        self.data.clear()
        self.skip = 0
        self.first = self.next_seq = seq % MOD
        return True

    # Either way -----------------------------------------------------------------------

    def _distance(self, seq: int) -> int:
        """How far ahead of the expected byte; negative for a repeat."""
        return (seq - self.next_seq + WINDOW) % MOD - WINDOW

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
        if not payload:
            return False
        self.next_seq = (self.next_seq + len(payload)) % MOD
        self._insisted = 0
        recent = self._recent
        recent += payload
        most = MAX_UNACKNOWLEDGED if self.indev >= 0 else MAX_REPEAT
        if len(recent) > most:
            del recent[:-most]
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
        self._lose(first)
        return True

    def _lose(self, seq: int) -> None:
        """Go on at a byte though what lies before it was never seen."""
        missing = signed(seq - self.next_seq)
        if 0 <= missing <= self.skip:
            self.skip -= missing
        else:
            self.data.clear()
            self.skip = 0
        self._recent.clear()
        self._insisted = 0
        self.next_seq = seq


def signed(difference: int) -> int:
    """How far a sequence number is ahead of another, given their difference."""
    return (difference + (MOD >> 1)) % MOD - (MOD >> 1)


def near(seq: int, other: int) -> bool:
    """Tell whether two sequence numbers may belong to the same connection."""
    return (seq - other + WINDOW) % MOD <= 2 * WINDOW
