"""What is told of one call that is over, or was stopped before it began.

Knows calls and messages. It must not know what is made of it, nor prices.
"""

from typing import Final

from ringfence.calls.call import Call
from ringfence.calls.events import CallOver, End
from ringfence.facts import Facts, World
from ringfence.facts.numbers import Reading
from ringfence.packet import Instant

_ENDS: Final[dict[str, End]] = {
    "bye": "bye",
    "cancelled": "cancel",
    "refused": "refused",
    "unanswered": "timeout",
    "lost": "timeout",
}


def stopped_call(
    facts: Facts, reading: Reading, rule: str | None, wall: float
) -> CallOver:
    """Tell of a call abroad that a rule has stopped."""
    return CallOver(
        wall,
        wall,
        None,
        None,
        "out",
        facts.account,
        facts.source,
        facts.origin.country,
        reading.number,
        reading.country,
        reading.kind,
        True,
        None,
        "stopped",
        None,
        rule,
    )


def call_over(
    call: Call, cost: int | None, now: Instant, world: World | None
) -> CallOver:
    """Tell of a call that is over and has cost so many thousandths."""
    account, source = call.account, call.source
    if call.passed_on and call.follows is not None:
        account, source = call.follows.account, call.follows.source
    begun, answered = call.begun, call.answered
    ended = now.mono if call.ended is None else call.ended
    origin = None if world is None else world.countries.country(source)
    return CallOver(
        begun.wall + ended - begun.mono,
        begun.wall,
        None if answered is None else answered.wall,
        None if answered is None else call.talked(now.mono),
        call.direction,
        account,
        source,
        origin,
        call.number,
        call.country,
        call.kind,
        call.abroad,
        cost,
        _ENDS.get(call.why, "timeout"),
        call.status or None,
        None,
    )
