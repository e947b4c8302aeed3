"""A tally as a document in one language: which tables and charts there are.

Knows what an owner asks: what it cost, what was stopped, why something was closed, who
attacks. It must not know the form that comes out of it.
"""

from collections.abc import Iterable
from typing import Final, TypeVar

from ringfence.reporting.document import (
    Bars,
    Card,
    Chart,
    Columns,
    Document,
    Figure,
    Heat,
    Point,
    Section,
    Table,
)
from ringfence.reporting.events import BudgetLine
from ringfence.reporting.forms import Forms
from ringfence.reporting.periods import periods
from ringfence.reporting.tally import ASSUMED_S, OTHERS, Incident, Stopped, Sum, Tally

MAX_BARS: Final = 10
"""Bars of a chart; the table beside it has the rest."""

MAX_ROWS: Final = 100
"""Rows of a table that grows with what strangers do; the rest is in one row."""

V = TypeVar("V")


def compose(tally: Tally, forms: Forms, passed_over: int, offset: str) -> Document:
    """Make the document; `offset` is how far local time is from UTC, as `+09:00`."""
    return _Composer(tally, forms).document(passed_over, offset)


class _Composer:
    def __init__(self, tally: Tally, forms: Forms) -> None:
        self._tally = tally
        self._forms = forms
        self._say = forms.say
        self._currency = tally.currency or tally.priced_in

    def document(self, passed_over: int, offset: str) -> Document:
        tally, forms = self._tally, self._forms
        period = self._say("period.none")
        if tally.first is not None and tally.newest is not None:
            first, last = forms.moment(tally.first), forms.moment(tally.newest)
            period = self._say("period", first=first, last=last, offset=offset)
        return Document(
            forms.language,
            self._say("title"),
            period,
            self._cards(),
            [
                self._abroad(),
                self._stopped(),
                self._incidents(),
                self._attacks(),
                self._notes(passed_over),
            ],
            forms.template("more"),
        )

    def _cards(self) -> list[Card]:
        tally, forms = self._tally, self._forms
        shown = [
            ("cost", forms.sums(tally.total.cost, self._currency), "passed"),
            ("calls", forms.count(tally.total.answered), "passed"),
            ("time", forms.clock(tally.total.seconds), "passed"),
            ("stopped", forms.count(tally.stopped.calls), "stopped"),
            ("would", forms.money(tally.stopped.would, tally.priced_in), "stopped"),
            ("incidents", forms.count(len(tally.incidents)), "attack"),
        ]
        return [Card(self._say(f"card.{key}"), text, tone) for key, text, tone in shown]

    # International calls --------------------------------------------------------------

    def _abroad(self) -> Section:
        tally, forms = self._tally, self._forms
        total = tally.total
        text = self._say(
            "abroad.text",
            tried=forms.count(total.tried),
            answered=forms.count(total.answered),
            home_out=forms.count(tally.home_out),
            calls_in=forms.count(tally.calls_in),
        )
        figures: list[Figure] = []
        if not total.tried:
            text = f"{self._say('abroad.none')} {text}"
        else:
            figures += self._abroad_days()
            countries = [
                (forms.country(key), row) for key, row in tally.countries.items()
            ]
            figures.append(self._abroad_by("countries", "head.country", countries))
            accounts = [(forms.name(key), row) for key, row in tally.accounts.items()]
            figures.append(self._abroad_by("accounts", "head.account", accounts))
        return Section(self._say("abroad"), [text], figures)

    def _abroad_days(self) -> list[Figure]:
        found = self._periods()
        if not found:  # the clock was never set
            return []
        rows = {date: self._whole(self._tally.days, date) for date in found}
        key = "abroad.months" if found[0] < 1_000_000 else "abroad.days"
        calls = [self._dated(date, row.tried) for date, row in rows.items()]
        costs = [self._costly(date, row) for date, row in rows.items()]
        cost = self._say("chart.cost", currency=self._currency)
        table = self._sums(
            self._say(key),
            "head.month" if found[0] < 1_000_000 else "head.day",
            [(self._forms.day(date), row) for date, row in rows.items() if row.tried],
        )
        charts = (
            self._columns(self._say("chart.calls"), calls, "passed"),
            self._columns(cost, costs, "passed"),
        )
        return [Figure(charts, table._replace(newest_last=True))]

    def _periods(self) -> list[int]:
        tally = self._tally
        return periods(tally.days, tally.stopped_days, tally.span)

    def _whole(self, days: dict[int, Sum], period: int) -> Sum:
        """Add up the days of a period; a day is one by itself."""
        whole = Sum()
        for date, row in days.items():
            if period in (date, date // 100):
                whole.merge(row)
        return whole

    def _abroad_by(
        self, key: str, heading: str, found: list[tuple[str, Sum]]
    ) -> Figure:
        currency = self._currency
        rows = sorted(
            found,
            key=lambda item: (-item[1].cost.get(currency, 0), -item[1].tried, item[0]),
        )
        points = [
            Point(
                name,
                row.cost.get(currency, 0) / 1000,
                self._forms.sums(row.cost, currency),
            )
            for name, row in rows
        ]
        title = self._say("chart.cost", currency=currency)
        if not any(point.value for point in points):
            title = self._say("chart.calls")
            rows.sort(key=lambda item: (-item[1].tried, item[0]))
            points = [self._point(name, row.tried) for name, row in rows]
        table = self._sums(self._say(f"abroad.{key}"), heading, self._cut(rows))
        return Figure((self._bars(title, points, "passed"),), table)

    def _cut(self, rows: list[tuple[str, Sum]]) -> list[tuple[str, Sum]]:
        """Put rows beyond the bound into one."""
        if len(rows) <= MAX_ROWS:
            return rows
        rest = Sum()
        for _, row in rows[MAX_ROWS:]:
            rest.merge(row)
        return [*rows[:MAX_ROWS], (self._forms.name(OTHERS), rest)]

    def _sums(self, title: str, heading: str, rows: Iterable[tuple[str, Sum]]) -> Table:
        forms = self._forms
        heads = (heading, "head.tried", "head.answered", "head.time", "head.cost")
        return Table(
            title,
            tuple(self._say(head) for head in heads),
            [
                (
                    name,
                    forms.count(row.tried),
                    forms.count(row.answered),
                    forms.clock(row.seconds),
                    forms.sums(row.cost, self._currency),
                )
                for name, row in rows
            ],
            frozenset({1, 2, 3, 4}),
        )

    # What was stopped -----------------------------------------------------------------

    def _stopped(self) -> Section:
        tally, forms = self._tally, self._forms
        stopped = tally.stopped
        figures: list[Figure] = []
        if not stopped.calls:
            text = [self._say("stopped.none")]
        else:
            would = forms.money(stopped.would, tally.priced_in)
            calls = forms.count(stopped.calls)
            text = [
                self._say("stopped.text", calls=calls, would=would, seconds=ASSUMED_S)
            ]
            figures += self._stopped_days()
            countries = [
                (forms.country(key), row)
                for key, row in tally.stopped_countries.items()
            ]
            rules = [(forms.name(key), row) for key, row in tally.stopped_rules.items()]
            figures.append(self._stopped_by("countries", "head.country", countries))
            figures.append(self._stopped_by("rules", "head.rule", rules))
        if tally.stopped_others:
            calls = forms.count(tally.stopped_others)
            text.append(self._say("stopped.others", calls=calls))
        return Section(self._say("stopped"), text, figures)

    def _stopped_days(self) -> list[Figure]:
        days = self._tally.stopped_days
        found = self._periods()
        if not found:
            return []
        monthly = found[0] < 1_000_000
        rows = {date: Stopped() for date in found}
        for date, row in days.items():
            period = date // 100 if monthly else date
            if period in rows:
                rows[period].merge(row)
        points = [self._dated(date, row.calls) for date, row in rows.items()]
        table = self._stops(
            self._say("stopped.months" if monthly else "stopped.days"),
            "head.month" if monthly else "head.day",
            [(self._forms.day(date), row) for date, row in rows.items() if row.calls],
        )
        chart = self._columns(self._say("chart.stopped"), points, "stopped")
        return [Figure((chart,), table._replace(newest_last=True))]

    def _stopped_by(
        self, key: str, heading: str, found: list[tuple[str, Stopped]]
    ) -> Figure:
        rows = sorted(found, key=lambda item: (-item[1].calls, item[0]))
        points = [self._point(name, row.calls) for name, row in rows]
        if len(rows) > MAX_ROWS:
            rest = Stopped()
            for _, row in rows[MAX_ROWS:]:
                rest.merge(row)
            rows = [*rows[:MAX_ROWS], (self._forms.name(OTHERS), rest)]
        table = self._stops(self._say(f"stopped.{key}"), heading, rows)
        title = self._say("chart.stopped")
        return Figure((self._bars(title, points, "stopped"),), table)

    def _stops(
        self, title: str, heading: str, rows: Iterable[tuple[str, Stopped]]
    ) -> Table:
        forms = self._forms
        currency = self._tally.priced_in
        return Table(
            title,
            (self._say(heading), self._say("head.calls"), self._say("head.would")),
            [
                (name, forms.count(row.calls), forms.money(row.would, currency))
                for name, row in rows
            ],
            frozenset({1, 2}),
        )

    # Incidents ------------------------------------------------------------------------

    def _incidents(self) -> Section:
        tally, forms = self._tally, self._forms
        figures: list[Figure] = []
        text = [self._say("incidents.text" if tally.incidents else "incidents.none")]
        if tally.incidents:
            heads = ("opened", "closed", "what", "reason", "stopped", "passed")
            table = Table(
                self._say("incidents.table"),
                tuple(self._say(f"head.{head}") for head in (*heads, "saved", "rule")),
                [self._incident(one) for one in tally.incidents.values()],
                frozenset({4, 5, 6}),
                newest_last=True,
            )
            figures.append(Figure((), table))
        if tally.notices:
            table = Table(
                self._say("budget"),
                (self._say("head.time.at"), self._say("head.share")),
                [
                    (forms.moment(line.time), self._notice(line))
                    for line in tally.notices
                ],
                frozenset(),
                newest_last=True,
            )
            figures.append(Figure((), table))
        return Section(self._say("incidents"), text, figures)

    def _notice(self, line: BudgetLine) -> str:
        """Say how much of a limit was spent."""
        currency = line.currency or self._currency
        return self._say(
            f"budget.{line.period}",
            share=line.share,
            spent=self._forms.money(line.spent, currency),
            limit=self._forms.money(line.limit, currency),
        )

    def _incident(self, incident: Incident) -> tuple[str, ...]:
        forms, last = self._forms, incident.last
        what, reason = forms.closed(last.what, last.subject), incident.reason
        if last.monitor:
            what = self._say("incidents.monitor", what=what)
        if incident.closed is not None:
            end = forms.moment(incident.closed)
        else:
            if last.until is None:
                end = self._say("incidents.open")
            else:
                # It goes on for longer where somebody keeps calling.
                over = last.until < (self._tally.newest or 0.0)
                key = "incidents.later" if over else "incidents.until"
                end = self._say(key, until=forms.moment(last.until))
            how = last.open_with
            reason = self._say("incidents.how", reason=reason, open_with=how)
        cost = incident.cost
        saved = "-" if cost is None else forms.money(cost, self._currency)
        return (
            "-" if incident.opened is None else forms.moment(incident.opened),
            end,
            what,
            reason,
            forms.count(incident.stopped),
            forms.count(last.passed),
            saved,
            last.rule,
        )

    # Attacks --------------------------------------------------------------------------

    def _attacks(self) -> Section:
        tally, forms = self._tally, self._forms
        messages = tally.sources.total()
        figures: list[Figure] = []
        text = [self._say("attacks.none")]
        if messages:
            text = [self._say("attacks.text", messages=forms.count(messages))]
            rows = sorted(tally.sources.items(), key=lambda item: (-item[1], item[0]))
            points = [self._point(forms.country(key), count) for key, count in rows]
            table = Table(
                self._say("attacks.countries"),
                (self._say("head.country"), self._say("head.messages")),
                [(point.label, point.shown) for point in points],
                frozenset({1}),
            )
            title = self._say("chart.messages")
            figures.append(Figure((self._bars(title, points, "attack"),), table))
            figures.append(self._week())
        if tally.inside:
            count = forms.count(tally.inside)
            text.append(self._say("attacks.inside", messages=count))
        if tally.monitored:
            count = forms.count(tally.monitored)
            text.append(self._say("attacks.monitored", messages=count))
        return Section(self._say("attacks"), text, figures)

    def _week(self) -> Figure:
        forms, week = self._forms, self._tally.week
        days = tuple(forms.weekday(day) for day in range(7))
        points = []
        for hour, count in enumerate(week):
            label = self._say(
                "weekday.hour", weekday=days[hour // 24], hour=f"{hour % 24:02}"
            )
            points.append(Point(label, count, forms.count(count)))
        heat = Heat(
            self._say("chart.week"),
            self._described(points),
            points,
            days,
            self._say("chart.less"),
            self._say("chart.more", most=forms.count(max(week))),
            "attack",
        )
        table = Table(
            self._say("attacks.week"),
            (self._say("head.hour"), *days),
            [
                (
                    self._say("hour", hour=f"{hour:02}"),
                    *(forms.count(week[day * 24 + hour]) for day in range(7)),
                )
                for hour in range(24)
            ],
            frozenset(range(1, 8)),
        )
        return Figure((heat,), table)

    # Charts ---------------------------------------------------------------------------

    def _point(self, label: str, value: int) -> Point:
        return Point(label, value, self._forms.count(value))

    def _dated(self, date: int, value: int) -> Point:
        forms = self._forms
        return Point(forms.day(date), value, forms.count(value), forms.short_day(date))

    def _costly(self, date: int, row: Sum) -> Point:
        shown = self._forms.sums(row.cost, self._currency)
        return self._dated(date, 0)._replace(
            value=row.cost.get(self._currency, 0) / 1000, shown=shown
        )

    def _described(self, points: list[Point]) -> str:
        most = max(points, key=lambda point: point.value)
        return self._say("chart.desc", label=most.label, shown=most.shown)

    def _columns(self, title: str, points: list[Point], tone: str) -> Chart:
        return Columns(title, self._described(points), points, tone)

    def _bars(self, title: str, points: list[Point], tone: str) -> Chart:
        return Bars(title, self._described(points), points[:MAX_BARS], tone)

    # Notes ----------------------------------------------------------------------------

    def _notes(self, passed_over: int) -> Section:
        tally, forms = self._tally, self._forms
        text = [
            self._say(f"notes.{key}") for key in ("source", "cost", "day", "digits")
        ]
        counted = [
            ("unpriced", "calls", tally.unpriced),
            ("undated", "calls", tally.undated),
            ("incidents", "incidents", tally.incidents_lost),
            ("unlogged", "lines", tally.unlogged),
            ("passed_over", "lines", passed_over),
        ]
        for key, name, count in counted:
            if count:
                text.append(self._say(f"notes.{key}", **{name: forms.count(count)}))
        for currency, milli in sorted(tally.total.cost.items()):
            if currency != self._currency:
                money = forms.money(milli, currency)
                text.append(self._say("notes.currency", money=money))
        if OTHERS in tally.accounts or OTHERS in tally.stopped_rules:
            text.append(self._say("notes.others"))
        return Section(self._say("notes"), text, [])
