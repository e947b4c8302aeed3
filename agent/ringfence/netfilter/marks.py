"""What our four bits of the packet mark say, and how a decision becomes one of them.

The mark is the only thing that travels from the agent to the kernel with a verdict
(adr/0001): drop or pass, whom to ban, and for how long. Knows decisions, no ruleset.
"""

from enum import IntEnum
from typing import Final

from ringfence.decision import Verdict, Whom

_Said = dict[tuple[Verdict, int, Whom], "Code"]

BAN_STEPS: Final = (300, 1800, 7200, 43_200, 86_400)
"""Seconds that a ban by mark can last; five steps are what the four bits have room
for, twice."""


class Code(IntEnum):
    """Every value of the four bits."""

    NONE = 0
    ASKED = 1
    """To be judged; still so behind the queue: nobody did."""
    PASS = 2
    REJECT = 3
    DROP = 4
    BAN_SOURCE_5M = 5
    """Drop the packet and ban its source; the next four alike, for longer."""
    BAN_SOURCE_30M = 6
    BAN_SOURCE_2H = 7
    BAN_SOURCE_12H = 8
    BAN_SOURCE_24H = 9
    BAN_DESTINATION_5M = 10
    """Pass the packet (the answer that told) and ban where it goes to."""
    BAN_DESTINATION_30M = 11
    BAN_DESTINATION_2H = 12
    BAN_DESTINATION_12H = 13
    BAN_DESTINATION_24H = 14
    SAMPLE = 15
    """One of those that the kernel drops by itself, shown to the agent for its log;
    still so behind the queue: dropped like the rest."""


ANSWER: Final = Code.PASS
"""On what the agent itself sends to a refused caller: not looked at, and kept out of
connection tracking, which would take it for a new connection (adr/0007)."""

RESET: Final = Code.REJECT
"""On the segment that ends a refused connection at its server: not looked at, but
tracked, so that it leaves with the address that the server knows."""

VERDICTS: Final = {
    Verdict.ACCEPT: Code.PASS,
    Verdict.REJECT: Code.REJECT,
    Verdict.DROP: Code.DROP,
}


def _steps(verdict: Verdict, whom: Whom, first: Code) -> _Said:
    return {
        (verdict, seconds, whom): Code(first + step)
        for step, seconds in enumerate(BAN_STEPS)
    }


BANS: Final[_Said] = {
    **_steps(Verdict.DROP, "src", Code.BAN_SOURCE_5M),
    **_steps(Verdict.REJECT, "src", Code.BAN_SOURCE_5M),
    **_steps(Verdict.ACCEPT, "dst", Code.BAN_DESTINATION_5M),
}
"""Code of (verdict, ban_s, whom). What is not here cannot be said with a mark: nobody
passes the packet of a source he bans, and a dropped answer tells its receiver nothing
that he could be banned for. There the verdict goes without the ban."""
