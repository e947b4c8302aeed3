"""What a report counts, one event after the other, in tables of bounded size.

Knows calls, incidents and attacks by day, country, account and hour. It must not know
languages or what a report looks like. A call belongs to the day on which it began, by
the local calendar that it is given.
"""

from collections import Counter, OrderedDict, deque
from typing import Final, TypeVar

from ringfence.calls.dates import LocalTime
from ringfence.calls.terms import Terms
from ringfence.reporting.events import (
    BudgetLine,
    CallLine,
    CountersLine,
    IncidentLine,
    Line,
    StopLine,
)

ASSUMED_S: Final = 30
"""What a stopped call would have lasted: those of the documented incident, 14,000 to
Sierra Leone in four days, took about 30 s each."""

CLOCK_SET: Final = 1_767_139_200.0
"""Seconds from 1970 to the end of 2025. A clock that shows less was never set: the
agent is younger."""

MAX_DAYS: Final = 800
"""Days told apart: two years and some."""

MAX_ACCOUNTS: Final = 2_000
"""Accounts told apart: a large office's telephones; whoever makes up names shares one
row when there are more."""

MAX_RULES: Final = 200
"""Rules told apart; a bundle has some ten."""

MAX_INCIDENTS: Final = 500
"""Incidents kept, the latest; a bad month has some dozens."""

MAX_NOTICES: Final = 100
"""Notices of spent money kept, the latest; there are at most six a day."""

MAX_CURRENCIES: Final = 4
"""Currencies told apart; a line has one, and another one after a change."""

OTHERS: Final = "\0others"
"""Key of the row that holds what has none of its own; no cleaned text is like it."""

Money = dict[str, int]
"""Thousandths by currency."""

K = TypeVar("K")
V = TypeVar("V")


class Sum:
    """Calls that were let through."""

    __slots__ = ("answered", "cost", "seconds", "tried")

    def __init__(self) -> None:
        """Begin with none."""
        self.tried = 0
        self.answered = 0
        self.seconds = 0
        self.cost: Money = {}

    def add(self, call: CallLine, currency: str) -> None:
        """Count one call; `currency` is "" for a cost that does not count."""
        self.tried += 1
        if call.answered is not None:
            self.answered += 1
            self.seconds += call.seconds or 0
        if call.cost is not None and currency:
            self.cost[currency] = self.cost.get(currency, 0) + call.cost

    def merge(self, other: "Sum") -> None:
        """Add another row."""
        self.tried += other.tried
        self.answered += other.answered
        self.seconds += other.seconds
        for currency, milli in other.cost.items():
            self.cost[currency] = self.cost.get(currency, 0) + milli


class Stopped:
    """Calls abroad that were not let through."""

    __slots__ = ("calls", "would")

    def __init__(self) -> None:
        """Begin with none."""
        self.calls = 0
        self.would = 0
        """Thousandths that they would have cost, by the rate table."""

    def add(self, would: int) -> None:
        """Count one call."""
        self.calls += 1
        self.would += would

    def merge(self, other: "Stopped") -> None:
        """Add another row."""
        self.calls += other.calls
        self.would += other.would


class Incident:
    """What was closed, from the one notice or both."""

    __slots__ = ("closed", "last", "opened", "reason", "saved", "seen")

    def __init__(self, line: IncidentLine) -> None:
        """Begin with either notice."""
        self.opened: float | None = None
        self.closed: float | None = None
        self.reason = ""
        """Why it was closed, from whichever notice says so."""
        self.seen = self.saved = 0
        """Calls in the log that it stopped, and thousandths that they would have cost
        at least: all that is known before the closing notice."""
        self.add(line)

    def add(self, line: IncidentLine) -> None:
        """Take the next notice."""
        if line.opened:
            self.opened = line.time
        else:
            self.closed = line.time
        if not line.opened or self.closed is None:
            self.last = line
        self.reason = self.reason or line.reason

    @property
    def stopped(self) -> int:
        """Calls that it stopped, as far as the log goes."""
        return max(self.last.stopped, self.seen)

    @property
    def cost(self) -> int | None:
        """Thousandths that they would have cost at least; None if not told."""
        cost = self.last.cost
        return cost if self.closed is not None else max(cost or 0, self.saved)


class Tally:
    """Everything that a report is made of."""

    def __init__(self, terms: Terms) -> None:
        """Take the prices for what was stopped, and the local calendar."""
        self._rates = terms.rates
        self._calendar = terms.calendar
        self.priced_in = terms.currency
        """The currency of those prices."""
        self.first: float | None = None
        self.newest: float | None = None
        """When the first and the last of the events happened, seconds since 1970."""
        self.total = Sum()
        self.days: dict[int, Sum] = {}
        """International calls let through by date, such as 20261122."""
        self.countries: dict[str, Sum] = {}
        self.accounts: dict[str, Sum] = {}
        self.stopped = Stopped()
        self.stopped_days: dict[int, Stopped] = {}
        self.stopped_countries: dict[str, Stopped] = {}
        self.stopped_rules: dict[str, Stopped] = {}
        self.stopped_others = 0
        """Calls stopped that would not have gone abroad."""
        self.home_out = 0
        """Calls out that stayed in the country."""
        self.calls_in = 0
        self.unpriced = 0
        """Answered calls abroad without a cost."""
        self.currencies: Counter[str] = Counter()
        self.incidents: OrderedDict[str, Incident] = OrderedDict()
        self.incidents_lost = 0
        self._running: dict[tuple[str, str], Incident] = {}
        """Those without a closing notice, by rule and country, "" for no certain one;
        the latest of each, and no more than `MAX_INCIDENTS`."""
        self.notices: deque[BudgetLine] = deque(maxlen=MAX_NOTICES)
        self.sources: Counter[str] = Counter()
        """Messages from outside that were stopped, by country; "" for none known."""
        self.week: list[int] = [0] * 168
        """The same by hour of the week, local time; 0 is Monday from 0 to 1 o'clock."""
        self.inside = 0
        """Messages from our own side that were stopped."""
        self.monitored = 0
        """Messages that would have been stopped, and passed."""
        self.unlogged = 0
        """Lines that the agent had no room for in the log."""
        self._unlogged = 0
        self.undated = 0
        """Calls that are in no table of days."""

    @property
    def currency(self) -> str:
        """The currency of most calls; "" when no call has a price."""
        return max(self.currencies, key=lambda name: self.currencies[name], default="")

    @property
    def span(self) -> list[int]:
        """The dates of the first and the last event."""
        ends = (self.first, self.newest)
        return [date_of(self._calendar(end)) for end in ends if end is not None]

    def take(self, line: Line) -> None:
        """Count one event."""
        if isinstance(line, CountersLine):
            new = line.unlogged - self._unlogged
            self.unlogged += line.unlogged if new < 0 else new  # less: a new start
            self._unlogged = line.unlogged
            return
        if line.time >= CLOCK_SET:
            self.first = min(self.first or line.time, line.time)
            self.newest = max(self.newest or line.time, line.time)
        if isinstance(line, CallLine):
            self._call(line)
        elif isinstance(line, StopLine):
            self._stop(line)
        elif isinstance(line, BudgetLine):
            self.notices.append(line)
        else:
            self._incident(line)

    def _call(self, call: CallLine) -> None:
        if call.stopped:
            self._stopped(call)
        elif call.direction == "in":
            self.calls_in += 1
        elif not call.abroad:
            # Our own telephone outside, to which the PBX passes a call on.
            self.home_out += call.kind != "extension"
        else:
            self._abroad(call)

    def _abroad(self, call: CallLine) -> None:
        currency = call.currency
        if call.cost is None or not currency:
            self.unpriced += call.answered is not None
            currency = ""
        elif currency in self.currencies or len(self.currencies) < MAX_CURRENCIES:
            self.currencies[currency] += 1
        else:
            self.unpriced += 1
            currency = ""
        self.total.add(call, currency)
        _row(self.countries, call.country, Sum).add(call, currency)
        _bounded(self.accounts, call.account, Sum, MAX_ACCOUNTS).add(call, currency)
        day = self._day(call.begin)
        if day is not None:
            _row(self.days, day, Sum).add(call, currency)

    def _stopped(self, call: CallLine) -> None:
        if not call.abroad:
            self.stopped_others += 1
            return
        rate = self._rates.find(_digits(call.number))
        would = rate.cost(ASSUMED_S)
        for key in ((call.rule, call.country), (call.rule, "")):
            if key in self._running:
                self._running[key].seen += 1
                self._running[key].saved += rate.cost(0)
                break
        self.stopped.add(would)
        _row(self.stopped_countries, call.country, Stopped).add(would)
        _bounded(self.stopped_rules, call.rule, Stopped, MAX_RULES).add(would)
        day = self._day(call.begin)
        if day is not None:
            _row(self.stopped_days, day, Stopped).add(would)

    def _day(self, wall: float) -> int | None:
        """Return a date; None for that of a clock that was not set, and when the
        tables hold no more of them."""
        if wall < CLOCK_SET:
            self.undated += 1
            return None
        date = date_of(self._calendar(wall))
        for table in (self.days, self.stopped_days):
            if date not in table and len(table) >= MAX_DAYS:
                self.undated += 1
                return None
        return date

    def _stop(self, line: StopLine) -> None:
        self.monitored += line.monitor
        if not line.outside:
            self.inside += 1
            return
        self.sources[line.country] += 1
        local: LocalTime = self._calendar(line.time)
        self.week[local.weekday * 24 + local.minute // 60] += 1

    def _incident(self, line: IncidentLine) -> None:
        key = line.rule, line.subject if line.what == "country" else ""
        known = self.incidents.get(line.id)
        if known is not None:
            known.add(line)
            if not line.opened and self._running.get(key) is known:
                del self._running[key]
            return
        made = self.incidents[line.id] = Incident(line)
        if line.opened and not line.monitor and len(self._running) < MAX_INCIDENTS:
            self._running[key] = made
        if len(self.incidents) > MAX_INCIDENTS:
            self.incidents.popitem(last=False)
            self.incidents_lost += 1


def date_of(local: LocalTime) -> int:
    """Return a date as a number, such as 20261122."""
    return local.year * 10_000 + local.month * 100 + local.day


def _row(table: dict[K, V], key: K, make: type[V]) -> V:
    """Return a key's row, a new one for a new key."""
    row = table.get(key)
    if row is None:
        row = table[key] = make()
    return row


def _bounded(table: dict[str, V], key: str, make: type[V], most: int) -> V:
    """Return a key's row, that of all others when there are too many."""
    return _row(table, key if key in table or len(table) < most else OTHERS, make)


def _digits(number: str) -> str:
    """Return the leading digits, as far as they are shown."""
    for at, char in enumerate(number):
        if char not in "0123456789":
            return number[:at]
    return number
