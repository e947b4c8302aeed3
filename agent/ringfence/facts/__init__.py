"""Facts: the only words that rules can say.

`Facts` reads one message lazily against a `World` (who is home, which numbers are
listed). `VOCABULARY` names every fact with its type, so that a rule which asks for
something else is refused when it is loaded, not when it is needed.
"""

from ringfence.facts.facts import VOCABULARY, Fact, Facts
from ringfence.facts.numbers import Ruling as NumberRuling
from ringfence.facts.world import World

__all__ = ["VOCABULARY", "Fact", "Facts", "NumberRuling", "World"]
