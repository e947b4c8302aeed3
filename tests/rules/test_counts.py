"""Durations, and how `match.count`, `then.ban` and `then.guard` are read."""

import pytest
from builders import rule_table
from ringfence.rules import Rule, compile_rule
from ringfence.rules.durations import LONGEST, duration, seconds

COUNT = {"per": ["source"], "over": 5, "within": "60s"}


def compiled(
    then: dict[str, object] | None = None, on: str = "auth-failure", **match: object
) -> tuple[Rule, list[str]]:
    table = rule_table({"on": on, "side": "outside", "count": COUNT, **match})
    before = table["then"]
    assert isinstance(before, dict)
    table["then"] = {**before, **(then or {})}
    return compile_rule(table, "f")


@pytest.mark.parametrize(
    ("text", "length"),
    [("1s", 1), ("90s", 90), ("5m", 300), ("24h", LONGEST), ("2h", 7200)],
)
def test_durations(text: str, length: int) -> None:
    assert seconds(text) == length
    assert seconds(duration(length)) == length


@pytest.mark.parametrize(
    "text", ["", "s", "0s", "5", 5, "25h", "-1s", "1.5m", "1d", " 5m", "1000000s", None]
)
def test_what_is_no_duration(text: object) -> None:
    assert seconds(text) is None


def test_a_rule_that_counts() -> None:
    rule, problems = compiled(
        {"ban": {"first": "5m", "longest": "24h"}, "reason": "{count} in {within}"}
    )
    assert problems == []
    assert rule.count is not None
    assert (rule.count.per, rule.count.over, rule.count.within) == (
        (("source",),),
        5,
        60.0,
    )
    assert rule.count.most == 5, "the fifth failure tells that there must be no sixth"
    assert rule.ban == (300, 86_400)
    asked, problems = compiled(on="request")
    assert problems == []
    assert asked.count is not None
    assert asked.count.most == 6, "five requests pass"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"per": []}, "match.count.per = []"),
        ({"per": ["nobody"]}, "match.count.per = ['nobody']"),
        ({"per": ["source+nobody"]}, "match.count.per = ['source+nobody']"),
        ({"per": "source"}, "match.count.per = 'source'"),
        ({"over": 0}, "match.count.over = 0: expected a whole number from 1 to 100000"),
        ({"over": True}, "match.count.over = True"),
        (
            {"distinct": "account", "over": 257},
            "match.count.over = 257: expected a whole number from 1 to 256",
        ),
        ({"distinct": "nobody"}, "match.count.distinct = 'nobody'"),
        ({"within": 60}, "match.count.within = 60: expected a duration"),
        ({"withn": "60s"}, "match.count.withn = '60s': expected one of distinct"),
    ],
)
def test_counts_that_are_refused(changes: dict[str, object], problem: str) -> None:
    _, problems = compiled(count={**COUNT, **changes})
    assert len(problems) == 1
    assert problems[0].startswith(f"f: {problem}")


@pytest.mark.parametrize(
    ("then", "problem"),
    [
        ({"ban": {"first": "5m"}}, "then.ban.longest = None: expected one of 5m, 30m"),
        ({"ban": {"first": "6m", "longest": "24h"}}, "then.ban.first = '6m'"),
        (
            {"ban": {"first": "2h", "longest": "5m"}},
            "then.ban.longest = '5m': expected no less than then.ban.first",
        ),
        ({"ban": {"first": "5m", "longest": "5m", "x": 1}}, "then.ban.x = 1"),
        ({"guard": 5}, "then.guard = 5: expected a duration"),
    ],
)
def test_consequences_that_are_refused(then: dict[str, object], problem: str) -> None:
    _, problems = compiled(then)
    assert len(problems) == 1
    assert problems[0].startswith(f"f: {problem}")


def test_what_does_not_go_together() -> None:
    table = rule_table({"on": "auth-failure", "side": "outside"})
    assert compile_rule(table, "f")[1] == [
        "f: match.count = None: expected a table, since auth-failure is counted"
    ]
    assert compiled({"guard": "5m"}, on="request")[1] == [
        "f: then.guard = '5m': expected nothing, unless on \"auth-failure\""
    ]
    assert compiled(method="REGISTER")[1] == [
        "f: match.method = 'REGISTER': expected nothing, since responses have "
        '"status"'
    ]
    judged = rule_table({"side": "outside"}, judges="destination")
    judged["then"] = {
        "verdict": "drop",
        "reason": "r",
        "ban": {"first": "5m", "longest": "5m"},
    }
    assert compile_rule(judged, "f")[1][0].endswith(
        'expected nothing, unless judges = "source"'
    )
