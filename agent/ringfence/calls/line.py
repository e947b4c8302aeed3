"""The line: its calls, their cost, what is usual, what is closed, and the rules on it.

Between the parts that know calls and the engine, which decides on messages. Judged are
calls abroad that our side makes, for they cost; one that a phone outside asks for shows
again when our PBX makes it. It reads no clock and writes nothing down: what is to be
told waits in `told`.
"""

from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from ringfence.calls.baseline import Baseline
from ringfence.calls.call import Call, Event
from ringfence.calls.closures import Caller, Closure, Closures
from ringfence.calls.events import BudgetShare, Incident, Told
from ringfence.calls.lately import PASSES, Lately
from ringfence.calls.ledger import Ledger
from ringfence.calls.over import call_over, stopped_call
from ringfence.calls.rates import MILLI
from ringfence.calls.tallies import Tallies
from ringfence.calls.terms import Terms
from ringfence.calls.told import CallFacts
from ringfence.calls.told import Told as Telling
from ringfence.calls.view import CallView
from ringfence.decision import Ruling, Verdict
from ringfence.facts import Facts, World
from ringfence.facts.facts import zone
from ringfence.facts.network import format_address
from ringfence.facts.numbers import Reading
from ringfence.facts.targets import REDIRECTIONS
from ringfence.packet import Instant
from ringfence.rules import Rule, RuleSet
from ringfence.rules.outcome import enforced, overridden

TICK: Final = 5.0
"""Seconds between two looks at what time has changed."""

IDLE_TICK: Final = 60.0
"""Seconds while no call runs and nothing is closed: a router may sleep."""

MAX_TOLD: Final = 1_024
"""What waits to be told; the oldest is never told if there is more."""

LEARNS_FOR: Final = 7.0
"""Days watched after which closures grow, and what led to one is no longer learnt. Until
then the first busy hour of an honest line would keep it closed for ever: it would never
learn what is usual. A thief of these days meets the budget."""

FORWARDED_FOR: Final = 300.0
"""Seconds that a call is taken to last which the carrier makes for us: nobody here sees
it end. A guess: half of an office's calls abroad are over after four minutes."""


class Line:
    """Owns all that is remembered of calls."""

    def __init__(self, signed_in_from: Callable[[Facts, float], bool]) -> None:
        """Start with nothing; `signed_in_from` tells whether an account has shown its
        password from where a message comes."""
        self._signed_in_from = signed_in_from
        self._terms = Terms()
        self._rules = RuleSet(())
        self._world: World | None = None
        self._monitor = False
        self._by_id: dict[str, Rule] = {}
        self.view = CallView()
        self.baseline = Baseline()
        self.ledger = Ledger(self._terms.rates, self._terms.calendar)
        self.closures = Closures()
        self.tallies = Tallies()
        self.changed = False
        """Something is to be remembered that was not before."""
        self._told: deque[Told] = deque(maxlen=MAX_TOLD)
        self._lately = Lately()
        self._ticked = -inf

    def use(self, world: World, rules: RuleSet, terms: Terms, *, monitor: bool) -> None:
        """Judge by other rules and prices from now on; what is closed stays closed.

        `monitor`: nobody is stopped.
        """
        self._world, self._monitor = world, monitor
        if terms is not self._terms:
            self._terms = terms
            self.ledger.rates, self.ledger.calendar = terms.rates, terms.calendar
        if rules is not self._rules:
            self._rules = rules
            self._by_id = {rule.id: rule for rule in rules.rules}
            self.tallies.use(rules)

    def due(self, mono: float) -> bool:
        """Tell whether it is time for a `tick`."""
        return mono - self._ticked >= TICK

    def wait(self, mono: float) -> float:
        """Return the seconds until a `tick` is wanted if no message comes."""
        every = TICK if not (self.view.bare and self.closures.none) else IDLE_TICK
        return max(0.0, self._ticked + every - mono)

    @property
    def terms(self) -> Terms:
        """Prices, limits and hours in force."""
        return self._terms

    def told(self) -> list[Told]:
        """Return what is to be told since the last time."""
        found = list(self._told)
        self._told.clear()
        return found

    def tick(self, now: Instant) -> None:
        """Let time pass; `use` has to be called before."""
        self._ticked = now.mono
        self.baseline.watch(now.mono)
        self.ledger.watch(now)
        self._take(self.view.tick(now), now)
        limits = self._terms.limits
        has_room = not self.closures.by_budget
        if not has_room:
            left = self.ledger.left(limits, now)
            has_room = left is None or left >= MILLI
        for closure in self.closures.tick(now, budget_left=has_room):
            self._closed(closure, now)
        for reached in self.ledger.reached(limits, now):
            period, _, share, spent, limit = reached
            self._told.append(BudgetShare(now.wall, period, share, spent, limit))

    def signed_in(self, facts: Facts) -> None:
        """Learn that an account has shown its password; `facts` are about the phone."""
        self.baseline.signed_in(facts.account, facts.source, facts.origin.country)
        self.changed = True

    def open(self, what: str, seconds: float, now: Instant) -> list[Closure]:
        """Open something for a time; returns the incidents that are over by it."""
        over = self.closures.open(what, seconds, now.mono)
        for closure in over:
            self._closed(closure, now)
        return over

    def opened(self, facts: Facts, mono: float) -> bool:
        """Tell whether the owner has opened what a message dials."""
        reading = facts.reading
        if reading is None or not reading.abroad:
            return False
        return self.closures.opened(reading, _caller(facts), mono)

    def stopped(self, facts: Facts, ruling: Ruling, now: Instant) -> None:
        """Note a message that somebody else has stopped."""
        self._take(self.view.stopped(facts, now), now)
        if facts.message.method != "INVITE" or ruling.rule == "banned":
            return
        asks = (
            facts.side == "inside"
            or facts.message.credentials is not None
            or self._signed_in_from(facts, now.mono)
        )
        reading = facts.reading
        if (
            asks
            and reading is not None
            and reading.abroad
            and self._lately.first(facts, now.mono)
        ):
            self._refused(facts, reading, ruling, now)

    def asked(self, facts: Facts, ruling: Ruling, now: Instant) -> Ruling | None:
        """Judge a message that would pass, and learn from it if it does."""
        message = facts.message
        dials = message.method in ("INVITE", "REFER") or (
            message.status in REDIRECTIONS
        )
        if dials and ruling.source != "builtin":
            reading = facts.reading
            if reading is not None and reading.abroad:
                return self._abroad(facts, reading, ruling, now)
        self._take(self.view.seen(facts, now), now)
        return None

    def _abroad(
        self, facts: Facts, reading: Reading, ruling: Ruling, now: Instant
    ) -> Ruling | None:
        """Judge what dials abroad; `ruling` lets it pass."""
        view, calls = self.view, facts.message.method == "INVITE"
        if calls and view.known(facts) is not None:
            self._take(view.seen(facts, now), now)
            return None
        caller = _caller(facts)
        opened = self.closures.opened(reading, caller, now.mono)
        held: Ruling | None = None
        if not opened:
            held = self._met(facts, reading, caller, now)
            if held is not None and held.verdict is not Verdict.ACCEPT:
                self._take(view.stopped(facts, now), now)
                return held
        if not calls:
            sent = self._sent_on(facts, reading, caller, now, judged=not opened)
            if sent is None or sent.verdict is Verdict.ACCEPT:
                self._take(view.seen(facts, now), now)
            return held or sent
        events = view.seen(facts, now)
        begun = next((one.call for one in events if one.kind == "begun"), None)
        if begun is not None:
            if begun.counts and not opened:
                hit = self._begun(begun, facts, reading, caller, now)
                if hit is not None and hit.verdict is not Verdict.ACCEPT:
                    view.withdraw(begun)
                    self._take([one for one in events if one.call is not begun], now)
                    return hit
                held = held or hit
                watched = hit if ruling.would is None else ruling
                shows_again = begun.direction == "in"
                if watched and not shows_again and self._closes_nothing(watched):
                    self._one_more(facts, reading, now, held=True)
            if begun.direction == "out":
                begun.noted = CallFacts(facts, judged=not opened)
        self._take(events, now)
        return held

    def _met(
        self,
        facts: Facts,
        reading: Reading,
        caller: Caller,
        now: Instant,
    ) -> Ruling | None:
        """Rule by what is closed."""
        inside = facts.side == "inside"
        first: Ruling | None = None
        new = False
        for closure in self.closures.stopping(
            reading, caller, inside=inside, known=self.baseline.knows
        ):
            rule = self._by_id.get(closure.rule)
            if rule is not None and overridden(rule, facts):
                continue
            # A rule that is off or only watches by now stops nobody any more.
            only_watches = (
                closure.monitor or rule is None or self._only_watches(rule, facts)
            )
            opens = closure.opens_with
            if not closure.subject:
                opens = f"ringfence allow {zone(reading).removeprefix('+')} --for 2h"
            why = f"{closure.reason}; closed, open with: {opens}"
            ruling = enforced(
                facts,
                Verdict.REJECT,
                closure.rule,
                facts.placed(why),
                "bundle",
                monitor=only_watches,
            )
            new = new or self._lately.first(facts, now.mono)
            if new:
                self.closures.stops(
                    closure, self._terms.least(reading), held=only_watches
                )
            if not only_watches:
                if new:
                    self._refused(facts, reading, ruling, now)
                return ruling
            first = first or ruling
        return first

    def _begun(
        self,
        call: Call,
        facts: Facts,
        reading: Reading,
        caller: Caller,
        now: Instant,
    ) -> Ruling | None:
        """Rule on a call that begins."""
        known = facts.side == "outside" and self._signed_in_from(facts, now.mono)
        redials = self._lately.redials(
            call.e164, now.mono, once=call.direction == "out"
        )
        facts.history = self._telling(call, facts, now, known=known, redials=redials)
        held: Ruling | None = None
        for rule in self._rules.starting:
            if rule.match(facts) is None or overridden(rule, facts):
                continue
            count = 0
            if rule.count is not None:
                count = self.tallies.counted(rule, facts, now.mono)
                if not count:
                    continue
            ruling = enforced(
                facts,
                rule.verdict,
                rule.id,
                rule.explain(facts, "", count),
                "bundle",
                monitor=self._only_watches(rule, facts),
            )
            stops = ruling.would is None
            if rule.close is not None:
                passed = max(0, count - 1) if stops else count
                closure = self._close(
                    rule, ruling.reason, reading, caller, now, passed, monitor=not stops
                )
                if stops and closure is not None:
                    self.closures.stops(closure, self._terms.least(reading))
            if stops:
                if self._lately.first(facts, now.mono):
                    self._refused(facts, reading, ruling, now)
                return ruling
            held = held or ruling
        return held

    def _sent_on(
        self,
        facts: Facts,
        reading: Reading,
        caller: Caller,
        now: Instant,
        *,
        judged: bool,
    ) -> Ruling | None:
        """Rule on what has the carrier call abroad in our name and at our cost: of that
        call nothing passes here. Inside, our PBX makes it, and it is judged then."""
        if facts.side != "inside" or facts.packet.dst in facts.world.inside:
            return None
        before = self._lately.sent_on(facts, reading, now.mono)
        if before is not None:
            return None if before is PASSES else before
        call = Call(facts, reading, 0, now)
        held = self._begun(call, facts, reading, caller, now) if judged else None
        self._lately.ruled(facts, reading, held, now.mono)
        if held is None or held.verdict is Verdict.ACCEPT:
            self.baseline.began(call.country)
            cost = self.ledger.estimated(call, FORWARDED_FOR, now)
            call.ended, call.status = now.mono, facts.message.status or 0
            self._told.append(call_over(call, cost, now, self._world))
            self.changed = True
        return held

    def _over(self, call: Call, now: Instant) -> None:
        """Learn from a call that is over, tell of it, rule on it."""
        ours = call.direction == "out" and call.abroad
        cost = self.ledger.cost(call, now) if ours and call.costs else None
        self.ledger.ended(call, now)
        if ours and call.counts:
            if call.answered is None:
                self._lately.in_vain(call.e164, now.mono)
            self.baseline.lasted(call.country, call.talked(now.mono))
        self.changed |= ours
        # A call that our PBX passes on is told of once: by the leg that is billed.
        if call.costs or (call.direction == "in" and not call.abroad):
            self._told.append(call_over(call, cost, now, self._world))
        noted = call.noted
        if not isinstance(noted, CallFacts) or not (noted.judged and call.counts):
            return
        noted.history = self._telling(call, noted, now, known=False, redials=False)
        reading = noted.reading
        if reading is None:
            return
        for rule in self._rules.ending:
            if rule.match(noted) is None or overridden(rule, noted):
                continue
            count = self.tallies.counted(rule, noted, now.mono)
            if rule.close is None or (rule.count is not None and not count):
                continue
            watches = self._only_watches(rule, noted)
            why = rule.explain(noted, "", count)
            caller = _caller(noted)
            self._close(rule, why, reading, caller, now, count, monitor=watches)

    def _close(
        self,
        rule: Rule,
        reason: str,
        reading: Reading,
        caller: Caller,
        now: Instant,
        passed: int,
        *,
        monitor: bool,
    ) -> Closure | None:
        """Close what a rule says; returns the incident if that begins with it."""
        assert rule.close is not None  # noqa: S101 - tells the type checker
        learns = self.baseline.days_watched < LEARNS_FOR
        closing = rule.close
        if learns:
            closing = closing._replace(longest=closing.first)
        made = self.closures.close(
            closing,
            rule.id,
            reason,
            reading,
            caller,
            (now.mono, now.wall),
            monitor=monitor,
            passed=passed,
        )
        if made is None:
            return None
        closure, oldest = made
        if closure.what == "new" and not learns:
            self.baseline.disown(unknown=True)
        elif closure.what == "country" and not learns:
            self.baseline.disown(reading.country)
        if oldest is not None:
            self._closed(oldest, now)
        until = None if closure.until == inf else now.wall + closure.until - now.mono
        self._told.append(Incident(now.wall, "opened", closure, until))
        self.changed = True
        return closure

    def _closed(self, closure: Closure, now: Instant) -> None:
        ended = now.wall - max(0.0, now.mono - closure.until)
        self._told.append(Incident(ended, "closed", closure, ended))
        self.changed = True

    def _take(self, events: Iterable[Event], now: Instant) -> None:
        """Learn what happened to calls."""
        for kind, call in events:
            ours = call.direction == "out" and call.abroad and call.counts
            if kind == "begun":
                if ours:
                    self.baseline.tried()
            elif kind == "answered":
                self.ledger.answered(call, now)
                if ours:  # one that nobody answers is free, and must not be usual
                    self.baseline.began(call.country)
            else:
                self._over(call, now)

    def _telling(
        self, call: Call, facts: Facts, now: Instant, *, known: bool, redials: bool
    ) -> Telling:
        return Telling(
            call,
            facts,
            now,
            self.baseline,
            self.ledger,
            self._terms,
            known=known,
            redials=redials,
        )

    def _only_watches(self, rule: Rule, facts: Facts) -> bool:
        """Tell whether a rule stops nobody here."""
        if self._monitor or rule.monitor:
            return True
        return rule.judges == "destination" and facts.world.numbers.only_logs

    def _refused(
        self, facts: Facts, reading: Reading, ruling: Ruling, now: Instant
    ) -> None:
        """Tell of a call abroad that was stopped."""
        self._told.append(stopped_call(facts, reading, ruling.rule, now.wall))
        if self._closes_nothing(ruling):
            self._one_more(facts, reading, now, held=False)

    def _closes_nothing(self, ruling: Ruling) -> bool:
        """Tell whether the owner hears nothing yet of what a rule stops."""
        rule = self._by_id.get(ruling.rule or "")
        return rule is None or rule.close is None

    def _one_more(
        self, facts: Facts, reading: Reading, now: Instant, *, held: bool
    ) -> None:
        """Tell the owner if call after call is stopped and nothing closed by it.

        `held`: this one passes, since the rule that it met only watches.
        """
        known = facts.side == "inside" or self._signed_in_from(facts, now.mono)
        rules = self._rules.stopped
        if not known or not rules:
            return
        cost = self._terms.least(reading)
        for rule in rules:
            running = self.closures.telling(monitor=held or rule.monitor)
            if running is not None:
                self.closures.goes_on(running, cost, now.mono, held=held)
                return
        self._lately.stopped(now.mono, cost, held=held)
        for rule in rules:
            if rule.match(facts) is None or overridden(rule, facts):
                continue
            count, within = 0, 0.0
            if rule.count is not None:
                within = rule.count.within
                count = self.tallies.counted(rule, facts, now.mono)
                if not count:
                    continue
            why, caller = rule.explain(facts, "", count), _caller(facts)
            monitor = held or rule.monitor
            closure = self._close(rule, why, reading, caller, now, 0, monitor=monitor)
            if closure is not None:
                for unit in self._lately.told_of(now.mono - within, held=held):
                    self.closures.goes_on(closure, unit, now.mono, held=held)
                return


def _caller(facts: Facts) -> Caller:
    return Caller(facts.account, format_address(facts.source))
