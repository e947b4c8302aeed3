"""What was dialled abroad lately, so that nothing is counted or ruled on twice.

Knows messages and seconds on the monotonic clock. It must not know rules or prices.
"""

from collections import deque
from typing import Final

from ringfence.calls.identity import asker, sequence, tag
from ringfence.decision import Ruling, Verdict
from ringfence.facts import Facts
from ringfence.facts.numbers import Reading
from ringfence.rules.counts import MAX_CALLS
from ringfence.state import BoundedTable

MAX_ATTEMPTS: Final = 1_024
"""Refused INVITEs whose repetitions are known."""

REPEATED_FOR: Final = 64.0
"""Seconds for which one may be repeated: twice Timer B."""

REFRESHED_FOR: Final = 14_400.0
"""Seconds for which a capture may show it go on: there it was not refused."""

REDIALLED_FOR: Final = 1_800.0
"""Seconds in which somebody tries again whom nobody has answered."""

PASSES: Final = Ruling(Verdict.ACCEPT, None, "no rule matches", "default")


class Lately:
    """Owns it all; every table is bounded."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._attempts: BoundedTable[int, float] = BoundedTable(
            MAX_ATTEMPTS, REFRESHED_FOR
        )
        """When they were first seen."""
        self._unanswered: BoundedTable[str, bool] = BoundedTable(
            MAX_ATTEMPTS, REDIALLED_FOR
        )
        """Numbers abroad that were called in vain, until they are called again."""
        self._forwarded: BoundedTable[int, Ruling] = BoundedTable(
            MAX_ATTEMPTS, REPEATED_FOR
        )
        self._stopped: deque[tuple[float, int, bool]] = deque(maxlen=MAX_CALLS + 1)
        """As many as rules can count."""

    def first(self, facts: Facts, mono: float) -> bool:
        """Tell whether a refused INVITE is none of those that are repeated.

        A capture shows the one with credentials, too, that followed when nobody
        refused.
        """
        message, reading = facts.message, facts.reading
        number = "" if reading is None else reading.number
        # Without CSeq: in a capture what was refused is asked again with a password.
        key = hash((asker(message), number))
        before = self._attempts.get(key, mono)
        if before is not None:
            goes_on = bool(tag(message, "to"))
            if goes_on or mono - before <= REPEATED_FOR:
                return False
        self._attempts.put(key, mono, mono)
        return True

    def in_vain(self, e164: str, mono: float) -> None:
        """Note a number that nobody has answered."""
        self._unanswered.put(e164, True, mono)

    def redials(self, e164: str, mono: float, *, once: bool) -> bool:
        """Tell whether a number is called again; `once`: the next time it is not."""
        found = self._unanswered.get(e164, mono) is not None
        if found and once:
            self._unanswered.pop(e164)
        return found

    def sent_on(self, facts: Facts, reading: Reading, mono: float) -> Ruling | None:
        """Return what was ruled on a forwarding or transfer that is repeated."""
        return self._forwarded.get(_order(facts, reading), mono)

    def ruled(
        self, facts: Facts, reading: Reading, ruling: Ruling | None, mono: float
    ) -> None:
        """Note what is ruled on one; None: it passes."""
        self._forwarded.put(_order(facts, reading), ruling or PASSES, mono)

    def stopped(self, mono: float, cost: int, *, held: bool) -> None:
        """Note a call that was stopped and closed nothing, and what it would have cost
        at least; `held`: it passed all the same."""
        self._stopped.append((mono, cost, held))

    def told_of(self, since: float, *, held: bool) -> list[int]:
        """Return what each since then would have cost, and forget them all."""
        costs = [
            cost for at, cost, passed in self._stopped if at >= since and passed == held
        ]
        self._stopped.clear()
        return costs


def _order(facts: Facts, reading: Reading) -> int:
    return hash((asker(facts.message), sequence(facts.message), reading.number))
