"""Which calls belong together: our PBX passes on what a phone dialled, or is told to.

Knows where calls come from, where they go to, and when. It must not know messages.
"""

from typing import Final

from ringfence.calls.call import RUNNING, Call, Inbound
from ringfence.state import BoundedTable

CARRIED_WITHIN: Final = 32.0
"""Seconds that our PBX takes to dial on to the trunk what a phone has dialled."""

FOLLOWS_WITHIN: Final = 120.0
"""Seconds for which a call that came in may explain one that goes out."""

MAX_CARRIED: Final = 4
"""Calls that may pass one call on; a PBX with several trunks tries them in turn."""

MAX_LEGS: Final = 512
"""Calls abroad that may yet be passed on, and places that calls came in to."""


class Relations:
    """The newest calls, by where they went."""

    def __init__(self) -> None:
        """Start with none."""
        self._legs: BoundedTable[int, Call] = BoundedTable(MAX_LEGS, CARRIED_WITHIN)
        """Calls abroad, by receiver and number."""
        self._inbound: BoundedTable[bytes, Call] = BoundedTable(
            MAX_LEGS, FOLLOWS_WITHIN
        )
        """Calls that came in, by receiver."""

    def relate(self, call: Call, mono: float) -> None:
        """Find the call that this one passes on, or that came in just before."""
        before: Call | None = None
        if call.direction == "out":
            before = self._inbound.get(call.caller, mono)
        if call.abroad:
            if call.direction == "out":
                leg = self._legs.get(hash((call.caller, call.number)), mono)
                if leg is None or leg.state not in RUNNING:
                    pass
                elif leg.direction == "in":
                    before = leg
                elif leg.counts and leg.carried < MAX_CARRIED:
                    leg.carried += 1
                    leg.costs = call.counts = False
                    call.follows = _inbound(leg, mono)
            self._legs.put(hash((call.callees[0], call.number)), call, mono)
        if call.direction == "in":
            self._inbound.put(call.callees[0], call, mono)
        elif before is not None and before.state in RUNNING and call.counts:
            call.follows = _inbound(before, mono)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return entries and capacity of every table, by name."""
        return {
            "calls to be passed on": (len(self._legs), MAX_LEGS),
            "places called from outside": (len(self._inbound), MAX_LEGS),
        }


def _inbound(before: Call, mono: float) -> Inbound:
    gap = mono - before.begun.mono
    return Inbound(before.account, before.source, before.number, gap)
