"""What is told of a call that is over, of all that is known of it.

Knows calls and where addresses are. It must not know rules.
"""

from typing import Final

from ringfence.calls.call import Call
from ringfence.calls.events import CallOver, End
from ringfence.facts import World
from ringfence.packet import Instant

_ENDS: Final[dict[str, End]] = {
    "bye": "bye",
    "cancelled": "cancel",
    "refused": "refused",
    "unanswered": "timeout",
    "lost": "timeout",
}


def call_over(
    call: Call, cost: int | None, now: Instant, world: World | None
) -> CallOver:
    """Tell of a call; `cost` in thousandths, None for one that nobody here pays."""
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
