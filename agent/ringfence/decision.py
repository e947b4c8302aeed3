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
    """Seconds of the ban that begins with this message, one of five steps; 0: none.

    Whom it bans, `Decision.ban` says: the message itself may pass, as the answer does
    that told of a failure."""

    @property
    def stops(self) -> bool:
        """True when something was stopped, or would have been but for monitoring.

        The message itself, or whatever else its sender (for an answer: its receiver)
        will send, by a ban or a guard.
        """
        return (
            self.verdict is not Verdict.ACCEPT
            or self.rule is not None
            or self.would is not None
        )


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
    """Which of the packet's addresses is to be banned; "dst" for what an answer told.

    IPv4 bans one address, IPv6 the /64 around it (`facts.network_key`)."""
    ban_s: int = 0
    """Seconds of that ban, one of `rules.bans.STEPS`; 0 without one."""


class Finding(NamedTuple):
    """One message, the facts it was judged on, and the ruling."""

    facts: object
    """`ringfence.facts.Facts`; typed loosely so that the core's small types stay
    below its large ones."""
    ruling: Ruling


NOT_SIP: Final = Decision(Verdict.ACCEPT, "not-sip")
"""The packet holds no SIP message: RTP, keep-alives, HTTP, a part of a message."""
