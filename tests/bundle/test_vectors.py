"""The text of self-test vectors."""

import json

import pytest
from ringfence.bundle.vectors import MOST_SENT, MOST_VECTORS, Vector, parse_vectors
from ringfence.errors import BundleError


def refusal(text: str) -> list[str]:
    with pytest.raises(BundleError) as error:
        parse_vectors(text, "v.jsonl")
    return str(error.value).splitlines()


def test_numbers_addresses_and_messages() -> None:
    lines: list[dict[str, object]] = [
        {"what": "119", "verdict": "accept", "rule": None, "why": "ambulance"},
        {"send": "BYE x SIP/2.0\r\n\r\n", "from": "192.0.2.1", "verdict": "drop"},
        {"what": "119", "site": 'mode = "monitor"', "verdict": "accept"},
    ]
    text = "\n".join(["", *map(json.dumps, lines), ""])
    assert parse_vectors(text, "v.jsonl") == [
        Vector(2, {"verdict": "accept", "rule": None}, what="119"),
        Vector(
            3, {"verdict": "drop"}, send="BYE x SIP/2.0\r\n\r\n", sender="192.0.2.1"
        ),
        Vector(4, {"verdict": "accept"}, what="119", site='mode = "monitor"'),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("x", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "[]: expected an object"),
        ('{"verdict": "drop"}', 'expected either "what", or "send" with "from"'),
        (
            '{"what": "1", "send": "x", "from": "y", "verdict": "drop"}',
            'expected either "what", or "send" with "from"',
        ),
        (
            '{"send": "x", "verdict": "drop"}',
            'expected either "what", or "send" with "from"',
        ),
        (
            '{"what": "1", "from": "x", "verdict": "drop"}',
            'expected either "what", or "send" with "from"',
        ),
        ('{"what": 110, "verdict": "accept"}', "what = 110: expected a text"),
        ('{"what": "", "verdict": "accept"}', "what = '': expected a text"),
        ('{"what": "1", "site": 1, "verdict": "accept"}', "site = 1: expected a text"),
        ('{"what": "110"}', "verdict: expected accept, drop or reject"),
        (
            '{"send": "x", "from": "y", "verdict": "drop", "class": "z"}',
            "class = 'z': expected one of rule, verdict",
        ),
        (
            '{"what": "110", "verdict": "accept", "verdikt": 1}',
            "verdikt = 1: expected one of class, country, detail, home, number, rule, "
            "source, tier, verdict",
        ),
    ],
)
def test_what_is_no_vector(line: str, problem: str) -> None:
    assert refusal(f"\n{line}\n") == [f"v.jsonl:2: {problem}"]


def test_nesting_without_end_is_no_vector() -> None:
    (problem,) = refusal("[" * 100_000)
    assert problem.startswith("v.jsonl:1: not JSON: ")


def test_how_long_a_message_may_be() -> None:
    def line(length: int) -> str:
        text = "x" * length
        return json.dumps({"send": text, "from": "192.0.2.1", "verdict": "accept"})

    assert len(parse_vectors(line(MOST_SENT), "v.jsonl")) == 1
    assert refusal(line(MOST_SENT + 1)) == [
        f"v.jsonl:1: send of {MOST_SENT + 1}: expected at most {MOST_SENT} characters"
    ]


def test_how_many_there_may_be() -> None:
    line = '{"what": "110", "verdict": "accept"}\n'
    assert len(parse_vectors(line * MOST_VECTORS, "v")) == MOST_VECTORS
    assert refusal(line * (MOST_VECTORS + 1)) == [
        f"v.jsonl:{MOST_VECTORS + 1}: expected at most {MOST_VECTORS}"
    ]
    assert refusal("") == ["v.jsonl: expected at least one line"]
    assert len(refusal("x\n" * 100)) == 20
