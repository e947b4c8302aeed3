"""What was seen from outside, day by day: strangers, phones, and whether anybody looked.

Days are those of UTC. A day counts as watched if an agent looked for an hour of it, so
a router that is switched off has watched nothing. The days are bounded in number, never
by their date: a clock that is ahead for a while must not wipe out what was seen.

Knows numbers; who is a stranger is decided in `facts.exposure`, what time it is in
`facts.dating`.
"""

from typing import Any, Final

from ringfence.facts.dating import LATEST

DAY: Final = 86_400
WINDOW: Final = 30
"""Days before this one that count with it."""

KEPT: Final = 40
"""Days remembered: the window, and room for some that a wrong clock made up."""

WATCHED: Final = 3_600
"""Seconds of watching that make a watched day."""

_MOST: Final = 1 << 53
"""More than can be counted; a larger number in a file is not ours."""


class Days:
    """The latest days on which there was something, or somebody watched."""

    __slots__ = ("_days", "honest", "since", "stranger")

    def __init__(self) -> None:
        """Start with none."""
        self._days: dict[int, list[int]] = {}
        """By days since 1970: seconds watched, requests of strangers."""
        self.since: int | None = None
        """When watching first began; all moments in seconds since 1970."""
        self.stranger: int | None = None
        """When a stranger was last seen."""
        self.honest: int | None = None
        """When a phone outside last signed in."""

    def arrive(self, moment: float) -> None:
        """Say what time it is: what seems to be later was dated by a wrong clock.

        That happened before now, so now is the latest it can have been.
        """
        now, today = int(moment), int(moment) // DAY
        if self.since is None or self.since > now:
            self.since = now
        if self.stranger is not None:
            self.stranger = min(self.stranger, now)
        if self.honest is not None:
            self.honest = min(self.honest, now)
        for day in [day for day in self._days if day > today + 1]:
            _, strangers = self._days.pop(day)
            self._of(today)[1] += strangers

    def watched(self, moment: float, seconds: float) -> bool:
        """Add time that somebody watched; True when that made the day a watched one."""
        today = self._of(int(moment) // DAY)
        before = today[0]
        today[0] = min(DAY, before + int(seconds))
        return before < WATCHED <= today[0]

    def strangers(self, moment: float, count: int) -> None:
        """Add requests of strangers, the last of them at that moment."""
        self._of(int(moment) // DAY)[1] += count
        self.stranger = max(self.stranger or 0, int(moment))

    def signed_in(self, moment: float) -> None:
        """Note that a phone outside has signed in."""
        self.honest = max(self.honest or 0, int(moment))

    def record(self, moment: float) -> dict[str, int | None]:
        """Return what `status` says, as of a moment."""
        today = int(moment) // DAY
        recent = [
            seen for day, seen in self._days.items() if today - WINDOW <= day <= today
        ]
        watched = sum(seconds >= WATCHED for seconds, _ in recent)
        return {
            "watching_since": self.since,
            # Today is one of them as soon as it is watched.
            "days_watched": min(WINDOW, watched),
            "stranger_last": self.stranger,
            "strangers_30d": sum(strangers for _, strangers in recent),
            "honest_outside_last": self.honest,
        }

    def dump(self) -> dict[str, object]:
        """Return all of it as JSON has it."""
        return {
            "since": self.since,
            "stranger": self.stranger,
            "honest": self.honest,
            "days": [[day, *seen] for day, seen in sorted(self._days.items())],
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take what `dump` returned; `ValueError` for anything else, and no change."""
        moments = [data.get(name) for name in ("since", "stranger", "honest")]
        if not all(one is None or is_count(one, LATEST) for one in moments):
            raise ValueError("expected moments")
        rows = data.get("days")
        if not isinstance(rows, list) or len(rows) > KEPT:
            raise ValueError(f"expected at most {KEPT} days")
        days: dict[int, list[int]] = {}
        for row in rows:
            if not isinstance(row, list) or len(row) != 3:
                raise ValueError("expected a day, seconds and strangers")
            day, seconds, strangers = row
            if not (
                is_count(day, LATEST // DAY)
                and is_count(seconds, DAY)
                and is_count(strangers, _MOST)
            ):
                raise ValueError("expected a day, seconds and strangers")
            days[day] = [seconds, strangers]
        self.since, self.stranger, self.honest = moments
        self._days = days

    def _of(self, day: int) -> list[int]:
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = [0, 0]
            if len(self._days) > KEPT:
                # Never the one that is about to be written to.
                del self._days[min(one for one in self._days if one != day)]
        return found


def is_count(value: object, most: int) -> bool:
    """Tell whether something from JSON is a whole number from 0 to `most`."""
    return type(value) is int and 0 <= value <= most
