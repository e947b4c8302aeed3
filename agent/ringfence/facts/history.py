"""What earlier calls tell of one: the part of the vocabulary that needs a memory.

Knows the questions, and not who answers them: whoever keeps the calls does.
"""

from typing import Protocol

Answer = str | int | bool | None
"""None: nobody knows."""


class History(Protocol):
    """Answers about one call, at the moment that a rule asks."""

    def is_new(self) -> bool:
        """Tell whether the country had not been called until a day ago."""

    def usual_calls(self) -> int:
        """Return how many calls there go to on a usual day, rounded up."""

    def days_since_international(self) -> int | None:
        """Return the days since the last call abroad; None if there was none."""

    def days_watched(self) -> int:
        """Return the whole days in which this line's usual calls were learnt."""

    def budget_left(self) -> int | None:
        """Return what may still be spent, in whole units; None without a limit."""

    def in_hours(self) -> bool | None:
        """Tell whether it is a time for calls abroad; None if all times are, or while
        the clock was not set."""

    def source_unusual(self) -> bool:
        """Tell whether the account has usual sources and this is none of them."""

    def redials(self) -> bool:
        """Tell whether the same number was called just before, and nobody answered."""

    def follows_inbound(self) -> bool:
        """Tell whether another call came in just before to where this one is from."""

    def call_seconds(self) -> int:
        """Return how long a call that is over was talked, in whole seconds."""

    def call_answered(self) -> bool:
        """Tell whether a call that is over was answered."""
