"""What a compiled rule is, and which rules a message has to be held against."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ringfence.decision import Verdict
from ringfence.facts import Facts
from ringfence.facts.facts import Value
from ringfence.facts.targets import REDIRECTIONS
from ringfence.rules.bans import Length
from ringfence.rules.closes import Close

Predicate = Callable[[Facts], bool]


class Signature(NamedTuple):
    """One of a rule's named alternatives."""

    name: str
    predicate: Predicate
    fact: str = ""
    """The fact that is asked first and must equal `value`; "" when there is none."""
    value: Value = None


class Signatures:
    """Alternatives of which one must hold, found without trying each.

    Those that begin with an exact value are looked up by it; the rest are tried in
    turn. A rule file with a hundred signatures then costs little more than one.
    """

    __slots__ = ("_exact", "_tried", "all")

    def __init__(self, signatures: Iterable[Signature] = ()) -> None:
        """Sort the alternatives by how they are found."""
        self.all = tuple(signatures)
        exact: dict[str, dict[Value, list[Signature]]] = {}
        for one in self.all:
            if one.fact:
                exact.setdefault(one.fact, {}).setdefault(one.value, []).append(one)
        self._exact = tuple(exact.items())
        self._tried = tuple(one for one in self.all if not one.fact)

    def __bool__(self) -> bool:
        """False when a rule has no alternatives."""
        return bool(self.all)

    def first(self, facts: Facts) -> str | None:
        """Return the name of one that holds, or None."""
        for fact, by_value in self._exact:
            found = by_value.get(facts.value(fact))
            if found is not None:
                for one in found:
                    if one.predicate(facts):
                        return one.name
        for one in self._tried:
            if one.predicate(facts):
                return one.name
        return None


SEVERITIES: Final = {"critical": 0, "high": 1, "medium": 2, "low": 3}
"""Order of judgement: the first rule that matches decides."""


MESSAGES: Final = ("request", "response", "redirection")
"""What rules can be about: requests, any answer, or 3xx answers, which name other
places to call. A rule about requests may be about redirections too."""

LEARNT: Final = ("auth-failure", "refusal")
"""What rules can be about besides messages: what an answer says of who asked."""

STOPPED: Final = "call-stopped"

CALLS: Final = ("call-start", "call-end", STOPPED)
"""What rules about behaviour are about: calls abroad that our side makes, and for all
but `call-end` also those that a phone outside asks our side to make."""


class Count(NamedTuple):
    """What a rule counts, and how much of it is too much."""

    per: tuple[tuple[str, ...], ...]
    """Each a tuple of facts that are counted together; any of them may be reached."""
    over: int
    """How many reach the server; what follows is stopped."""
    within: float
    """Seconds."""
    distinct: str | None
    """The fact whose different values are counted; None: everything is."""
    learnt: bool
    """Counts answers: the last one allowed tells already that no more must follow."""
    usual: str | None = None
    """The fact that says what is usual; None: `over` alone is the threshold."""
    times: int = 1
    """As many times what is usual may reach the server, if that is more than `over`."""

    @property
    def most(self) -> int:
        """The number at which the rule hits."""
        return self.over if self.learnt else self.over + 1

    def at(self, usual: int) -> int:
        """Return the number at which the rule hits where so much is usual."""
        return max(self.over, self.times * usual) + (0 if self.learnt else 1)


class Docs(NamedTuple):
    """What a person reads about a rule; the catalogue is made of it."""

    what: str
    why: str
    false_positives: str
    references: tuple[str, ...]


class Rule(NamedTuple):
    """One compiled rule."""

    id: str
    rev: int
    severity: str
    judges: str
    """`source` or `destination`: which of the site's allow lists overrides it; `line`:
    none does."""
    on: str
    """`request`, `response`, `redirection`, or one of `LEARNT` or `CALLS`."""
    methods: frozenset[str]
    """Methods it is held against; empty for all."""
    all_of: tuple[Predicate, ...]
    any_of: Signatures
    """Of which one must hold; empty when there are none."""
    verdict: Verdict
    reason: str
    """Template for a person: fact names and `{signature}` in braces."""
    docs: Docs
    monitor: bool = False
    """Judge and log, hold the verdict back (local configuration)."""
    count: Count | None = None  # type: ignore[assignment] # hides tuple.count
    """Hits only when there are too many; None: each match is a hit."""
    ban: Length | None = None
    """Ban of the source that comes with a hit."""
    guard: float = 0.0
    """Seconds for which only sources known for an account may try it after a hit."""
    shipped: Count | None = None
    """What the rule's file counts, where the local configuration says otherwise."""
    redirections: bool = False
    """Held against redirections besides what `on` names."""
    close: Close | None = None
    """What is closed for a while by a hit; only for rules about calls. Those about
    stopped ones close nothing by it: it is told of."""

    def match(self, facts: Facts) -> str | None:
        """Return the name of what matched ("" when it has no name), or None."""
        for predicate in self.all_of:
            if not predicate(facts):
                return None
        if not self.any_of:
            return ""
        return self.any_of.first(facts)

    def explain(self, facts: Facts, signature: str, count: int = 0) -> str:
        """Fill the reason template from the facts of one message."""
        words = _Words(facts, signature)
        if self.count is not None:
            words["count"] = str(count)
            words["within"] = _span(self.count.within)
        return self.reason.format_map(words)


def _span(seconds: float) -> str:
    """Write a window as people say it: 90 s, 30 min, 24 h."""
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


class _Words(dict[str, str]):
    """Looks each `{fact}` of a reason up when it is needed."""

    def __init__(self, facts: Facts, signature: str) -> None:
        super().__init__(signature=signature)
        self._facts = facts

    def __missing__(self, key: str) -> str:
        value = self._facts.value(key)
        return "unknown" if value is None else str(value)[:80]


class RuleSet:
    """All rules, sorted so that a message meets only those that could match it."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Order by severity, then id."""
        self.rules = tuple(
            sorted(rules, key=lambda rule: (SEVERITIES[rule.severity], rule.id))
        )
        methods = {method for rule in self.rules for method in rule.methods}
        self._by_method = {
            method: tuple(
                rule
                for rule in self.rules
                if rule.on == "request" and (not rule.methods or method in rule.methods)
            )
            for method in methods
        }
        self._any_method = tuple(
            rule for rule in self.rules if rule.on == "request" and not rule.methods
        )
        self._responses = tuple(rule for rule in self.rules if rule.on == "response")
        self._redirections = tuple(
            rule
            for rule in self.rules
            if rule.redirections or rule.on in ("response", "redirection")
        )
        self.learning = tuple(rule for rule in self.rules if rule.on in LEARNT)
        """Rules about what answers say of a client."""
        self.starting = tuple(rule for rule in self.rules if rule.on == "call-start")
        """Rules about calls that begin."""
        self.ending = tuple(rule for rule in self.rules if rule.on == "call-end")
        """Rules about calls that are over."""
        self.stopped = tuple(rule for rule in self.rules if rule.on == STOPPED)
        """Rules about calls that were stopped, and by which nothing is closed."""
        self.guessing = next(
            (
                rule
                for rule in self.learning
                if rule.on == "auth-failure"
                and rule.count is not None
                and rule.count.distinct is None
                and ("source",) in rule.count.per
            ),
            None,
        )
        """The rule that says how many passwords one source may get wrong."""

    def __len__(self) -> int:
        """Count the rules."""
        return len(self.rules)

    @property
    def wants_responses(self) -> bool:
        """True when all responses have to be looked at."""
        return bool(self._responses or self.learning or self.starting or self.ending)

    @property
    def wants_redirections(self) -> bool:
        """True when at least 3xx responses have to be looked at."""
        return bool(self._redirections)

    def candidates(
        self, method: str | None, status: int | None = None
    ) -> tuple[Rule, ...]:
        """Return the rules for a request of that method, or a response of that status.

        `method` is None for a response.
        """
        if method is None:
            return self._redirections if status in REDIRECTIONS else self._responses
        return self._by_method.get(method, self._any_method)
