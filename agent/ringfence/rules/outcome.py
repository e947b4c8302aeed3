"""What comes of a rule that matched: whom it does not concern, and what is done.

Knows the site's lists and modes. It must not know which rule is asked when.
"""

from ringfence.decision import Ruling, Verdict
from ringfence.facts import Facts
from ringfence.rules.model import Rule


def overridden(rule: Rule, facts: Facts) -> bool:
    """Tell whether the site's own allow lists outrank a rule that matched."""
    if rule.judges == "source":
        return facts.world.allowed(facts.source)
    if rule.judges == "line":
        return False
    number = facts.number_ruling
    return number is not None and number.status == "allowed"


def enforced(
    facts: Facts,
    verdict: Verdict,
    rule: str | None,
    reason: str,
    source: str,
    *,
    monitor: bool,
) -> Ruling:
    """Turn what a rule wants into what is done; `monitor` holds it back."""
    if verdict is Verdict.REJECT and (
        facts.side != "inside" or facts.message.method is None
    ):
        # An answer to a stranger would be a reflection; one to an answer is none.
        verdict = Verdict.DROP
    if monitor:
        return Ruling(Verdict.ACCEPT, rule, reason, source, would=verdict)
    return Ruling(verdict, rule, reason, source)
