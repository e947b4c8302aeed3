"""What counting rules remember between messages: tallies, attempts, bans, who is known.

Knows which rule counts what; says that a rule's threshold is reached, by whom and how
often. It must not decide what is done about it: that is the engine. Every table in it
is bounded, and its keys are hashes or network addresses, never a stranger's text.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ringfence.facts import Facts
from ringfence.facts.attempts import Attempts, Kind, Outcome
from ringfence.facts.facts import Value, network_key
from ringfence.rules.bans import Bans
from ringfence.rules.model import CALLS, Count, Rule, RuleSet
from ringfence.state import BoundedTable, Rate, Recent

MAX_KEYS: Final = 8_192
"""Sources or accounts that one count tells apart: 4 MB with the shipped thresholds. A
flood from more forgets the oldest: that is what the kernel's limit is for."""

EXACT: Final = 32
"""Thresholds up to which every event is held; above, a rate is enough."""

MAX_EVENTS: Final = EXACT * MAX_KEYS
"""Events that one count holds, 6 MB. With thresholds above, which only a count of
different things can have, it tells fewer keys apart."""

MAX_KNOWN: Final = 8_192
"""Pairs of source and account with a registration. Only a password adds to them."""

KNOWN_FOR: Final = 2_592_000.0
"""Seconds a pair stays known: 30 days."""

MAX_GUARDED: Final = 1_024
"""Accounts that are guarded at once."""

_LONGEST_GUARD: Final = 86_400.0

MAX_INSIDERS: Final = 4_096
"""Addresses seen on the inside that no configuration names as ours."""


class Hit(NamedTuple):
    """A rule whose threshold is reached."""

    rule: Rule
    facts: Facts
    """About whom; not always about the sender of the message."""
    counted: int


Tally = Recent | Rate


class _Counting:
    """What one rule has counted."""

    __slots__ = ("count", "tallies")

    def __init__(self, count: Count) -> None:
        self.count = count
        self.tallies = [(names, _tally(count)) for names in count.per]
        """Each with the facts whose values are its keys."""


class Memory:
    """All that counting rules leave behind; belongs to one engine."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self.attempts = Attempts()
        self.bans = Bans()
        self.welcomed: Callable[[Facts], None] | None = None
        """Who else wants to know that somebody has shown a password."""
        self._counting: dict[str, _Counting] = {}
        """By rule."""
        self._rules: RuleSet | None = None
        self._known: BoundedTable[int, bool] = BoundedTable(MAX_KNOWN, KNOWN_FOR)
        self._guarded: BoundedTable[int, tuple[float, str]] = BoundedTable(
            MAX_GUARDED, _LONGEST_GUARD
        )
        self._insiders: BoundedTable[bytes, bool] = BoundedTable(MAX_INSIDERS, 86_400.0)

    def use(self, rules: RuleSet) -> None:
        """Keep the tallies of rules that count as before, forget the others."""
        if rules is self._rules:
            return
        self._rules = rules
        before, self._counting = self._counting, {}
        for rule in rules.rules:
            if rule.count is not None and rule.on not in CALLS:
                known = before.get(rule.id)
                if known is None or known.count != rule.count:
                    known = _Counting(rule.count)
                self._counting[rule.id] = known

    def seen_inside(self, address: bytes, now: float) -> None:
        """Note an address that came in from the inside, whatever it looks like."""
        if self._insiders.get(address, now) is None:
            self._insiders.put(address, True, now)

    def inside(self, address: bytes, now: float) -> bool:
        """Tell whether an address was seen on the inside within a day."""
        return bool(self._insiders) and self._insiders.get(address, now) is not None

    def requested(self, rule: Rule, facts: Facts, now: float) -> int:
        """Count a request for a rule that it matches; 0 while below its threshold."""
        return self._counted(rule, facts, 0, now)

    def failures(self, rule: Rule, facts: Facts, now: float) -> int:
        """Return the failures that a rule has counted for a sender."""
        count = rule.count
        if count is None or count.distinct is not None:
            return 0
        return max(
            [
                tally.count(_key(facts, names), now)
                for names, tally in self._counting[rule.id].tallies
                if "source" in names
            ],
            default=0,
        )

    def learn(self, outcome: Outcome, facts: Facts, now: float) -> Iterator[Hit]:
        """Count what was learnt of a client; `facts` are about it.

        Yields the rules whose threshold is reached, by severity.
        """
        if outcome.kind is Kind.SUCCESS:
            self._succeeded(facts, now)
            return
        for rule in self._about(outcome, facts):
            count = self._counted(rule, facts, _pair(facts), now)
            if count:
                yield Hit(rule, facts, count)

    def note(self, outcome: Outcome, facts: Facts, now: float) -> None:
        """Count a failure without consequence; the next attempt meets it in `over`."""
        for rule in self._about(outcome, facts):
            if rule.count is not None and rule.count.distinct is None:
                for names, tally in self._counting[rule.id].tallies:
                    tally.add(_key(facts, names), None, _pair(facts), now)

    def _about(self, outcome: Outcome, facts: Facts) -> Iterator[Rule]:
        """Yield the rules that an outcome concerns."""
        for rule in self._rules.learning if self._rules is not None else ():
            if rule.on == "refusal":
                concerns = outcome.refused
            else:
                concerns = outcome.kind is Kind.FAILURE
            if concerns and rule.match(facts) is not None:
                yield rule

    def _succeeded(self, facts: Facts, now: float) -> None:
        """Remember who registered, forget what went wrong before."""
        pair = _pair(facts)
        self._known.put(pair, True, now)
        if self.welcomed is not None:
            self.welcomed(facts)
        for rule in self._rules.learning if self._rules is not None else ():
            if rule.count is not None:
                for names, tally in self._counting[rule.id].tallies:
                    tally.clear(_key(facts, names), pair, now)

    def guard(self, facts: Facts, rule: Rule, now: float) -> None:
        """Let only known sources try an account for a while."""
        self._guarded.put(hash(facts.account), (now + rule.guard, rule.id), now)

    def guarded(self, facts: Facts, now: float) -> str | None:
        """Return the rule that keeps this source from trying this account."""
        if not self._guarded:
            return None
        found = self._guarded.get(hash(facts.account), now)
        if found is None or now >= found[0]:
            return None
        return None if self._known.get(_pair(facts), now) else found[1]

    def knows(self, facts: Facts, now: float) -> bool:
        """Tell whether an account has shown its password from where this comes."""
        return self._known.get(_pair(facts), now) is not None

    def unban(self, address: bytes) -> bool:
        """Lift the ban of an address, with its history and what was counted."""
        network = network_key(address)
        for counting in self._counting.values():
            for names, tally in counting.tallies:
                if names == ("source",):
                    tally.forget(_hash(names, (network,)))
        return self.bans.forget(network)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return entries and capacity of every table, by name."""
        found = {
            "attempts": (len(self.attempts), self.attempts.capacity),
            "bans": (len(self.bans), self.bans.capacity),
            "known": (len(self._known), MAX_KNOWN),
            "guarded": (len(self._guarded), MAX_GUARDED),
            "insiders": (len(self._insiders), MAX_INSIDERS),
        }
        for rule_id, counting in self._counting.items():
            for names, tally in counting.tallies:
                name = f"{rule_id} per {'+'.join(names)}"
                found[name] = (len(tally.table), tally.table.capacity)
        return found

    def _counted(self, rule: Rule, facts: Facts, pair: int, now: float) -> int:
        count = rule.count
        if count is None:
            return 0
        item = None
        if count.distinct is not None:
            value = facts.counted(count.distinct)
            if value is None:
                return 0
            item = hash(value)
        reached = 0
        for names, tally in self._counting[rule.id].tallies:
            values = tuple([facts.counted(name) for name in names])
            if None in values:
                continue
            key = _hash(names, values)
            found = tally.add(key, item, pair, now)
            if found >= count.most:
                reached = max(reached, found)
                if (rule.ban is not None or rule.guard) and not facts.hearsay:
                    tally.forget(key)  # the next ban takes new evidence
        return reached


def _tally(count: Count) -> Tally:
    if count.distinct is None and count.over > EXACT:
        return Rate(MAX_KEYS, count.within)
    keys = min(MAX_KEYS, MAX_EVENTS // count.most)
    return Recent(keys, count.within, count.most)


def _key(facts: Facts, names: tuple[str, ...]) -> int:
    return _hash(names, tuple([facts.counted(name) for name in names]))


def _hash(names: tuple[str, ...], values: tuple[Value | bytes, ...]) -> int:
    # With the names in it, whose hashes are another secret in each process: numbers
    # alone have none, and somebody could choose many that share one.
    return hash((names, values))


def _pair(facts: Facts) -> int:
    return hash((facts.network, facts.account))
