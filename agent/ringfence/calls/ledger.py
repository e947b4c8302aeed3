"""What calls abroad have cost, by day and month, and which share of a limit that is.

Knows prices, days and limits. A call belongs to the day on which it was answered, when
the carrier begins to count. It costs what has begun of it, while it runs too. It must
not know messages, nor a time zone: the local calendar is a function that is given.

The wall clock may jump, from 1970 too when a router without a clock chip hears of NTP.
Durations are monotonic. What was spent since the start is dated anew by its monotonic
time whenever the clock jumps, so that nothing is lost, counted twice or moved by a
decade. What an earlier run has spent keeps its date; while the clock shows an earlier
one, or none, that date's money still counts as today's.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from ringfence.calls.call import Call
from ringfence.calls.dates import FIRST_DATE, MAX_DAYS, Calendar, nearest, read_date
from ringfence.calls.rates import Rate, RateTable
from ringfence.calls.stages import TALKS_FOR
from ringfence.packet import Instant

JUMP: Final = 60.0
"""Seconds between wall and monotonic clock that are no drift. A call that is dated
wrong by less is at worst a minute's on the wrong side of midnight."""

BELIEVED_AFTER: Final = 3_600.0
"""Seconds after the start for which a clock that is behind the record may yet be set:
NTP needs seconds, on a line that takes long to come up minutes."""

KNOWN_DAYS: Final = 14
"""Days of a month that must have been watched before it is a measure for the next."""

MONTHS_BACK: Final = 2
"""Months before this whose dearest is the measure; see `MAX_DAYS`."""

MAX_ENTRIES: Final = 4_096
"""Sums that can be dated anew, one for each `QUARTER` with costs: six weeks of them.
Older ones keep their date."""

QUARTER: Final = 900.0
"""Seconds whose costs are dated anew together."""

MAX_RUNNING: Final = 1_024
"""Calls that run; what more of them have cost so far is booked."""

LOOKS_AGAIN: Final = 10.0
"""Seconds after which running calls are added up again, whatever is known of them: one
may be carried on by another meanwhile, which then costs in its place."""

MAX_SPENT: Final = 10**15
"""Thousandths of a day's sum that are believed of a record."""

SHARES: Final = (100, 80, 50)
"""Percent of a limit at which somebody is told."""

VERSION: Final = 1

Period = Literal["day", "month"]


class Limits(NamedTuple):
    """What may be spent, in thousandths of the currency's unit; None: no limit."""

    day: int | None = None
    month: int | None = None
    percent_of_last: int | None = None
    """Of what the month before has cost; without a month before there is no limit."""
    least: int = 0
    """What may be spent in a month however little the one before has cost."""


class Reached(NamedTuple):
    """A share of a limit that was reached, told once."""

    period: Period
    date: int
    """Of the period, as in 20261122 or 202611."""
    share: int
    """Percent, the highest of `SHARES` that was reached."""
    spent: int
    limit: int


class _Told(NamedTuple):
    date: int
    limit: int
    share: int
    fresh: bool
    """By this run, so that its date moves with the clock."""


class Ledger:
    """Costs by day, of calls that are over and of those that run."""

    def __init__(self, rates: RateTable, calendar: Calendar) -> None:
        """Start with nothing spent; both may be exchanged later."""
        self.rates = rates
        """Calls that are answered keep the price they were answered at."""
        self.calendar = calendar
        self.ignored = 0
        """Parts of a record that made no sense."""
        self._kept: dict[int, int] = {}
        """By date, what keeps its date: of earlier runs, or long ago."""
        self._undated = 0
        """What an earlier run has spent under a clock that was never set."""
        self._entries: dict[tuple[int, int], tuple[float, int]] = {}
        """By quarter and date: monotonic time of the first cost, and the sum."""
        self._sums: dict[int, int] = {}
        """By date, the sums of `_entries`."""
        self._running: dict[int, tuple[Call, Rate]] = {}
        self._told: dict[Period, _Told] = {}
        self._added: dict[int, int] = {}
        """What running calls have cost by date, and between which monotonic times."""
        self._added_at, self._added_until = 0.0, -1.0
        self._offset: float | None = None
        self._since = 0.0
        self._jumped = False
        self._minute = (-1.0, 0)
        self._weighed: tuple[object, ...] | None = None
        """What the sums were last held against limits by; None once they change."""

    def watch(self, now: Instant) -> None:
        """Let time pass; to be called often, as days without any call count too."""
        self._look(now)

    def answered(self, call: Call, now: Instant) -> None:
        """Begin to count a call that costs, if it goes abroad."""
        self._look(now)
        if not (call.abroad and call.costs) or call.answered is None:
            return
        rate = self.rates.dearest((call.e164, *call.others))
        self._running[call.serial] = call, rate
        self._added_until = -1.0
        if len(self._running) > MAX_RUNNING:
            oldest, _ = self._running[next(iter(self._running))]
            self.ended(oldest, now)

    def ended(self, call: Call, now: Instant) -> None:
        """Book what a call has cost, once."""
        self._look(now)
        found = self._running.pop(call.serial, None)
        self._added_until = -1.0
        if found is not None and call.costs and call.answered is not None:
            self._book(call.answered.mono, _cost(*found, now.mono), now)

    def estimated(self, call: Call, seconds: float, now: Instant) -> int:
        """Book what a call costs that begins now and is never seen; returns that."""
        self._look(now)
        cost = self.rates.dearest((call.e164, *call.others)).cost(seconds)
        self._book(now.mono, cost, now)
        return cost

    def cost(self, call: Call, now: Instant) -> int:
        """Return what a running call has cost so far, 0 for one that is not billed."""
        found = self._running.get(call.serial)
        return _cost(*found, now.mono) if found is not None and call.costs else 0

    def spent(self, period: Period, now: Instant) -> int:
        """Return what this day or month has cost, running calls included."""
        self._look(now)
        return self._spent(period, now)

    def last_month(self, now: Instant) -> int | None:
        """Return what the month before this has cost, or the one before that if it was
        dearer: a month of holidays says nothing of the next. None when nobody knows.

        That is before `KNOWN_DAYS` of either were watched.
        """
        self._look(now)
        found = [
            spent
            for back in range(1, MONTHS_BACK + 1)
            if (spent := self._month(now, back)) is not None
        ]
        return max(found, default=None)

    def _month(self, now: Instant, back: int) -> int | None:
        """Return what an earlier month has cost."""
        year, month = divmod(self._date(now) // 100, 100)
        year, month = divmod(year * 12 + month - 1 - back, 12)
        before = year * 100 + month + 1
        found: dict[int, int] = {}
        for sums in (self._kept, self._sums):
            for date, spent in sums.items():
                if date // 100 == before:
                    _add(found, date, spent)
        return sum(found.values()) if len(found) >= KNOWN_DAYS else None

    def limit(self, period: Period, limits: Limits, now: Instant) -> int | None:
        """Return the limit that binds this day or month."""
        if period == "day":
            return limits.day
        found = [] if limits.month is None else [limits.month]
        if limits.percent_of_last is not None:
            last = self.last_month(now)
            if last is not None:
                found.append(max(limits.least, last * limits.percent_of_last // 100))
        return min(found, default=None)

    def left(self, limits: Limits, now: Instant) -> int | None:
        """Return what may still be spent, at least 0; None without any limit."""
        periods: tuple[Period, ...] = ("day", "month")
        found = [
            max(0, limit - self.spent(period, now))
            for period in periods
            if (limit := self.limit(period, limits, now)) is not None
        ]
        return min(found, default=None)

    def reached(self, limits: Limits, now: Instant) -> list[Reached]:
        """Return the shares of limits that were reached since the last call.

        Each once a period, the highest alone when several are new; anew when the limit
        has changed.
        """
        self._look(now)
        # Asked every few seconds; while nobody calls abroad nothing has changed.
        weighed = limits, self._label(now.wall), self._jumped, self._old(now)
        if weighed == self._weighed and not self._running:
            return []
        self._weighed = weighed
        found: list[Reached] = []
        for period in ("day", "month"):
            limit = self.limit(period, limits, now)
            if limit is None:
                continue
            spent = self._spent(period, now)
            shares = (one for one in SHARES if spent * 100 >= limit * one)
            share = next(shares, 0) if spent else 0
            date = self._date(now) // (100 if period == "month" else 1)
            told = self._told.get(period)
            if not share or (
                told and told[:2] == (date, limit) and told.share >= share
            ):
                continue
            self._told[period] = _Told(date, limit, share, True)
            found.append(Reached(period, date, share, spent, limit))
        return found

    def to_record(self, now: Instant) -> dict[str, Any]:
        """Return what has to outlive the process, as JSON has it; see `MAX_DAYS`.

        What running calls have cost so far is in it, as after a restart nobody knows
        them any more.
        """
        self._look(now)
        sums = dict(self._kept)
        for date, spent in (*self._sums.items(), *self._costs(now).items()):
            _add(sums, date, spent)
        undated = self._pending(now) + sums.get(self._unset(now), 0)
        today = self._date(now)
        # A day to come without costs is one of a clock that was wrong.
        sums = {
            date: spent
            for date, spent in sums.items()
            if date >= FIRST_DATE and (spent or date <= today)
        }
        return {
            "version": VERSION,
            "days": {str(date): sums[date] for date in nearest(sums, today)},
            "undated": undated,
            "told": {
                period: [told.date, told.limit, told.share]
                for period, told in self._told.items()
            },
        }

    @classmethod
    def from_record(
        cls, record: object, rates: RateTable, calendar: Calendar
    ) -> "Ledger":
        """Take up a record; what makes no sense in it is counted and left out."""
        ledger = cls(rates, calendar)
        parts: Mapping[Any, Any] = record if isinstance(record, dict) else {}
        if parts.get("version") != VERSION:
            ledger.ignored += record is not None
            return ledger
        for key, spent in _pairs(parts.get("days")):
            date = read_date(key)
            if date and _is_count(spent) and len(ledger._kept) < MAX_DAYS:
                ledger._kept[date] = spent
            else:
                ledger.ignored += 1
        undated = parts.get("undated", 0)
        if _is_count(undated):
            ledger._undated = undated
        else:
            ledger.ignored += 1
        told = dict(_pairs(parts.get("told")))
        periods: tuple[Period, ...] = ("day", "month")
        for period in periods:
            one = told.pop(period, None)
            if isinstance(one, list) and len(one) == 3 and all(map(_is_count, one)):
                ledger._told[period] = _Told(one[0], one[1], one[2], False)
            else:
                ledger.ignored += one is not None
        ledger.ignored += len(told)
        return ledger

    def _look(self, now: Instant) -> None:
        """Look at the clock; date anew what was spent if it has jumped."""
        offset = now.wall - now.mono
        if self._offset is None:
            self._since = now.mono
        elif abs(offset - self._offset) >= JUMP:
            before = self._date(Instant(now.mono, now.mono + self._offset))
            self._jumped = True
            self._weighed = None
            self._date_anew(now)
            self._added_until = -1.0
            after = self._date(now)
            for period, told in self._told.items():
                scale = 100 if period == "month" else 1
                if told.fresh and told.date == before // scale:
                    self._told[period] = told._replace(date=after // scale)
        self._offset = offset
        today = self._label(now.wall)
        if today not in self._sums:
            self._sums[today] = 0
            self._forget(today)
        if self._undated and today >= FIRST_DATE:
            self._book(now.mono, self._undated, now)
            self._undated = 0

    def _date_anew(self, now: Instant) -> None:
        entries, self._entries, self._sums = self._entries, {}, {}
        for mono, spent in entries.values():
            self._book(mono, spent, now)

    def _book(self, mono: float, spent: int, now: Instant) -> None:
        """Add a cost of a monotonic moment."""
        self._weighed = None
        date = self._label(now.wall - (now.mono - mono))
        key = int(mono // QUARTER), date
        first, before = self._entries.get(key, (mono, 0))
        self._entries[key] = first, before + spent
        _add(self._sums, date, spent)
        if len(self._entries) > MAX_ENTRIES:
            oldest = next(iter(self._entries))
            _, old = self._entries.pop(oldest)
            _add(self._sums, oldest[1], -old)
            _add(self._kept, oldest[1], old)

    def _forget(self, today: int) -> None:
        """Forget the days of long ago."""
        near = set(nearest({**self._kept, **self._sums}, today))
        for sums in (self._kept, self._sums):
            for date in sums.keys() - near:
                del sums[date]
        for key in [key for key in self._entries if key[1] not in near]:
            del self._entries[key]

    def _spent(self, period: Period, now: Instant) -> int:
        scale = 100 if period == "month" else 1
        shown = self._label(now.wall)
        date = self._date(now)
        dates = {date // scale}
        total = self._pending(now)
        # While the clock is behind, today is the record's newest day and the one that
        # the clock shows.
        fresh = dates | {shown // scale}
        for sums, counted in ((self._kept, dates), (self._sums, fresh)):
            total += sum(
                spent for day, spent in sums.items() if day // scale in counted
            )
        return total + sum(
            spent for day, spent in self._costs(now).items() if day // scale in fresh
        )

    def _costs(self, now: Instant) -> dict[int, int]:
        """Return what the running calls have cost, by date.

        Added up again when one of them has begun another unit, or at `LOOKS_AGAIN`.
        """
        mono = now.mono
        if self._added_at <= mono <= self._added_until:
            return self._added
        added: dict[int, int] = {}
        until = mono + LOOKS_AGAIN
        for call, rate in self._running.values():
            if call.costs and call.answered is not None:
                begun = call.answered.mono
                cost = _cost(call, rate, mono)
                _add(added, self._label(now.wall - (mono - begun)), cost)
                next_unit = begun + rate.units(call.talked(mono)) * rate.unit_s
                until = min(until, next_unit)
        self._added, self._added_at, self._added_until = added, mono, until
        return added

    def _date(self, now: Instant) -> int:
        """Return the date that counts as today."""
        shown = self._label(now.wall)
        newest = max((one for one, spent in self._kept.items() if spent), default=0)
        if shown >= newest:
            return shown
        set_now = self._jumped and shown >= FIRST_DATE
        return shown if set_now or self._old(now) else newest

    def _pending(self, now: Instant) -> int:
        """Return what of `_undated` may be today's: else it would add up for ever on a
        router that never learns the time."""
        return 0 if self._old(now) else self._undated

    def _unset(self, now: Instant) -> int:
        """Return the date that a clock shows which was never set, else 0."""
        shown = self._label(now.wall)
        return shown if shown < FIRST_DATE else 0

    def _old(self, now: Instant) -> bool:
        """Tell whether the clock has had time enough to be set."""
        return now.mono - self._since >= BELIEVED_AFTER

    def _label(self, wall: float) -> int:
        """Return a date as a number such as 20261122."""
        minute = wall // 60
        if self._minute[0] != minute:
            local = self.calendar(wall)
            date = local.year * 10_000 + local.month * 100 + local.day
            self._minute = minute, date
        return self._minute[1]


def _cost(call: Call, rate: Rate, mono: float) -> int:
    """Return what a call has cost: until now, its end or as long as it is not quiet."""
    return rate.cost(call.talked(min(mono, call.last + TALKS_FOR)))


def _add(sums: dict[int, int], date: int, spent: int) -> None:
    sums[date] = sums.get(date, 0) + spent


def _pairs(part: object) -> list[tuple[Any, Any]]:
    return list(part.items()) if isinstance(part, dict) else []


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_SPENT
