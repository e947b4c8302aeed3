"""How many calls are counted, and how many of those are too many."""

from builders import engine, rule
from ringfence.calls.tallies import MAX_KEYS, Tallies
from ringfence.facts import Facts
from ringfence.rules import Rule, RuleSet
from ringfence.rules.counts import MAX_CALLS


class Counted(Facts):
    """Facts that are given."""

    def __init__(self, **values: str | int | None) -> None:
        self._cache = dict(values)
        self.hearsay = False


def relative(over: int = 3, times: int = 1) -> Rule:
    count = {
        "per": ["destination_zone"],
        "over": over,
        "within": "30m",
        "usual": "usual_calls",
        "times": times,
    }
    match: dict[str, object] = {"on": "call-start", "side": "inside", "count": count}
    return rule(match, judges="destination", verdict="reject")


def counts(one: Rule, usual: int | None, calls: int) -> list[int]:
    tallies = Tallies()
    tallies.use(RuleSet([one]))
    facts = Counted(destination_zone="SL", usual_calls=usual)
    return [tallies.counted(one, facts, float(at)) for at in range(calls)]


def test_what_is_usual_may_be_reached() -> None:
    assert counts(relative(), 0, 5) == [0, 0, 0, 4, 5]
    assert counts(relative(), None, 5) == [0, 0, 0, 4, 5]
    assert counts(relative(), 4, 6) == [0, 0, 0, 0, 5, 6]
    assert counts(relative(times=2), 2, 6) == [0, 0, 0, 0, 5, 6]


def test_however_much_is_usual_there_is_an_end() -> None:
    found = counts(relative(), 10_000, MAX_CALLS + 2)
    assert found == [0] * MAX_CALLS + [MAX_CALLS + 1] * 2


def test_what_a_call_does_not_have_is_not_counted() -> None:
    one, tallies = relative(), Tallies()
    tallies.use(RuleSet([one]))
    facts = Counted(destination_zone=None, usual_calls=0)
    assert [tallies.counted(one, facts, 0.0) for _ in range(9)] == [0] * 9


def test_bounded() -> None:
    one, tallies = relative(), Tallies()
    tallies.use(RuleSet([one]))
    for at in range(MAX_KEYS + 100):
        tallies.counted(one, Counted(destination_zone=f"Z{at}", usual_calls=0), 0.0)
    assert tallies.sizes() == {"test-rule per destination_zone": (MAX_KEYS, MAX_KEYS)}


def test_a_reload_keeps_what_is_counted_as_before() -> None:
    one, tallies = relative(), Tallies()
    tallies.use(RuleSet([one]))
    facts = Counted(destination_zone="SL", usual_calls=0)
    assert [tallies.counted(one, facts, 0.0) for _ in range(3)] == [0, 0, 0]
    tallies.use(RuleSet([one._replace(monitor=True)]))
    assert tallies.counted(one, facts, 0.0) == 4
    tallies.use(RuleSet([relative(over=5)]))
    assert tallies.counted(relative(over=5), facts, 0.0) == 0


def test_the_shipped_rules_have_room() -> None:
    tallies = Tallies()
    tallies.use(engine().settings.rules)
    assert len(tallies.sizes()) >= 6
