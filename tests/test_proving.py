"""Vectors, run: the default ones hold, and one that does not is named."""

from collections.abc import Callable
from functools import cache

import pytest
from builders import ABROAD, JAPAN, RULES, register, settings
from ringfence.bundle.vectors import MOST_SENT, Vector, parse_vectors
from ringfence.config import assemble, parse_config
from ringfence.engine import Settings
from ringfence.facts.numbers.emergency import EMERGENCY
from ringfence.proving import run_vectors

TEXT = (RULES / "vectors.jsonl").read_text(encoding="utf-8")
DEFAULT = parse_vectors(TEXT, "vectors.jsonl")


@pytest.fixture
def site() -> Callable[[str], Settings]:
    return cache(settings)


def test_the_default_vectors_hold() -> None:
    problems = run_vectors(
        DEFAULT, lambda site: assemble(parse_config(site, "site")), "vectors.jsonl"
    )
    assert problems == []


def test_the_default_vectors_cover_what_must_never_break() -> None:
    numbers = {vector.what for vector in DEFAULT}
    assert set(EMERGENCY["JP"]) <= numbers
    assert "urn:service:sos" in numbers
    sent = {(v.send.split(" ")[0], v.expected["verdict"]) for v in DEFAULT if v.send}
    assert {("REGISTER", "accept"), ("REGISTER", "drop")} <= sent
    assert {("INVITE", "accept"), ("INVITE", "reject")} <= sent
    assert any(v.site and v.expected["verdict"] == "accept" for v in DEFAULT)


def test_a_vector_that_fails_is_named(site: Callable[[str], Settings]) -> None:
    vectors = [
        Vector(1, {"verdict": "accept"}, what="110"),
        Vector(2, {"verdict": "reject", "rule": "x"}, what="0312345678"),
        Vector(3, {"home": True}, what="110"),
        Vector(4, {"verdict": "accept"}, send=register().decode(), sender=ABROAD),
        Vector(5, {"verdict": "accept"}, send="BYE", sender="nowhere"),
    ]
    assert run_vectors(vectors, site, "v.jsonl") == [
        'v.jsonl:2: 0312345678: verdict = "accept": expected "reject"',
        'v.jsonl:2: 0312345678: rule = null: expected "x"',
        "v.jsonl:3: 110: home = null: expected true",
        f'v.jsonl:4: REGISTER from {ABROAD}: verdict = "drop": expected "accept"',
        'v.jsonl:5: BYE from nowhere: verdict = "nothing: nowhere is no address": '
        'expected "accept"',
    ]


def test_messages_by_both_families(site: Callable[[str], Settings]) -> None:
    send = register().decode()
    vectors = [
        Vector(1, {"verdict": "accept", "rule": None}, send=send, sender=JAPAN),
        Vector(2, {"verdict": "accept"}, send=send, sender="2001:db8:81::10"),
        Vector(
            3,
            {"verdict": "drop", "rule": "foreign-registration"},
            send=send,
            sender="2001:db8:31::10",
        ),
    ]
    assert run_vectors(vectors, site, "v") == []


def test_a_site_that_cannot_be(site: Callable[[str], Settings]) -> None:
    vectors = [
        Vector(1, {"verdict": "accept"}, what="110", site="mode = 1"),
        Vector(2, {"verdict": "accept"}, what="110"),
    ]
    (problem,) = run_vectors(vectors, site, "v")
    assert problem.startswith("v:1: site: test: mode = 1: expected one of")


def test_text_that_no_message_can_hold(site: Callable[[str], Settings]) -> None:
    vectors = [
        Vector(1, {"verdict": "accept"}, send="BYE \ud800 SIP/2.0", sender=JAPAN),
        Vector(2, {"verdict": "accept"}, what="\ud800"),
        Vector(3, {"verdict": "accept"}, send="x" * MOST_SENT, sender=JAPAN),
    ]
    assert run_vectors(vectors, site, "v") == []


def test_each_site_is_made_once() -> None:
    asked: list[str] = []

    def site(toml: str) -> Settings:
        asked.append(toml)
        return settings(toml)

    monitor = 'mode = "monitor"\n'
    vectors = [
        Vector(1, {"verdict": "accept"}, what="110"),
        Vector(2, {"verdict": "accept"}, what="01023276123456", site=monitor),
        Vector(3, {"verdict": "reject"}, what="01023276123456"),
        Vector(4, {"verdict": "accept"}, what="118", site=monitor),
    ]
    assert run_vectors(vectors, site, "v") == []
    assert asked == ["", monitor]
