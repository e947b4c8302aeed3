"""What rules are told of a call: by its INVITE as it begins, by a note once it is over.

Knows the vocabulary's words for calls, and what the ledger and the baseline say. It
must not know thresholds.
"""

from math import ceil
from typing import Final

from ringfence.calls.baseline import Baseline
from ringfence.calls.call import Call
from ringfence.calls.dates import FIRST_YEAR
from ringfence.calls.ledger import Ledger
from ringfence.calls.rates import MILLI
from ringfence.calls.terms import Terms
from ringfence.facts import VOCABULARY, Facts
from ringfence.facts.numbers import Reading, Ruling
from ringfence.packet import Instant

KEPT: Final = tuple(name for name, fact in VOCABULARY.items() if fact.about == "any")
"""Facts of the INVITE that a call keeps."""


class Told:
    """What earlier calls tell of one; see `facts.history.History`."""

    __slots__ = (
        *("_baseline", "_call", "_facts", "_known", "_ledger", "_now", "_redials"),
        "_terms",
    )

    def __init__(
        self,
        call: Call,
        facts: Facts,
        now: Instant,
        baseline: Baseline,
        ledger: Ledger,
        terms: Terms,
        *,
        known: bool,
        redials: bool,
    ) -> None:
        """Take who knows; `known`: the account has signed in from there."""
        self._redials = redials
        self._call, self._facts, self._now = call, facts, now
        self._baseline, self._ledger, self._terms = baseline, ledger, terms
        self._known = known

    def is_new(self) -> bool:
        """See `History`."""
        return not self._baseline.knows(self._call.country)

    def usual_calls(self) -> int:
        """See `History`."""
        return ceil(self._baseline.usual(self._call.country).calls)

    def days_since_international(self) -> int | None:
        """See `History`."""
        days = self._baseline.days_since_abroad
        return None if days is None else int(days)

    def days_watched(self) -> int:
        """See `History`."""
        return int(self._baseline.days_watched)

    def budget_left(self) -> int | None:
        """See `History`."""
        left = self._ledger.left(self._terms.limits, self._now)
        return None if left is None else left // MILLI

    def in_hours(self) -> bool | None:
        """See `History`."""
        terms = self._terms
        if terms.hours is None:
            return None
        at = terms.calendar(self._now.wall)
        # A router without a clock chip begins in 1970: nobody knows what time it is.
        return None if at.year < FIRST_YEAR else terms.hours.contain(at)

    def source_unusual(self) -> bool:
        """See `History`."""
        facts = self._facts
        if not self._known:
            return False  # anybody can name an account
        seen = self._baseline.seen(facts.account, facts.source, facts.origin.country)
        return seen is not None and not all(seen)

    def redials(self) -> bool:
        """See `History`."""
        return self._redials

    def follows_inbound(self) -> bool:
        """See `History`."""
        return self._call.follows is not None and not self._call.passed_on

    def call_seconds(self) -> int:
        """See `History`."""
        return int(self._call.talked(self._now.mono))

    def call_answered(self) -> bool:
        """See `History`."""
        return self._call.answered is not None


class CallFacts(Facts):
    """What is kept of an INVITE until its call is over: no message, no packet."""

    __slots__ = ("_read", "_ruled", "judged")

    def __init__(self, facts: Facts, *, judged: bool) -> None:
        """Note what rules may ask of the call of an INVITE; `judged`: they may."""
        self.judged = judged
        self.world, self.side, self.source = facts.world, facts.side, facts.source
        self.hearsay = facts.hearsay
        self.history = None
        self._cache = {name: facts.value(name) for name in KEPT}
        self._read, self._ruled = facts.reading, facts.number_ruling

    @property
    def reading(self) -> Reading | None:
        """How the number that the call dialled was read."""
        return self._read

    @property
    def number_ruling(self) -> Ruling | None:
        """What the site's lists and the bundle said of the number dialled."""
        return self._ruled
