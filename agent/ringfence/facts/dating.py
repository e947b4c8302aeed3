"""Which moment it is, as far as a router's clock can be believed.

Many routers have no clock that runs without power: they start in 1970, at the date of
their firmware or at that of their newest file, and jump by months or decades when NTP
answers. Others start in a year to come. What happens is therefore dated here only by a
clock that cannot be wrong by what is known already, and waits for one otherwise.

Knows two clocks and must not read them: `mono` only runs, `wall` is seconds since 1970.
"""

from typing import Final

BUILT: Final = 1_793_491_200.0
"""2026-11-01: this software was not there before. Seconds since 1970."""

SLACK: Final = 3_600.0
"""Seconds by which a clock may go back, as NTP sets it, and be believed at once."""

PATIENCE: Final = 21_600.0
"""Seconds of running after which a clock that lies before what was seen is believed
all the same, and what was seen was dated by one that was ahead. Before its first NTP
answer a router's clock is behind for minutes, or for as long as it has no Internet,
and then there is nothing to be dated either."""

LATEST: Final = 1 << 40
"""Seconds since 1970 that no clock of ours can show: in 36,000 years."""


class Dating:
    """Turns the two clocks into one moment."""

    __slots__ = ("_behind", "floor", "latest")

    def __init__(self) -> None:
        """Know only that it cannot be before `BUILT`."""
        self.floor = BUILT
        """A time that has passed for certain; a bundle may know a later one."""
        self.latest = 0.0
        """The latest moment believed so far, of earlier runs too; 0 for none."""
        self._behind: float | None = None
        """When, by `mono`, the clock was first seen to be behind that."""

    def moment(self, mono: float, wall: float) -> float | None:
        """Return what time it is, seconds since 1970; None while that is not known.

        It goes back by more than `SLACK` only after `PATIENCE`; see there.
        """
        if not self.floor <= wall < LATEST:
            self._behind = None
            return None
        if wall < self.latest - SLACK:
            if self._behind is None:
                self._behind = mono
            if mono - self._behind < PATIENCE:
                return None
            self.latest = wall
        self._behind = None
        self.latest = max(self.latest, wall)
        return wall
