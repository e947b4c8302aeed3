"""Rules about calls, as their files say it, and what is refused of them."""

import pytest
from builders import rule_table
from ringfence.decision import Verdict
from ringfence.rules.closes import Close
from ringfence.rules.compile import compile_rule
from ringfence.rules.counts import MAX_CALLS
from ringfence.rules.model import Count

COUNT: dict[str, object] = {"per": ["destination_zone"], "over": 3, "within": "30m"}
CLOSE: dict[str, object] = {"what": "country", "first": "1h", "longest": "24h"}


def table(
    match: dict[str, object] | None = None,
    then: dict[str, object] | None = None,
    **changes: object,
) -> dict[str, object]:
    made = rule_table(
        {"on": "call-start", "side": "inside", "count": COUNT, **(match or {})},
        judges="destination",
        verdict="reject",
    )
    told = made["then"]
    assert isinstance(told, dict)
    told |= {"close": CLOSE} if then is None else then
    return made | changes


def problems(made: dict[str, object]) -> list[str]:
    return [one.partition(": ")[2] for one in compile_rule(made, "x.toml")[1]]


def test_what_is_counted_and_closed() -> None:
    usual = {**COUNT, "usual": "usual_calls", "times": 2}
    rule, wrong = compile_rule(table({"count": usual}), "x.toml")
    assert wrong == []
    assert rule.close == Close("country", 3_600.0, 86_400.0)
    per = (("destination_zone",),)
    assert rule.count == Count(per, 3, 1_800.0, None, False, "usual_calls", 2)
    assert [rule.count.at(usual) for usual in (0, 1, 2, 9)] == [4, 4, 5, 19]
    assert compile_rule(table(judges="line"), "x.toml")[1] == []


def test_a_call_that_is_over_counts_when_the_last_one_is_allowed() -> None:
    rule, wrong = compile_rule(table({"on": "call-end"}), "x.toml")
    assert wrong == []
    assert rule.count is not None
    assert rule.count.most == rule.count.at(0) == 3


def test_until_the_budget_has_room() -> None:
    close = {"what": "international", "until": "budget"}
    rule, wrong = compile_rule(table(then={"close": close}), "x.toml")
    assert wrong == []
    assert rule.close == Close("international", 0.0, 0.0)


DURATION = "expected a duration from 1s to 24h, such as 90s, 5m or 2h"
WHATS = "expected one of country, international, new, binding, sequence"


@pytest.mark.parametrize(
    ("close", "wrong"),
    [
        (7, ["then.close = 7: expected a table"]),
        ({**CLOSE, "what": "all"}, [f"then.close.what = 'all': {WHATS}"]),
        ({**CLOSE, "what": 1}, [f"then.close.what = 1: {WHATS}"]),
        ({**CLOSE, "first": "0s"}, [f"then.close.first = '0s': {DURATION}"]),
        ({**CLOSE, "longest": "25h"}, [f"then.close.longest = '25h': {DURATION}"]),
        (
            {**CLOSE, "first": "2h", "longest": "1h"},
            ["then.close.longest = '1h': expected no less than then.close.first"],
        ),
        (
            {**CLOSE, "for": "1h"},
            ["then.close.for = '1h': expected one of first, longest, until, what"],
        ),
        (
            {"what": "country", "until": "tomorrow"},
            ["then.close.until = 'tomorrow': expected \"budget\""],
        ),
        (
            {"what": "country", "until": "budget", "first": "1h"},
            ["then.close.first = '1h': expected nothing beside until"],
        ),
    ],
)
def test_closures_that_are_refused(close: object, wrong: list[str]) -> None:
    assert problems(table(then={"close": close})) == wrong


@pytest.mark.parametrize(
    ("count", "wrong"),
    [
        (
            {"over": MAX_CALLS + 1},
            [f"match.count.over = 65: expected a whole number from 1 to {MAX_CALLS}"],
        ),
        (
            {"usual": "side"},
            ["match.count.usual = 'side': expected a fact that is a whole number"],
        ),
        (
            {"usual": 1},
            ["match.count.usual = 1: expected a fact that is a whole number"],
        ),
        (
            {"times": 0},
            ["match.count.times = 0: expected a whole number from 1 to 100"],
        ),
        (
            {"often": 1},
            [
                "match.count.often = 1: expected one of distinct, over, per, times, "
                "usual, within"
            ],
        ),
    ],
)
def test_counts_that_are_refused(count: dict[str, object], wrong: list[str]) -> None:
    assert problems(table({"count": {**COUNT, **count}})) == wrong


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        (
            table({"on": "request", "usual_calls": {"over": 1}}, {}),
            "match.usual_calls = {'over': 1}: expected a fact that messages have, or "
            'on = "call-start" or "call-end"',
        ),
        (
            table({"call_answered": True}),
            "match.call_answered = True: expected a fact that messages have, or "
            'on = "call-end"',
        ),
        (
            table({"on": "call-end", "user_agent": "x"}),
            "match.user_agent = 'x': expected a fact that a call has",
        ),
        (
            table({"on": "call-end", "count": {**COUNT, "per": ["from_user"]}}),
            "match.count = 'from_user': expected a fact that a call has",
        ),
        (
            table({"on": "call-end"}, {"close": CLOSE, "reason": "{from_user}"}),
            "then.reason = '{from_user}': expected a fact that a call has",
        ),
        (
            table({"on": "request"}),
            "then.close = {'what': 'country', 'first': '1h', 'longest': '24h'}: expected "
            'nothing, unless on "call-start" or "call-end"',
        ),
        (
            table({"on": "call-end"}, {}),
            "then.close = None: expected a table, since the call is over",
        ),
        (
            table({"method": "INVITE"}),
            "match.method = 'INVITE': expected nothing, since responses have \"status\"",
        ),
        (
            table(
                then={"close": CLOSE, "ban": {"first": "5m", "longest": "24h"}},
                judges="source",
            ),
            "then.ban = {'first': '5m', 'longest': '24h'}: expected nothing; a call is "
            "closed, not banned",
        ),
        (
            table({"on": "request", "count": {**COUNT, "times": 2}}, {}),
            "match.count.times = 2: expected one of distinct, over, per, within",
        ),
    ],
)
def test_rules_that_are_refused(made: dict[str, object], wrong: str) -> None:
    assert wrong in problems(made)


TELL: dict[str, object] = {"quiet": "1h"}


def telling(then: dict[str, object], **match: object) -> dict[str, object]:
    made = table({"on": "call-stopped", **match})
    return made | {"then": {"reason": "x", **then}}


def test_a_rule_that_only_tells() -> None:
    count = {**COUNT, "per": ["source"]}
    rule, wrong = compile_rule(telling({"tell": TELL}, count=count), "x.toml")
    assert wrong == []
    assert rule.close == Close("stopped", 3_600.0, 3_600.0)
    assert rule.verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (telling({}), "then.tell = None: expected a table"),
        (telling({"tell": TELL | {"first": "1h"}}), "then.tell.first = '1h': expected"),
        (telling({"tell": {"quiet": 3}}), "then.tell.quiet = 3: expected a duration"),
        (telling({"tell": TELL, "verdict": "drop"}), "then.verdict = 'drop': expected"),
        (telling({"tell": TELL, "close": CLOSE}), "then.close = {"),
        (telling({"tell": TELL}, usual_calls=1), "match.usual_calls = 1: expected"),
        (table(then={"close": CLOSE, "tell": TELL}), "then.tell = {'quiet': '1h'}: "),
    ],
)
def test_tellings_that_are_refused(made: dict[str, object], problem: str) -> None:
    found = problems(made)
    assert len(found) == 1
    assert found[0].startswith(problem)
