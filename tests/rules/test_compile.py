"""Rule tables to predicates: every comparison, every way to get one wrong."""

from typing import Any

import pytest
from builders import (
    ABROAD,
    INSIDE,
    LISTED,
    NOW,
    engine,
    invite,
    rule,
    rule_table,
    sip,
    udp,
)
from ringfence.decision import Verdict
from ringfence.facts import VOCABULARY, Facts
from ringfence.packet import Packet
from ringfence.rules import compile_rule
from ringfence.rules.compile import COMPARISONS


def facts_of(packet: Packet) -> Facts:
    found = engine().inspect(packet, NOW).findings[0].facts
    assert isinstance(found, Facts)
    return found


def matches(match: dict[str, object], message: bytes, src: str = ABROAD) -> bool:
    made = rule({"method": "OPTIONS", **match})
    return made.match(facts_of(udp(message, src))) is not None


UA = "Desk Phone 1.0"


@pytest.mark.parametrize(
    ("wanted", "value", "hit"),
    [
        (UA, UA, True),
        (UA, UA.lower(), False),
        (UA, UA + " ", True),  # white space around a field is no part of it
        (UA, None, False),
        ("", None, False),
        (["a", UA, "b"], UA, True),
        (["a", "b"], UA, False),
        ({"prefix": "Desk"}, UA, True),
        ({"prefix": "desk"}, UA, False),
        ({"prefix": ""}, None, False),
        ({"not_prefix": "Desk"}, UA, False),
        ({"not_prefix": "Soft"}, UA, True),
        ({"not_prefix": "Soft"}, None, False),
        ({"suffix": "1.0"}, UA, True),
        ({"suffix": "1.1"}, UA, False),
        ({"contains": "Phone"}, UA, True),
        ({"contains": "phone"}, UA, False),
        ({"length": 14}, UA, True),
        ({"length": 13}, UA, False),
        ({"length": 15}, UA, False),
        ({"shape": "digits"}, "0123456789", True),
        ({"shape": "digits"}, "12a", False),
        ({"shape": "digits"}, "", False),
        ({"shape": "digits"}, "\uff11", False),
        ({"shape": "hex"}, "09af", True),
        ({"shape": "hex"}, "09AF", False),
        ({"shape": "hex"}, "09ag", False),
        ({"shape": "lower"}, "az", True),
        ({"shape": "lower"}, "aZ", False),
        ({"shape": "lower"}, "a0", False),
        ({"shape": "lower-alnum"}, "a0z9", True),
        ({"shape": "lower-alnum"}, "a-0", False),
        ({"same_as": "from_user"}, "201", True),
        ({"same_as": "from_user"}, "202", False),
        ({"same_as": "to_display"}, "", False),  # absent or empty is no likeness
        ({"prefix": "Desk", "suffix": "1.0", "length": 14}, UA, True),
        ({"prefix": "Desk", "suffix": "1.0", "length": 15}, UA, False),
    ],
)
def test_comparisons_of_texts(wanted: Any, value: str | None, hit: bool) -> None:
    message = sip(fields={"User-Agent": value})
    assert matches({"user_agent": wanted}, message) is hit


@pytest.mark.parametrize(
    ("wanted", "value", "hit"),
    [
        (70, "70", True),
        (70, "71", False),
        (70, None, False),
        (70, "seventy", False),
        ([0, 70], "0", True),
        ({"over": 69}, "70", True),
        ({"over": 70}, "70", False),
        ({"under": 71}, "70", True),
        ({"under": 70}, "70", False),
        ({"over": 0}, None, False),
        ({"over": 10, "under": 12}, "11", True),
        ({"over": 10, "under": 12}, "12", False),
    ],
)
def test_comparisons_of_numbers(wanted: Any, value: str | None, hit: bool) -> None:
    message = sip(fields={"Max-Forwards": value})
    assert matches({"max_forwards": wanted}, message) is hit


@pytest.mark.parametrize(
    ("wanted", "src", "hit"),
    [
        (True, INSIDE, True),
        (True, ABROAD, False),
        (False, ABROAD, True),
        (False, INSIDE, False),
        ([True, False], ABROAD, True),
    ],
)
def test_yes_or_no(wanted: Any, src: str, hit: bool) -> None:
    assert matches({"source_home": wanted}, sip(), src) is hit


def test_all_facts_of_a_match_must_hold() -> None:
    both: dict[str, object] = {"user_agent": UA, "max_forwards": 70}
    assert matches(both, sip())
    assert not matches(both, sip(fields={"User-Agent": "x"}))
    assert not matches(both, sip(fields={"Max-Forwards": "1"}))


def test_three_facts() -> None:
    three: dict[str, object] = {
        "user_agent": UA,
        "max_forwards": 70,
        "from_user": "201",
    }
    sign: dict[str, object] = {"any": [{"name": "three", **three}]}
    for match in (three, sign):
        assert matches(match, sip())
        assert not matches(match, sip(fields={"From": "<sip:202@example.com>"}))


def test_one_of_the_alternatives_must_hold_whole() -> None:
    match: dict[str, object] = {
        "side": "outside",
        "any": [
            {"name": "first", "user_agent": "a", "max_forwards": 1},
            {"name": "second", "user_agent": "b"},
        ],
    }
    made = rule(match)

    def named(user_agent: str, max_forwards: str, src: str = ABROAD) -> str | None:
        fields = {"User-Agent": user_agent, "Max-Forwards": max_forwards}
        return made.match(facts_of(udp(sip(fields=fields), src)))

    assert named("a", "1") == "first"
    assert named("a", "2") is None
    assert named("b", "2") == "second"
    assert named("b", "2", INSIDE) is None


@pytest.mark.parametrize(
    ("trait", "user_agent"),
    [
        ({"user_agent": "a"}, "a"),
        ({"user_agent": ["a", "b"]}, "b"),
        ({"user_agent": {"prefix": "a"}}, "ab"),
        ({"source_home": False, "user_agent": "a"}, "a"),
        ({"max_forwards": 70, "user_agent": "a"}, "a"),
        ({"max_forwards": {"over": 69}, "user_agent": "a"}, "a"),
    ],
)
def test_an_alternative_is_found_however_it_begins(
    trait: dict[str, object], user_agent: str
) -> None:
    others = [
        {"name": "exact", "user_agent": "x", "max_forwards": 1},
        {"name": "compared", "user_agent": {"prefix": "x"}},
        {"name": "number", "max_forwards": 3},
        {"name": "same exact, more", "user_agent": "a", "max_forwards": 4},
    ]
    for alternatives in (
        [{"name": "it", **trait}, *others],
        [*others, {"name": "it", **trait}],
    ):
        made = rule({"any": alternatives})
        hit = sip(fields={"User-Agent": user_agent})
        assert made.match(facts_of(udp(hit, ABROAD))) == "it"
        miss = sip(fields={"User-Agent": "c"})
        assert made.match(facts_of(udp(miss, ABROAD))) is None


def test_a_rule_without_alternatives_has_no_signature_to_name() -> None:
    assert rule().match(facts_of(udp(sip(), ABROAD))) == ""


def test_the_reason_is_filled_from_facts() -> None:
    made = rule(
        {"method": "INVITE", "any": [{"name": "a call", "side": "outside"}]},
        reason="{signature} to {destination_number}, {destination_country}; {to_display}"
        ", {status}, {{braces}}",
    )
    facts = facts_of(udp(invite(LISTED), ABROAD))
    signature = made.match(facts)
    assert signature == "a call"
    assert made.explain(facts, signature) == (
        "a call to 23276123456, SL; , unknown, {braces}"
    )


def test_a_strangers_text_in_a_reason_is_cut() -> None:
    made = rule(reason="{user_agent}")
    facts = facts_of(udp(sip(fields={"User-Agent": "x" * 81}), ABROAD))
    assert made.explain(facts, "") == "x" * 80


def test_a_strangers_braces_are_no_template() -> None:
    made = rule(reason="by {user_agent}")
    facts = facts_of(udp(sip(fields={"User-Agent": "{from_user}"}), ABROAD))
    assert made.explain(facts, "") == "by {from_user}"


@pytest.mark.parametrize(
    ("on", "held"),
    [
        ("request", ("request", False)),
        ("redirection", ("redirection", False)),
        (["request", "redirection"], ("request", True)),
    ],
)
def test_what_a_rule_is_about(on: object, held: tuple[str, bool]) -> None:
    made, problems = compile_rule(rule_table({"side": "inside", "on": on}), "x.toml")
    assert problems == []
    assert (made.on, made.redirections) == held


def test_what_a_rule_holds() -> None:
    table = rule_table({"method": ["INVITE", "REGISTER"], "side": "outside"})
    made, problems = compile_rule(table, "test-rule.toml")
    assert problems == []
    assert (made.id, made.rev, made.severity, made.judges, made.on) == (
        "test-rule",
        1,
        "high",
        "source",
        "request",
    )
    assert made.methods == {"INVITE", "REGISTER"}
    assert made.verdict is Verdict.DROP
    assert made.monitor is False
    assert made.docs.references == ("RFC 3261",)


# What is refused ------------------------------------------------------------------

TEXT_COMPARISONS = "prefix, not_prefix, suffix, contains, length, shape, same_as"


def problems_of(table: dict[str, Any]) -> list[str]:
    _, problems = compile_rule(table, "f.toml")
    assert all(problem.startswith("f.toml: ") for problem in problems)
    return [problem.removeprefix("f.toml: ") for problem in problems]


@pytest.mark.parametrize(
    ("match", "problem"),
    [
        (
            {"user_agnt": "x"},
            "match.user_agnt = 'x': expected a fact of the vocabulary",
        ),
        ({"user_agent": 1}, "match.user_agent = 1: expected a text or a list of them"),
        (
            {"user_agent": ["x", 1]},
            "match.user_agent = ['x', 1]: expected a text or a list of them",
        ),
        (
            {"user_agent": []},
            "match.user_agent = []: expected a text or a list of them",
        ),
        (
            {"max_forwards": "70"},
            "match.max_forwards = '70': expected a whole number or a list of them",
        ),
        (
            {"max_forwards": True},
            "match.max_forwards = True: expected a whole number or a list of them",
        ),
        (
            {"source_home": 0},
            "match.source_home = 0: expected true or false or a list of them",
        ),
        (
            {"source_home": {"over": 0}},
            "match.source_home = {'over': 0}: expected true or false",
        ),
        (
            {"user_agent": {}},
            f"match.user_agent = {{}}: expected a comparison: {TEXT_COMPARISONS}",
        ),
        (
            {"max_forwards": {}},
            "match.max_forwards = {}: expected a comparison: over, under",
        ),
        (
            {"user_agent": {"prefx": "x"}},
            f"match.user_agent.prefx = 'x': expected one of {TEXT_COMPARISONS}",
        ),
        (
            {"user_agent": {"over": 1}},
            f"match.user_agent.over = 1: expected one of {TEXT_COMPARISONS}",
        ),
        (
            {"max_forwards": {"prefix": "7"}},
            "match.max_forwards.prefix = '7': expected one of over, under",
        ),
        (
            {"user_agent": {"prefix": 1}},
            "match.user_agent.prefix = 1: expected a text",
        ),
        (
            {"user_agent": {"length": "14"}},
            "match.user_agent.length = '14': expected a whole number",
        ),
        (
            {"max_forwards": {"over": True}},
            "match.max_forwards.over = True: expected a whole number",
        ),
        (
            {"user_agent": {"shape": "round"}},
            "match.user_agent.shape = 'round': expected one of digits, hex, lower, "
            "lower-alnum",
        ),
        (
            {"user_agent": {"same_as": "frm_user"}},
            "match.user_agent.same_as = 'frm_user': expected a fact of the vocabulary",
        ),
        ({"any": []}, "match.any = []: expected one table or more"),
        (
            {"any": {"side": "inside"}},
            "match.any = {'side': 'inside'}: expected one table or more",
        ),
        ({"any": ["x"]}, "match.any[1] = 'x': expected a table"),
        (
            {"any": [{"name": "empty"}]},
            "match.any[1] = {'name': 'empty'}: expected at least one fact",
        ),
        (
            {"any": [{"side": "inside"}]},
            "match.any[1].name = None: expected a text that is not empty",
        ),
        (
            {"any": [{"name": "x", "side": "inside"}, {"name": "y", "sid": "inside"}]},
            "match.any[2].sid = 'inside': expected a fact of the vocabulary",
        ),
        (
            {"side": "outside", "method": "invite"},
            "match.method = 'invite': expected method names in capitals",
        ),
        (
            {"side": "outside", "method": ["INVITE", ""]},
            "match.method = ['INVITE', '']: expected method names in capitals",
        ),
        (
            {"side": "outside", "on": "message"},
            "match.on = 'message': expected one of request, response, redirection, "
            "auth-failure, refusal, call-start, call-end, call-stopped",
        ),
        (
            {"side": "outside", "on": ["request", "response"]},
            "match.on = ['request', 'response']: expected one name, "
            'or ["request", "redirection"]',
        ),
        (
            {"status": 302, "on": "redirection", "method": "INVITE"},
            "match.method = 'INVITE': expected nothing, since responses have \"status\"",
        ),
        (
            {"status": 401, "on": "response", "method": "INVITE"},
            "match.method = 'INVITE': expected nothing, since responses have \"status\"",
        ),
        (
            {},
            "match = {'on': 'request'}: expected at least one fact besides on and method",
        ),
        (
            {"method": "INVITE"},
            "match = {'on': 'request', 'method': 'INVITE'}: expected at least one fact "
            "besides on and method",
        ),
    ],
)
def test_matches_that_are_refused(match: dict[str, object], problem: str) -> None:
    assert problems_of(rule_table(match)) == [problem]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": ""}, "id = '': expected a text that is not empty"),
        ({"id": 1}, "id = 1: expected a text that is not empty"),
        ({"rev": 0}, "rev = 0: expected a whole number from 1"),
        ({"rev": True}, "rev = True: expected a whole number from 1"),
        ({"rev": "1"}, "rev = '1': expected a whole number from 1"),
        (
            {"severity": "extreme"},
            "severity = 'extreme': expected one of critical, high, medium, low",
        ),
        (
            {"judges": "both"},
            "judges = 'both': expected one of source, destination, line",
        ),
        (
            {"then": {"verdict": "accept", "reason": "x"}},
            "then.verdict = 'accept': expected one of drop, reject",
        ),
        (
            {"then": {"verdict": "drop", "reason": " "}},
            "then.reason = ' ': expected a text that is not empty",
        ),
        (
            {"then": {"verdict": "drop", "reason": "x", "ban": "5m"}},
            "then.ban = '5m': expected a table",
        ),
        (
            {"extra": 1},
            "extra = 1: expected one of docs, id, judges, match, rev, severity, then",
        ),
    ],
)
def test_tables_that_are_refused(changes: dict[str, object], problem: str) -> None:
    assert problems_of({**rule_table(), **changes}) == [problem]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("{user_agnt}", "a bare fact, not {user_agnt…}"),
        ("{}", "a bare fact, not {…}"),
        ("{0}", "a bare fact, not {0…}"),
        ("{user_agent!r}", "a bare fact, not {user_agent…}"),
        ("{user_agent:>10000000}", "a bare fact, not {user_agent…}"),
        ("{user_agent.__class__}", "a bare fact, not {user_agent.__class__…}"),
        ("{user_agent[0]}", "a bare fact, not {user_agent[0]…}"),
        ("{user_agent", "balanced braces (expected '}' before end of string)"),
        ("user_agent}", "balanced braces (Single '}' encountered in format string)"),
    ],
)
def test_templates_that_are_refused(reason: str, expected: str) -> None:
    assert problems_of(rule_table(reason=reason)) == [
        f"then.reason = {reason!r}: expected {expected}"
    ]


@pytest.mark.parametrize("key", ["what", "why", "false_positives"])
def test_docs_are_not_left_empty(key: str) -> None:
    table = rule_table()
    docs = dict(table["docs"])  # type: ignore[call-overload]
    del docs[key]
    assert problems_of({**table, "docs": docs}) == [
        f"docs.{key} = None: expected a text that is not empty"
    ]


@pytest.mark.parametrize(
    ("docs", "problem"),
    [
        (
            {"references": []},
            "docs.references = []: expected a list with a source or more",
        ),
        (
            {"references": "RFC 3261"},
            "docs.references = 'RFC 3261': expected a list with a source or more",
        ),
        (
            {"author": "me"},
            "docs.author = 'me': expected one of false_positives, references, what, why",
        ),
    ],
)
def test_docs_that_are_refused(docs: dict[str, object], problem: str) -> None:
    table: dict[str, Any] = rule_table()
    assert problems_of({**table, "docs": {**table["docs"], **docs}}) == [problem]


def test_all_problems_at_once() -> None:
    assert problems_of({}) == [
        "id = None: expected a text that is not empty",
        "rev = None: expected a whole number from 1",
        "severity = None: expected one of critical, high, medium, low",
        "judges = None: expected one of source, destination, line",
        "match = None: expected a table",
        "match.on = None: expected one of request, response, redirection, auth-failure, "
        "refusal, call-start, call-end, call-stopped",
        "match = {}: expected at least one fact besides on and method",
        "then = None: expected a table",
        "then.verdict = None: expected one of drop, reject",
        "then.reason = None: expected a text that is not empty",
        "docs = None: expected a table",
        "docs.references = None: expected a list with a source or more",
        "docs.what = None: expected a text that is not empty",
        "docs.why = None: expected a text that is not empty",
        "docs.false_positives = None: expected a text that is not empty",
    ]


def test_every_comparison_is_for_a_kind_that_some_fact_has() -> None:
    kinds = {fact.kind for fact in VOCABULARY.values()}
    assert {spec[0] for spec in COMPARISONS.values()} <= kinds
