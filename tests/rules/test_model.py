"""Which rules a message meets, and in which order."""

import pytest
from builders import rule
from ringfence.rules import Rule, RuleSet
from ringfence.rules.model import SEVERITIES


def requests(name: str, methods: object = None, severity: str = "high") -> Rule:
    match: dict[str, object] = {"side": "outside"}
    if methods is not None:
        match["method"] = methods
    return rule(match, id=name, severity=severity)


REGISTERS = requests("registers", "REGISTER")
CALLS = requests("calls", ["INVITE", "REFER"])
ANY = requests("any")
ANSWERS = rule({"on": "response", "status": 401}, id="answers")
REDIRECTED = rule({"on": "redirection", "status": 302}, id="redirected")
BOTH = rule(
    {"on": ["request", "redirection"], "method": "MESSAGE", "side": "inside"}, id="both"
)
RULES = RuleSet([REGISTERS, CALLS, ANY, ANSWERS, REDIRECTED, BOTH])


@pytest.mark.parametrize(
    ("method", "met"),
    [
        ("REGISTER", [ANY, REGISTERS]),
        ("INVITE", [ANY, CALLS]),
        ("REFER", [ANY, CALLS]),
        ("OPTIONS", [ANY]),
        ("X-ODD", [ANY]),
        ("MESSAGE", [ANY, BOTH]),
        (None, [ANSWERS]),
    ],
)
def test_a_message_meets_only_rules_that_could_match(
    method: str | None, met: list[Rule]
) -> None:
    assert list(RULES.candidates(method)) == met


@pytest.mark.parametrize(
    ("status", "met"),
    [
        (200, [ANSWERS]),
        (299, [ANSWERS]),
        (300, [ANSWERS, BOTH, REDIRECTED]),
        (399, [ANSWERS, BOTH, REDIRECTED]),
        (400, [ANSWERS]),
    ],
)
def test_redirections_meet_rules_of_their_own(status: int, met: list[Rule]) -> None:
    assert list(RULES.candidates(None, status)) == met


@pytest.mark.parametrize(
    ("rules", "responses", "redirections"),
    [
        ([ANY, CALLS], False, False),
        ([ANSWERS], True, True),
        ([REDIRECTED], False, True),
        ([BOTH], False, True),
    ],
)
def test_which_answers_are_wanted(
    rules: list[Rule], responses: bool, redirections: bool
) -> None:
    wanted = RuleSet(rules)
    assert (wanted.wants_responses, wanted.wants_redirections) == (
        responses,
        redirections,
    )


def test_order_is_severity_then_id() -> None:
    rules = [
        requests(f"{letter}-{severity}", severity=severity)
        for letter in "ba"
        for severity in reversed(SEVERITIES)
    ]
    names = [found.id for found in RuleSet(rules).rules]
    assert names == [
        *("a-critical", "b-critical", "a-high", "b-high"),
        *("a-medium", "b-medium", "a-low", "b-low"),
    ]
    assert [found.id for found in RuleSet(rules).candidates("OPTIONS")] == names


def test_no_rules() -> None:
    empty = RuleSet([])
    assert len(empty) == 0
    assert empty.candidates("INVITE") == ()
    assert empty.candidates(None) == ()
    assert len(RULES) == 6
