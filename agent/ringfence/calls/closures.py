"""What is closed, why and until when, and what the owner has opened again.

Knows countries, ranges and accounts that calls abroad go to or come from, and seconds.
It must not know rules or messages, nor what is usual. Calls at home and to emergency
numbers are never asked about here; calls that run are left alone.

A closure ends by itself. It goes on for longer if at its end `PERSISTENT` calls were
stopped since it began or was last extended: that is a machine, or somebody who should
ask. One that comes again begins with the next length. An incident is all of that, from
the opening to the end: it is told of twice. One that is `TOLD` closes nothing; it goes
on until nothing was stopped for its length.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import ceil, inf
from typing import Any, Final, NamedTuple

from ringfence.facts.facts import number_range, zone
from ringfence.facts.numbers import Reading
from ringfence.packet import Instant
from ringfence.rules.closes import TOLD, WHATS, Close
from ringfence.state import BoundedTable

GROWTH: Final = 4
"""Each closure of the same is as many times as long as the one before."""

PERSISTENT: Final = 5
"""Calls stopped within one length after which another, longer one follows."""

DECAY: Final = 86_400.0
"""Seconds after the end of an incident in which its subject comes down one length."""

MEMORY: Final = 604_800.0
"""Seconds for which it is remembered how long something was closed."""

MAX_CLOSURES: Final = 256
"""Incidents at once; the oldest is over if there are more. There are 249 countries;
ranges and accounts come besides, and whoever fills this has long been closed out of
all of them."""

MAX_PAST: Final = 512
"""Subjects whose last length is remembered."""

MAX_OPENED: Final = 64
"""What the owner opens at once; the oldest is no longer open if there are more."""

MAX_OPEN: Final = 31 * 86_400
"""Seconds for which anything is opened (see `replies`); a record that says more is
damaged."""

ALL: Final = "all"
"""What opens all that is closed."""

MAX_TEXT: Final = 200
"""Characters of a reason or a subject."""

VERSION: Final = 1

Key = tuple[str, str, bool]
"""What, which one, and whether it is only watched."""


class Closure:
    """One incident: what is closed, and what it has stopped."""

    __slots__ = (
        *("code", "cost", "id", "length", "monitor", "opened", "passed", "reason"),
        *("recent", "rule", "step", "stopped", "subject", "until", "what"),
    )

    def __init__(self, what: str, subject: str, *, monitor: bool) -> None:
        """Begin with nothing stopped."""
        self.what = what
        self.subject = subject
        """A country or first digits; a range; an account with its network; ""."""
        self.monitor = monitor
        """It would stop calls, but only watches."""
        self.id = self.rule = self.reason = self.code = ""
        """`code`: digits that the number began with which had it closed."""
        self.opened = 0.0
        """Seconds since 1970."""
        self.until = inf
        """On the monotonic clock; infinity: until the budget has room."""
        self.step = 0
        self.length = Close(what, 0.0, 0.0)
        self.stopped = self.passed = 0
        """Calls that it stopped, and that passed: those that led to it, and all that it
        only watches."""
        self.cost = 0
        """Thousandths that the stopped calls would have cost at least: a unit each."""
        self.recent = 0
        """Of `stopped`, since its current length began."""

    @property
    def key(self) -> Key:
        """What it is found by."""
        # Of calls stopped one after the other, one incident is enough, wherever to.
        subject = "" if self.what == TOLD else self.subject
        return self.what, subject, self.monitor

    @property
    def opens_with(self) -> str:
        """The command that opens it."""
        names = {
            "country": self.subject.removeprefix("+"),
            "sequence": self.subject,
            "binding": self.subject,
            TOLD: self.subject.removeprefix("+"),
        }
        return f"ringfence allow {names.get(self.what, ALL)} --for 2h"


class Caller(NamedTuple):
    """Who asks for a call."""

    account: str
    network: str
    """As text."""

    @property
    def binding(self) -> str:
        """The subject of a closure of what this account does from there."""
        return f"{self.account}@{self.network}"[:MAX_TEXT]


class Closures:
    """All incidents that run, and what is open for a while."""

    def __init__(self) -> None:
        """Start with nothing closed."""
        self._running: dict[Key, Closure] = {}
        """Oldest first."""
        self._past: BoundedTable[Key, tuple[int, float]] = BoundedTable(
            MAX_PAST, MEMORY
        )
        """How long something was closed last, as a step, and until when."""
        self._opened: dict[str, float] = {}
        """Digits, country, binding or `ALL`, and until when on the monotonic clock."""
        self._waiting: list[tuple[Closure, float]] = []
        self._waiting_opened: dict[str, float] = {}
        self._written = inf
        """When that record was made, in seconds since 1970; infinity: nobody knows."""
        """Of a record, with the seconds left, until somebody says what time it is."""
        self.changed = False
        self.pressing = False
        """Something was closed or opened, which a killed agent must not forget."""
        self.ignored = 0
        """Parts of a record that made no sense."""

    def __iter__(self) -> Iterator[Closure]:
        """Give what is closed, oldest first."""
        return iter(self._running.values())

    @property
    def none(self) -> bool:
        """Nothing is closed, and nothing open."""
        return not (self._running or self._waiting)

    @property
    def by_budget(self) -> bool:
        """Something is closed for as long as the budget is used up."""
        return any(one.until == inf for one in self) or any(
            left == inf for _, left in self._waiting
        )

    def close(
        self,
        closing: Close,
        rule: str,
        reason: str,
        reading: Reading,
        caller: Caller,
        now: tuple[float, float],
        *,
        monitor: bool,
        passed: int = 0,
    ) -> tuple[Closure, Closure | None] | None:
        """Begin an incident; `now` is both clocks, `passed` the calls that led to it.

        Returns it, and the oldest of all if that had to end for it; None if the same
        runs already.
        """
        subject = _subject(closing.what, reading, caller)
        if subject is None:
            return None
        closure = Closure(closing.what, subject, monitor=monitor)
        if closure.key in self._running:
            return None
        mono, wall = now
        closure.rule, closure.reason = rule, reason[:MAX_TEXT]
        closure.code = reading.e164
        closure.id = f"{int(wall)}-{closing.what}{'-' if subject else ''}{subject}"
        closure.opened, closure.passed = wall, passed
        closure.length = closing
        past = self._past.get(closure.key, mono)
        if past is not None:
            forgiven = max(0, int((mono - past[1]) / DECAY))
            closure.step = max(0, past[0] + 1 - forgiven)
        self._begin_length(closure, mono)
        self._running[closure.key] = closure
        self.changed = self.pressing = True
        oldest = None
        if len(self._running) > MAX_CLOSURES:
            oldest = next(iter(self._running.values()))
            self._end(oldest, mono)
        return closure, oldest

    def stopping(
        self,
        reading: Reading,
        caller: Caller,
        *,
        inside: bool,
        known: Callable[[str | None], bool],
    ) -> list[Closure]:
        """Return what closes a call abroad, those that only watch last.

        `known` tells whether a country is one that this line usually calls.

        A call that somebody outside asks for is stopped when our side makes it, unless
        he is held back himself: so nobody can keep anything closed for others.
        """
        if not self._running:
            return []
        found: list[Closure] = []
        for monitor in (False, True):
            keys = [("binding", caller.binding, monitor)]
            if inside:
                keys.append(("international", "", monitor))
                for one in (reading, *reading.alternatives):
                    if one.abroad:
                        keys.append(("country", zone(one), monitor))
                        keys.append(("sequence", number_range(one) or "", monitor))
                        if not known(one.country):
                            keys.append(("new", "", monitor))
            found += [self._running[key] for key in keys if key in self._running]
        return found

    def stops(self, closure: Closure, cost: int, *, held: bool = False) -> None:
        """Count a call that met a closure, and what it would have cost at least.

        `held`: it passes all the same.
        """
        if closure.monitor or held:
            closure.passed += 1
            return
        closure.stopped += 1
        closure.recent += 1
        closure.cost += cost
        self.changed = True

    def telling(self, *, monitor: bool) -> Closure | None:
        """Return the incident of calls that are stopped and only told of."""
        return self._running.get((TOLD, "", monitor))

    def goes_on(self, closure: Closure, cost: int, mono: float, *, held: bool) -> None:
        """Count a call for an incident that is only told of; `held`: it passes."""
        closure.passed += held
        closure.stopped += not held
        closure.cost += 0 if held else cost
        closure.until = mono + closure.length.first
        self.changed = True

    def opened(self, reading: Reading, caller: Caller, mono: float) -> bool:
        """Tell whether the owner has opened a number abroad, or for whom calls it."""
        if not self._opened:
            return False
        names = [ALL, caller.binding, zone(reading)]
        digits = reading.e164
        names += [digits[:length] for length in range(1, len(digits) + 1)]
        return any(self._opened.get(name, 0.0) > mono for name in names)

    def open(self, what: str, seconds: float, mono: float) -> list[Closure]:
        """Open something for a time; returns the incidents that are over by it.

        `what` is as `readable` returns it.
        """
        self._opened.pop(what, None)
        self._opened[what] = mono + seconds
        if len(self._opened) > MAX_OPENED:
            del self._opened[next(iter(self._opened))]
        over = [one for one in self if _covers(what, one)]
        for closure in over:
            self._end(closure, mono)
            self._past.pop(closure.key)
        self.changed = self.pressing = True
        return over

    def take_back(self, what: str, mono: float) -> list[str]:
        """Let nothing be open any more that the owner has opened as `what`.

        `ALL` is all of it. What was closed before is closed again by its rule alone.
        Returns what was open, by name.
        """
        was = [name for name in self.open_now(mono) if what in (ALL, name)]
        for name in was:
            del self._opened[name]
        self.changed |= bool(was)
        return was

    def tick(self, now: Instant, *, budget_left: bool) -> list[Closure]:
        """End what is due, extend what must be; returns what is over."""
        mono = now.mono
        self._resume(now)
        for what in [one for one, until in self._opened.items() if until <= mono]:
            del self._opened[what]
            self.changed = True
        over: list[Closure] = []
        for closure in list(self._running.values()):
            if closure.until == inf:
                if budget_left:
                    over.append(closure)
                continue
            while closure.until <= mono and closure.recent >= PERSISTENT:
                begins = closure.until
                closure.step += 1
                self._begin_length(closure, begins)
                self.changed = True
            if closure.until <= mono:
                over.append(closure)
        for closure in over:
            self._end(closure, min(mono, closure.until))
        return over

    def open_now(self, mono: float) -> dict[str, int]:
        """Return what is open, with the seconds left."""
        return {
            what: ceil(until - mono)
            for what, until in self._opened.items()
            if until > mono
        }

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return entries and capacity of every table, by name."""
        return {
            "closures": (len(self._running), MAX_CLOSURES),
            "past closures": (len(self._past), MAX_PAST),
            "opened": (len(self._opened), MAX_OPENED),
        }

    # From start to start.

    def to_record(self, now: Instant) -> dict[str, Any]:
        """Return what has to outlive the process, as JSON has it."""
        self._resume(now)
        mono = now.mono
        return {
            "version": VERSION,
            "written": int(now.wall),
            "closed": [
                {
                    **{name: getattr(one, name) for name in _TEXTS},
                    **{name: getattr(one, name) for name in _COUNTS},
                    "monitor": one.monitor,
                    "opened": int(one.opened),
                    "length": [one.length.first, one.length.longest],
                    "left": None if one.until == inf else ceil(one.until - mono),
                }
                for one in self
            ],
            "opened": self.open_now(mono),
        }

    @classmethod
    def from_record(cls, record: object) -> "Closures":
        """Take up a record; what makes no sense in it is counted and left out.

        What was left of each goes on from the first `tick`.
        """
        closures = cls()
        parts: Mapping[Any, Any] = record if isinstance(record, dict) else {}
        if parts.get("version") != VERSION:
            closures.ignored += record is not None
            return closures
        written = parts.get("written")
        if isinstance(written, int) and _is_count(written):
            closures._written = float(written)
        closed = parts.get("closed")
        for one in closed if isinstance(closed, list) else []:
            found = _read_closure(one)
            if found is None or len(closures._waiting) >= MAX_CLOSURES:
                closures.ignored += 1
            else:
                closures._waiting.append(found)
        opened = parts.get("opened")
        for what, left in opened.items() if isinstance(opened, dict) else ():
            name = readable(what)
            room = len(closures._waiting_opened) < MAX_OPENED
            if name and _is_count(left) and left <= MAX_OPEN and room:
                closures._waiting_opened[name] = float(left)
            else:
                closures.ignored += 1
        return closures

    def _resume(self, now: Instant) -> None:
        """Go on with what a record has said, less the time since it was written.

        A clock that lies before that moment has not been set yet, and takes off none.
        """
        if not (self._waiting or self._waiting_opened):
            return
        away = max(0.0, now.wall - self._written)
        for closure, left in self._waiting:
            closure.until = now.mono + max(0.0, left - away)
            self._running[closure.key] = closure
        for what, left in self._waiting_opened.items():
            if left > away:
                self._opened[what] = now.mono + left - away
        self._waiting, self._waiting_opened = [], {}

    def _begin_length(self, closure: Closure, mono: float) -> None:
        first, longest = closure.length.first, closure.length.longest
        closure.recent = 0
        if not first:
            closure.until = inf
            return
        while closure.step and first * GROWTH ** (closure.step - 1) >= longest:
            closure.step -= 1
        closure.until = mono + min(longest, first * GROWTH**closure.step)

    def _end(self, closure: Closure, mono: float) -> None:
        del self._running[closure.key]
        self._past.put(closure.key, (closure.step, mono), mono)
        self.changed = True


def readable(text: object) -> str | None:
    """Return what can be opened, as it is kept: digits, a country, a binding or all.

    None for anything else. A `+` or `00` in front of digits does not matter.
    """
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        return None
    if text == ALL or "@" in text:
        return text
    if len(text) == 2 and text.isascii() and text.isalpha():
        return text.upper()
    digits = text.removeprefix("+") if text[0] == "+" else text.removeprefix("00")
    digits = digits.replace("-", "").replace(" ", "")
    fits = digits.isascii() and digits.isdecimal() and len(digits) <= 15
    return digits if fits and digits[0] != "0" else None


def _covers(what: str, closure: Closure) -> bool:
    """Tell whether opening something leaves nothing of a closure."""
    if what == ALL or what == closure.subject:
        return True
    if not what.isdecimal():
        return False
    if closure.what in ("country", TOLD):
        # A country code; a longer one is a part of the country.
        return len(what) <= 3 and closure.code.startswith(what)
    return closure.what == "sequence" and closure.subject.startswith(what)


def _subject(what: str, reading: Reading, caller: Caller) -> str | None:
    if what in ("country", TOLD):
        return zone(reading)
    if what == "binding":
        return caller.binding
    return number_range(reading) if what == "sequence" else ""


_TEXTS: Final = ("id", "what", "subject", "rule", "reason", "code")
_COUNTS: Final = ("step", "stopped", "passed", "cost", "recent")
MAX_COUNT: Final = 10**15
"""Anything counted that is believed of a record."""


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT


def _read_closure(one: object) -> tuple[Closure, float] | None:
    """Read a closure of a record, and the seconds left of it."""
    if not isinstance(one, dict):
        return None
    texts: Iterable[Any] = (one.get(name) for name in _TEXTS)
    counts: Iterable[Any] = (one.get(name) for name in (*_COUNTS, "opened"))
    length, left, monitor = one.get("length"), one.get("left"), one.get("monitor")
    if not (
        all(isinstance(text, str) and len(text) <= 2 * MAX_TEXT for text in texts)
        and all(map(_is_count, counts))
        and isinstance(monitor, bool)
        and isinstance(length, list)
        and len(length) == 2
        and all(isinstance(n, int | float) and 0 <= n <= DECAY for n in length)
        and one["what"] in (*WHATS, TOLD)
        and one["step"] <= MAX_CLOSURES
        and (left is None or _is_count(left))
    ):
        return None
    closure = Closure(one["what"], one["subject"], monitor=monitor)
    for name in (*_TEXTS, *_COUNTS):
        setattr(closure, name, one[name])
    closure.opened = float(one["opened"])
    closure.length = Close(one["what"], float(length[0]), float(length[1]))
    return closure, inf if left is None else min(float(left), DECAY)
