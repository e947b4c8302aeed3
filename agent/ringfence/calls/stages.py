"""How long a call stays as it stands, and how many may: the bounds of all calls.

Knows states, their ages and capacities. What happens to a call that was too long in
one state is not decided here.
"""

from collections.abc import Callable
from typing import Final

from ringfence.calls.call import RUNNING, Call, Direction, State
from ringfence.state import BoundedTable

UNANSWERED_FOR: Final = 32.0
"""Seconds to the first answer: Timer B, 64 * T1 (RFC 3261 section 17.1.1.2). As long
may a cancelled INVITE wait for its final answer (section 9.1)."""

REPEATED_WITHIN: Final = 32.0
"""Seconds in which a caller sends the INVITE again that was refused with one of
`REPEATED`: machines take a second, softphones that ask for the password longer. It does
not count as running meanwhile."""

RINGS_FOR: Final = 300.0
"""Seconds without a sign for which a call may ring: more than Timer C, three minutes
(RFC 3261 section 16.6), which many a trunk does not have."""

TALKS_FOR: Final = 7_200.0
"""Seconds without a sign after which a BYE may have been missed. The call stops to
count as running and to cost; it is not over, as few phones refresh sessions."""

QUIET_FOR: Final = 79_200.0
"""Seconds more for which its BYE is still waited for, a day in all; then it lasted
until its last sign. Counting all that silence would close the line for what one lost
packet may have been."""

LINGERS_FOR: Final = 32.0
"""Seconds for which repetitions of a call that is over are known as such: timers H, I
and J (RFC 3261 section 17)."""

CAPACITY: Final[dict[State, int]] = {
    State.CALLING: 512,
    State.CHALLENGED: 256,
    State.RINGING: 256,
    State.TALKING: 384,
    State.QUIET: 128,
    State.OVER: 256,
}
"""Calls of each state and lane; the oldest goes first. Calls in and out are kept apart,
so that strangers who call in push no call out, and those abroad that cost from those at
home: a flood of these must not make one of them free. 1.6 kB a call, 9 MB in all."""

_AGE: Final[dict[State, float]] = {
    State.CALLING: UNANSWERED_FOR,
    State.CHALLENGED: REPEATED_WITHIN,
    State.RINGING: RINGS_FOR,
    State.TALKING: TALKS_FOR,
    State.QUIET: QUIET_FOR,
    State.OVER: LINGERS_FOR,
}


_LANES: Final = ("in", "out", "abroad")


def _lane(call: Call) -> str:
    return "abroad" if call.abroad and call.direction == "out" else call.direction


class Stages:
    """All calls by state and direction."""

    def __init__(self, overdue: Callable[[int, Call], None]) -> None:
        """Start with none; `overdue` sees each call that has to leave its state."""
        self._tables: dict[tuple[str, State], BoundedTable[int, Call]] = {
            (lane, state): BoundedTable(CAPACITY[state], age, overdue)
            for lane in _LANES
            for state, age in _AGE.items()
        }
        self._counts: dict[tuple[str, str], int] = {}

    def enter(self, call: Call, state: State, mono: float) -> None:
        """Put a new call, or one that has left its state, into a state."""
        call.state = state
        if state in RUNNING:
            self._count(call, 1)
        self._tables[_lane(call), state].put(call.serial, call, mono)

    def move(self, call: Call, state: State, mono: float) -> None:
        """Let a call be in another state, or in the same one anew."""
        before = call.state
        table = self._tables[_lane(call), before]
        if before is state:
            table.put(call.serial, call, mono)
            return
        table.pop(call.serial)
        if before in RUNNING and state in RUNNING:  # counted it stays
            call.state = state
            self._tables[_lane(call), state].put(call.serial, call, mono)
            return
        if before in RUNNING:
            self._count(call, -1)
        self.enter(call, state, mono)

    def remove(self, call: Call) -> None:
        """Take a call out as if it had never been."""
        self._tables[_lane(call), call.state].pop(call.serial)
        if call.state in RUNNING:
            self._count(call, -1)
        call.state = State.OVER

    def expire(self, mono: float) -> None:
        """Let go of every call that was too long in its state."""
        for table in self._tables.values():
            table.expire(mono)

    def talking(self, direction: Direction, mono: float) -> list[Call]:
        """Return the calls that are answered and not quiet, longest without sign first."""
        lanes = ("out", "abroad") if direction == "out" else ("in",)
        tables = [self._tables[lane, State.TALKING] for lane in lanes]
        found = [table.get(key, mono) for table in tables for key in table]
        calls = [call for call in found if call is not None]
        return sorted(calls, key=lambda call: call.last)

    def at_once(self, direction: Direction, country: str | None = None) -> int:
        """Return how many calls ring or talk: to one country, or at all."""
        return self._counts.get((direction, country or ""), 0)

    def at_once_by(self, account: str) -> int:
        """Return how many calls of one account ring or talk, either way."""
        return self._counts.get(("account", account), 0)

    @property
    def evicted(self) -> int:
        """Calls forgotten, or given up, for want of room."""
        return sum(table.evicted for table in self._tables.values())

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return entries and capacity of every table, by name."""
        return {
            f"calls {lane}, {state.name.lower()}": (len(table), table.capacity)
            for (lane, state), table in self._tables.items()
        }

    def _count(self, call: Call, change: int) -> None:
        """Count a call among those at once; one that passes another on is the same."""
        if not call.counts:
            return
        counts = self._counts
        keys = [(call.direction, ""), ("account", call.account)]
        if call.country:
            keys.append((call.direction, call.country))
        for key in keys:
            left = counts.get(key, 0) + change
            if left:
                counts[key] = left
            else:
                del counts[key]
