"""What is told of calls: one that is over, an incident, a share of the budget.

Values only; who writes them down knows how they are named there.
"""

from typing import Literal, NamedTuple

from ringfence.calls.closures import Closure
from ringfence.calls.ledger import Period

End = Literal["bye", "cancel", "refused", "timeout", "stopped"]


class CallOver(NamedTuple):
    """One call that is over, or was never let begin. Times are seconds since 1970."""

    time: float
    begin: float
    answered: float | None
    duration: float | None
    """Seconds talked; None if it was not answered."""
    direction: Literal["in", "out"]
    account: str
    """Of ours; whose telephone it was, where our PBX passed the call on."""
    source: bytes
    source_country: str | None
    number: str
    country: str | None
    kind: str
    """Class of the number."""
    abroad: bool
    cost: int | None
    """Thousandths; None for one that was stopped, or that nobody here pays."""
    end: End
    status: int | None
    rule: str | None
    """What stopped it."""


class Incident(NamedTuple):
    """Something was closed, or is open again."""

    time: float
    event: Literal["opened", "closed"]
    closure: Closure
    """As it is now: to be read before the next packet."""
    until: float | None
    """When it ends at the earliest, seconds since 1970; None: nobody knows."""


class BudgetShare(NamedTuple):
    """A share of a limit was reached."""

    time: float
    period: Period
    share: int
    """Percent."""
    spent: int
    """Thousandths, as the limit."""
    limit: int


Told = CallOver | Incident | BudgetShare
