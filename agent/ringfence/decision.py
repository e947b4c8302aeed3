"""What comes out of the engine: one `Decision` a packet, one `Finding` a message."""

from enum import IntEnum
from typing import Final, Literal, NamedTuple

Whom = Literal["src", "dst"]
"""Which address of a packet a ban is for."""


class Verdict(IntEnum):
    """What happens to a packet, mildest first so that `max` picks the strictest."""

    ACCEPT = 0
    REJECT = 1
    """Refused with a SIP response where the sender is inside; else as DROP."""
    DROP = 2

    @property
    def word(self) -> str:
        """The name that logs, JSON and rule files use."""
        return self.name.lower()


class Ruling(NamedTuple):
    """What is done with one message, and by whose word."""

    verdict: Verdict
    rule: str | None
    """Id of the rule that decided; None when none did."""
    reason: str
    """Why, for a person; never empty."""
    source: str
    """`builtin`, `allow`, `block`, `bundle` or `default` (see CONTRACT)."""
    would: Verdict | None = None
    """The verdict that monitoring held back; None when nothing was held back."""
    ban_s: int = 0
    """Seconds the source is to be banned; 0 for no ban."""

    @property
    def stops(self) -> bool:
        """True when the message was stopped, or would have been but for monitoring."""
        return self.verdict is not Verdict.ACCEPT or self.would is not None


class Decision(NamedTuple):
    """What is done with one packet."""

    verdict: Verdict
    reason: str
    """Name of the reason when there is no finding: `not-sip`, `ip.short`, …"""
    findings: "tuple[Finding, ...]" = ()
    """One for each SIP message that this packet completed, in order."""
    malformed: str | None = None
    """The `Malformed` reason, when the packet could not be read."""
    ban: Whom | None = None
    """Whom to ban for the `ban_s` of the findings; "dst" for what an answer told."""


class Finding(NamedTuple):
    """One message, the facts it was judged on, and the ruling."""

    facts: object
    """`ringfence.facts.Facts`; typed loosely so that the core's small types stay
    below its large ones."""
    ruling: Ruling


NOT_SIP: Final = Decision(Verdict.ACCEPT, "not-sip")
"""The packet holds no SIP message: RTP, keep-alives, HTTP, a part of a message."""
