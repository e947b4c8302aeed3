"""What was seen here, for others to learn from, and nothing of whom.

Carriers compare which destinations and hours attacks choose. From the agent's own log
lines this makes counts by kind, country and hour of the week. It reads no number but
for its country code, no address, no account, and writes none: `COLUMNS` is all there is.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ringfence.facts.numbers import Destinations
from ringfence.logged import Event, country_of, event_of, time_of

COLUMNS: Final = ("kind", "code", "country", "hour", "count")
KINDS: Final = {"INVITE": "call", "REFER": "call", "REGISTER": "registration"}
"""What was tried, by method (for an answer: of its request); else `other`."""

MAX_ROWS: Final = 100_000
"""Kinds, codes and hours told apart; more than there are codes in a bundle's list
with an hour each."""

_HOUR: Final = 3_600
_THURSDAY: Final = 72
"""Hours from Monday to the Thursday on which the count of seconds began."""


class Row(NamedTuple):
    """What is shared of many events."""

    kind: str
    code: str
    """Leading part of the E.164 number called, as the list of destinations splits
    them; "" for what is no call."""
    country: str
    """ISO 3166 code: of the destination, else of the source; "" for none."""
    hour: int
    """Of the week, UTC: 0 is Monday from 0 to 1 o'clock, 167 Sunday from 23."""


class Sightings:
    """Counts of what was stopped, or would have been."""

    def __init__(self, destinations: Destinations) -> None:
        """Take the list that says how far a number is told."""
        self._destinations = destinations
        self._counts: Counter[tuple[int, Row]] = Counter()
        self.newest = 0.0
        """Seconds since 1970 of the latest event."""
        self.passed_over = 0
        """Lines that were no event of an agent."""

    def read(self, lines: Iterable[str]) -> None:
        """Take log lines."""
        for line in lines:
            self.take(event_of(line))

    def take(self, event: Event | None) -> None:
        """Take what `ringfence.logged` made of a line."""
        if event is None:
            self.passed_over += 1
        elif event.get("type") == "decision":
            self._decision(event)

    def rows(self, since: float = 0.0) -> list[tuple[Row, int]]:
        """Return rows with their counts, of whole hours that begin at `since` or later.

        Seconds since 1970; 0 for everything.
        """
        found: Counter[Row] = Counter()
        for (hour, row), count in self._counts.items():
            if hour * _HOUR >= since:
                found[row] += count
        return sorted(found.items())

    def _decision(self, event: Event) -> None:
        time = time_of(event)
        if time is None:
            self.passed_over += 1
            return
        hour = int(time) // _HOUR
        method = event.get("method") or event.get("cseq_method")
        kind = KINDS.get(str(method), "other")
        code, country = "", event.get("country")
        called = event.get("destination")
        if kind == "call" and isinstance(called, dict):
            code, country = self._place(called)
        row = Row(kind, code, country_of(country), (hour + _THURSDAY) % 168)
        if (hour, row) in self._counts or len(self._counts) < MAX_ROWS:
            self._counts[hour, row] += 1
            self.newest = max(self.newest, time)
        else:
            self.passed_over += 1

    def _place(self, called: dict[str, Any]) -> tuple[str, object]:
        """Say where a call went, no closer than the list tells places apart."""
        if called.get("class") not in ("international", "unassigned"):
            return "", None
        number = called.get("number")
        found = self._destinations.find(number) if isinstance(number, str) else None
        return ("" if found is None else found.code), called.get("country")


def written(rows: list[tuple[Row, int]]) -> str:
    """Write rows as CSV."""
    lines = [",".join(COLUMNS)]
    lines += [
        f"{row.kind},{row.code},{row.country},{row.hour},{count}" for row, count in rows
    ]
    return "\n".join([*lines, ""])
