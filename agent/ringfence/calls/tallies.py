"""How many calls each rule has counted, and how many are too many where they go.

Knows rules that count calls, and facts. It must not decide what is done about it.
"""

from typing import Final

from ringfence.facts import Facts
from ringfence.rules import Rule, RuleSet
from ringfence.rules.counts import MAX_CALLS
from ringfence.rules.model import Count
from ringfence.state import Recent

MAX_KEYS: Final = 512
"""Countries, ranges or accounts that one count tells apart: 0.9 MB a rule when all are
full to `MAX_CALLS`. Only our side's calls, and those of accounts outside, are counted."""


class _Counting:
    __slots__ = ("count", "tallies")

    def __init__(self, count: Count) -> None:
        self.count = count
        most = MAX_CALLS + 1 if count.usual is not None else count.most
        self.tallies = [
            (names, Recent(MAX_KEYS, count.within, most)) for names in count.per
        ]


class Tallies:
    """All that rules have counted of calls."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self._counting: dict[str, _Counting] = {}
        self._rules: RuleSet | None = None

    def use(self, rules: RuleSet) -> None:
        """Keep what is counted as before, forget the rest."""
        if rules is self._rules:
            return
        self._rules = rules
        before, self._counting = self._counting, {}
        for rule in (*rules.starting, *rules.ending, *rules.stopped):
            if rule.count is not None:
                known = before.get(rule.id)
                if known is None or known.count != rule.count:
                    known = _Counting(rule.count)
                self._counting[rule.id] = known

    def counted(self, rule: Rule, facts: Facts, mono: float) -> int:
        """Count a call for a rule; returns how many there were, 0 while that is fine."""
        count = rule.count
        if count is None:
            return 0
        item = None
        if count.distinct is not None:
            value = facts.counted(count.distinct)
            if value is None:
                return 0
            item = hash(value)
        most = count.most
        if count.usual is not None:
            usual = facts.value(count.usual)
            most = min(count.at(usual if isinstance(usual, int) else 0), MAX_CALLS + 1)
        reached = 0
        for names, tally in self._counting[rule.id].tallies:
            values = tuple([facts.counted(name) for name in names])
            if None in values:
                continue
            found = tally.add(hash((names, values)), item, 0, mono)
            if found >= most:
                reached = max(reached, found)
        return reached

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return entries and capacity of every table, by name."""
        return {
            f"{rule_id} per {'+'.join(names)}": (len(tally.table), MAX_KEYS)
            for rule_id, counting in self._counting.items()
            for names, tally in counting.tallies
        }
