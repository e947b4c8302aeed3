"""One call of the office as it was decided: the truth that tests count against.

And between whom calls pass: the PBX, its trunk, their accounts. Knows no messages.
"""

from typing import NamedTuple

from dialogs import Agent, Line

PBX = Agent("192.168.50.2", 5060, "203.0.113.1", 5060, "Office PBX 4.2", "203.0.113.1")
"""Inside; it knows its address outside and writes that. The router is where the packets
are seen, on the inner side of its NAT."""
TRUNK = Agent("198.51.100.50", 5060, "198.51.100.50", 5060, "Carrier SBC 9")
LINE = Line("0312345600", "itsp.example.jp", "trunk-secret")
"""The office's account with its carrier, and its number."""
OFFICE_REALM = "pbx.office.example"

ANSWERED, BUSY, UNANSWERED, CANCELLED = "answered", "busy", "unanswered", "cancelled"
UNREACHABLE, UNKNOWN, CROSSED = "unreachable", "unknown", "crossed"


def account(who: str) -> Line:
    """Give an account of the PBX."""
    return Line(who, OFFICE_REALM, "s3cret-s3cret")


class Call(NamedTuple):
    """One call: what is true of it. Times are seconds since 1970."""

    call_id: str
    """Call-ID between PBX and trunk."""
    direction: str
    """`out` or `in`, as the office sees it; only calls out cost it money."""
    theft: bool
    who: str
    """The office's account; "" where nobody's telephone rang."""
    dialled: str
    """What the PBX asks the trunk for; the office's number for calls in."""
    number: str
    """The other party's, in E.164 with its plus; the digits of a service number; ""
    for a caller that withholds it."""
    country: str
    """ISO 3166 code of the other party's country; "" where it is withheld."""
    begin: float
    """The first INVITE between PBX and trunk."""
    answered: float | None
    """The first 200 to it; None when there is none."""
    ended: float
    """BYE, the refusal or the CANCEL; where `ended_by` is "" when the line broke."""
    outcome: str
    """`answered`; `busy`, `unanswered` (the caller gives up), `cancelled` (at once),
    `unreachable` or `unknown` (the network says so); `crossed`: given up, but the 200
    was on its way, so that it counts as answered."""
    ended_by: str
    """`caller`, `called`, or "" when neither could say so any more."""
    outer: Agent | None = None
    """The telephone outside that calls out through the PBX, or that an incoming call
    rings too."""
    rings_only: bool = False
    """Of `outer`, for calls in: a telephone inside answers, this one stops ringing."""
    diverted: bool = False
    """Sent on by the PBX: the other half of another call."""

    @property
    def duration(self) -> float:
        """Seconds for which it is charged, 0 if it was never answered."""
        return 0.0 if self.answered is None else self.ended - self.answered
