"""nft's JSON, by hand; real nft writes it in test_netfilter.py."""

from typing import Any

import pytest
from doctoring import BOTH, chain, mark, port, rule, ruleset, set_mark
from ringfence.doctor.matching import ALL
from ringfence.doctor.ruleset import elements, parse_ruleset, port_sets

META = {"meta": {"key": "mark"}}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nftables": 3}', "null", "{"])
def test_what_is_no_ruleset_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"nftables|Expecting"):
        parse_ruleset(text)


def test_statements_that_nobody_knows_count_for_nothing() -> None:
    odd = rule("tproxy to :1", {"new": {"a": 1}}, None, 7, {"match": "?"})
    assert odd.takes("udp", 1, 5060) is None
    assert list(odd.writes("meta")) == []
    assert not odd.offloads()


@pytest.mark.parametrize(
    ("statements", "taken"),
    [
        ([], True),
        ([port("dport", 5060)], True),
        ([port("dport", 5061)], False),
        ([port("dport", 5061, op="!=")], True),
        ([port("sport", 5060)], False),
        ([port("dport", 5060, "tcp")], False),
        ([port("dport", 5060, "th")], True),
        ([port("dport", {"set": [80, 5060]})], True),
        ([port("dport", {"set": [80, {"range": [5050, 5070]}]})], True),
        ([port("dport", {"range": [5061, 5070]})], False),
        ([port("dport", {"prefix": {"addr": 5056, "len": 13}})], True),
        ([port("dport", {"prefix": {"addr": 5064, "len": 13}})], False),
        ([port("dport", "@some")], None),
        ([port("dport", "@some"), port("sport", 1)], False),
        ([BOTH], True),
        ([BOTH, port("dport", 5060, "th")], True),
        (
            [
                {
                    "match": {
                        "op": "==",
                        "left": {"meta": {"key": "l4proto"}},
                        "right": 17,
                    }
                }
            ],
            True,
        ),
        (
            [
                {
                    "match": {
                        "op": "==",
                        "left": {"meta": {"key": "iifname"}},
                        "right": "x",
                    }
                }
            ],
            None,
        ),
        ([port("dport", 5060), {"limit": {"rate": 5}}], None),
        ([port("dport", 5060), {"xt": {"name": "string"}}], None),
        (
            [
                {
                    "match": {
                        "op": "!=",
                        "left": {"payload": {"protocol": "ip", "field": "protocol"}},
                        "right": "udp",
                    }
                }
            ],
            False,
        ),
    ],
)
def test_which_packets_a_rule_takes(statements: list[Any], taken: bool | None) -> None:
    assert rule(*statements).takes("udp", 40_000, 5060) is taken


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, (ALL, 5)),
        (META, (ALL, ALL)),
        ({"&": [META, 0xFF]}, (0xFFFFFF00, 0)),
        ({"|": [META, 3]}, (3, 3)),
        ({"^": [META, 3]}, (3, 3)),
        ({"|": [{"&": [META, 0xFFFFFF00]}, 1]}, (0xFF, 1)),
        ({"&": [{"|": [META, 0x13]}, 0xFFFFFF0F]}, (0xF3, 3)),
        ({"&": [{"ct": {"key": "mark"}}, 0xFF]}, (ALL, 0xFF)),
        ({"map": {"key": {}, "data": "@m"}}, (ALL, ALL)),
        ({"|": [META, {"ct": {"key": "mark"}}]}, (ALL, ALL)),
    ],
)
def test_what_becomes_of_the_mark(value: Any, expected: tuple[int, int]) -> None:
    assert list(rule(set_mark(value)).writes("meta")) == [expected]


def test_which_bits_are_compared() -> None:
    assert list(rule(mark(0xFF, 1)).uses("meta")) == [(0xFF, 1)]
    assert list(rule(mark(ALL, 1)).uses("meta")) == [(ALL, 1)]
    prefix: Any = {"prefix": {"addr": 0x08000000, "len": 5}}
    assert list(rule(mark(ALL, prefix)).uses("meta")) == [(0xF8000000, 0x08000000)]
    named: Any = {"set": [1, 2]}
    assert list(rule(mark(ALL, named)).uses("meta")) == [(ALL, ALL)]
    assert list(rule(mark(0xFF, 1, "ct")).uses("meta")) == []
    assert list(rule(mark(0xFF, 1, "ct")).uses("ct")) == [(0xFF, 1)]


def test_sets_of_ports_are_put_where_rules_name_them() -> None:
    named = chain("forward", "forward", 0, [port("dport", "@sip"), {"accept": None}])
    rules = ruleset(named, own=False)
    assert port_sets(rules) == {("inet", "fw4", "sip")}
    text = '{"nftables": [{"metainfo": {}}, {"set": {"elem": [5060]}}]}'
    assert elements(text) == [5060]
    assert elements('{"nftables": [{"set": {"name": "x"}}]}') == []


def test_base_chains_come_by_priority() -> None:
    rules = ruleset(
        chain("late", "input", 20), chain("early", "input", -20), chain("none", "", 0)
    )
    assert [one.name for one in rules.hooked("input", but="ringfence")] == [
        "early",
        "late",
    ]
