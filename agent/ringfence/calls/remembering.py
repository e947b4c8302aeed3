"""What the line remembers from one start to the next; a section of the state file.

Knows what is worth keeping. It must not know files.

**What that does to the flash**: it is written when a call abroad has ended, something
was closed or opened, or an account has signed in, every `EVERY` seconds at most; at
once when something is closed, or opened by its owner, but for that every minute at
most (`keeping.PRESSING`), which is what a killed agent may forget of it. A busy
office with fifty accounts has some 8 kB, so 24 kB a write with the folder's nodes; in
ten working hours that is 3 MB a day, of the 800 GB that 8 MB of NOR flash bear.
With `MAX_ACCOUNTS_BYTES` it is 150 MB a day, and fourteen years. A thief for whom
something is closed every minute, day and night, makes 35 MB a day of it.
"""

from typing import Any, Final

from ringfence.calls.baseline import Baseline
from ringfence.calls.closures import Closures
from ringfence.calls.ledger import Ledger
from ringfence.calls.line import Line
from ringfence.packet import Instant

EVERY: Final = 300.0
"""Seconds between two writes, and what a killed agent may forget."""

MAX_ACCOUNTS_BYTES: Final = 400_000
"""Bytes of the record that accounts take: 10,000 at their desks, of restless ones with
long names the 1,400 that have changed last. The state file has room for a megabyte."""

_QUOTES: Final = 6
"""Bytes around a name and a text in JSON."""


class Remembered:
    """The line as `keeping.Keeping` wants it."""

    name = "calls"
    version = 1
    every = EVERY

    def __init__(self, line: Line) -> None:
        """Take whose memory it is."""
        self._line = line

    @property
    def changed(self) -> bool:
        """Something is worth a write."""
        return self._line.changed or self._line.closures.changed

    @changed.setter
    def changed(self, changed: bool) -> None:
        self._line.changed = self._line.closures.changed = changed

    @property
    def pressing(self) -> bool:
        """It should not wait."""
        return self._line.closures.pressing

    @pressing.setter
    def pressing(self, pressing: bool) -> None:
        self._line.closures.pressing = pressing

    def dump(self, now: Instant) -> dict[str, Any]:
        """Return what is to be kept, as JSON has it."""
        line = self._line
        baseline = line.baseline.to_record()
        baseline["accounts"] = _newest(baseline["accounts"])
        return {
            "ledger": line.ledger.to_record(now),
            "baseline": baseline,
            "closures": line.closures.to_record(now),
        }

    def load(self, data: object) -> None:
        """Take what `dump` returned; `ValueError` for anything else, and no change.

        What makes no sense in a part of it is left out.
        """
        if not isinstance(data, dict):
            raise ValueError("expected a table")
        line, ledger = self._line, self._line.ledger
        line.ledger = Ledger.from_record(
            data.get("ledger"), ledger.rates, ledger.calendar
        )
        line.baseline = Baseline.from_record(data.get("baseline"))
        line.closures = Closures.from_record(data.get("closures"))


def _newest(accounts: dict[str, str]) -> dict[str, str]:
    """Return the accounts that have changed last, as many as there is room for."""
    room = MAX_ACCOUNTS_BYTES
    kept: list[str] = []
    for name in reversed(accounts):
        room -= len(name) + len(accounts[name]) + _QUOTES
        if room < 0:
            break
        kept.append(name)
    return {name: accounts[name] for name in reversed(kept)}
