"""One call, as far as it can be seen from beside the line.

Knows a call's ends, number, times and how it stands. It must not know messages, prices
or what is usual.
"""

from copy import copy
from enum import IntEnum
from typing import Final, Literal, NamedTuple

from ringfence.facts import Facts
from ringfence.facts.facts import network_key
from ringfence.facts.numbers import Reading
from ringfence.packet import Instant

MAX_NAME: Final = 64
"""Characters kept of an account or a number; E.164 has 15 digits."""

MAX_OTHERS: Final = 3
"""Other readings of a number abroad whose price counts."""

Direction = Literal["in", "out"]
"""`out`: the sender of the INVITE is on our side; `in`: it is not."""


class State(IntEnum):
    """How a call stands."""

    CALLING = 1
    """No answer yet, or cancelled."""
    CHALLENGED = 2
    """Refused in a way that callers mend at once, such as 401."""
    RINGING = 3
    """There was a provisional answer."""
    TALKING = 4
    QUIET = 5
    """Answered, without a sign for so long that its BYE may have been missed."""
    OVER = 6
    """Kept for what is repeated of it."""


RUNNING: Final = frozenset({State.CALLING, State.RINGING, State.TALKING})
"""States that count among the calls at once."""


class Inbound(NamedTuple):
    """A call that came shortly before another one went out from where it went."""

    account: str
    source: bytes
    """Address that it came from."""
    number: str
    """What it dialled; the same number: our PBX only passed the call on."""
    gap_s: float
    """Seconds between the beginnings of the two."""


class Call:
    """One call: an initial INVITE with all that is repeated, forked or answered of it.

    Monotonic times are in seconds. A call through a PBX on our side shows twice, from
    phone to PBX and on to the trunk. Then the first `counts` and the second `costs`:
    it may live on when the first is transferred.
    """

    __slots__ = (
        "abroad",
        "account",
        "answered",
        "begun",
        "callees",
        "caller",
        "carried",
        "costs",
        "country",
        "counts",
        "cseq",
        "dialogs",
        "direction",
        "e164",
        "ended",
        "follows",
        "key",
        "kind",
        "last",
        "noted",
        "number",
        "others",
        "paths",
        "serial",
        "source",
        "state",
        "status",
        "tier",
        "why",
    )

    def __init__(self, facts: Facts, reading: Reading, serial: int, now: Instant):
        """Begin a call with the INVITE that `facts` are about."""
        self.serial = serial
        """Different for each call of a view."""
        self.direction: Direction = "out" if facts.side == "inside" else "in"
        self.account = facts.account[:MAX_NAME]
        self.source = facts.source
        """Address of the caller's end, and `caller` its network."""
        self.caller = network_key(facts.source)
        self.callees: tuple[bytes, ...] = (network_key(facts.packet.dst),)
        """Networks that its INVITEs went to."""
        self.kind = reading.kind
        self.number = reading.number[:MAX_NAME]
        self.e164 = reading.e164[:MAX_NAME]
        self.country = reading.country
        self.tier = reading.tier
        self.abroad = reading.abroad
        self.others: tuple[str, ...] = ()
        """E.164 digits of readings that weigh as much; see `Reading.alternatives`."""
        if reading.abroad and reading.alternatives:
            others = reading.alternatives[:MAX_OTHERS]
            self.others = tuple(one.e164[:MAX_NAME] for one in others if one.abroad)
        self.begun = now
        self.answered: Instant | None = None
        self.ended: float | None = None
        self.last = now.mono
        """When there was a sign of it last."""
        self.status = 0
        """Final status of its INVITE; 0: none was seen."""
        self.why = ""
        """How it ended: `bye`, `refused`, `cancelled`, `unanswered`, or `lost` when
        nothing was heard of an answered one any more."""
        self.counts = True
        """It is an attempt of its own."""
        self.costs = self.direction == "out"
        """The carrier would bill it, once it is answered."""
        self.carried = 0
        """Calls of our PBX that pass this one on."""
        self.follows: Inbound | None = None
        self.noted: object = None
        """What others have to know of it when it is over."""
        self.state = State.CALLING
        # What the view finds it by.
        self.key = 0
        self.cseq = b""
        self.paths: dict[int, int] = {}
        """Final status of each INVITE, 0 for none."""
        self.dialogs: dict[int, tuple[bytes, bytes] | None] = {}
        """The networks that each dialog runs between; None when it has ended."""

    def again(self, serial: int, now: Instant) -> "Call":
        """Return the same call as one that begins now, its INVITEs sent already."""
        call = copy(self)
        call.serial, call.begun, call.last = serial, now, now.mono
        call.answered, call.ended, call.status, call.why = None, None, 0, ""
        call.carried, call.follows, call.dialogs = 0, None, {}
        call.paths = dict(self.paths)
        return call

    @property
    def passed_on(self) -> bool:
        """Our PBX dialled it for a call to the same number."""
        return self.follows is not None and self.follows.number == self.number

    def talked(self, mono: float) -> float:
        """Return the seconds talked until the end, or until now; 0 if unanswered."""
        if self.answered is None:
            return 0.0
        until = mono if self.ended is None else self.ended
        return max(0.0, until - self.answered.mono)

    @property
    def rang(self) -> float:
        """Seconds from the INVITE to the answer or to the end, so far to the last sign."""
        until = self.last if self.ended is None else self.ended
        if self.answered is not None:
            until = self.answered.mono
        return max(0.0, until - self.begun.mono)


class Event(NamedTuple):
    """Something happened to a call."""

    kind: Literal["begun", "answered", "ended"]
    """Each at most once a call, in this order; `ended` always comes."""
    call: Call
