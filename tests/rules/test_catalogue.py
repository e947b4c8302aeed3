"""The catalogue is what the rules and the code say today."""

import subprocess
import sys
import tomllib
from typing import Any

import pytest
from builders import REPOSITORY, RULES, rule_table
from ringfence.decode import REASONS as DECODE_REASONS
from ringfence.facts import VOCABULARY
from ringfence.rules.catalogue import KINDS, ONS, SHAPES, WORDS, catalogue
from ringfence.rules.compile import _SHAPES, COMPARISONS
from ringfence.rules.model import LEARNT, MESSAGES
from ringfence.sip.reasons import ANOMALIES
from ringfence.sip.reasons import REASONS as SIP_REASONS

README = (RULES / "README.md").read_text(encoding="utf-8")


def test_readme_is_up_to_date() -> None:
    done = subprocess.run(  # noqa: S603 - the project's own script
        [sys.executable, RULES / "catalogue.py"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == README, "python rules/catalogue.py > rules/README.md"


def test_nothing_is_without_words() -> None:
    assert set(WORDS) == set(COMPARISONS)
    assert set(SHAPES) == set(_SHAPES)
    assert set(ONS) == {*MESSAGES, *LEARNT}
    assert {fact.kind for fact in VOCABULARY.values()} <= set(KINDS)


def test_every_rule_is_there_with_all_its_documentation() -> None:
    for path in RULES.glob("*.toml"):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        section = README.partition(f"\n## {path.stem}\n")[2].partition("\n## ")[0]
        docs = table["docs"]
        for text in (docs["what"], docs["why"], docs["false_positives"]):
            assert text in section
        for reference in docs["references"]:
            assert f"- {reference}" in section
        assert f"[rules.{path.stem}]" in section
        for signature in table["match"].get("any", []):
            assert f"*{signature['name']}*" in section


def test_every_word_and_reason_is_there() -> None:
    for name in [
        *VOCABULARY,
        *ONS,
        *COMPARISONS,
        *DECODE_REASONS,
        *SIP_REASONS,
        *ANOMALIES,
    ]:
        assert f"\n| `{name}` | " in README


def test_links_lead_somewhere() -> None:
    for target in README.split("](")[1:]:
        path = target.partition(")")[0]
        if not path.startswith("#"):
            assert (RULES / path).exists(), path
            assert (RULES / path).resolve().is_relative_to(REPOSITORY)


def section(match: dict[str, Any], **then: str) -> str:
    page = catalogue([rule_table(match, **then)])
    return page.partition("\n## test-rule\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"side": "outside"}, "any request of which this is true:\n\n- `side` is "),
        (
            {"method": ["INVITE", "REFER"], "side": "outside"},
            "an INVITE or REFER request of which this is true:",
        ),
        (
            {"on": ["request", "redirection"], "method": "REFER", "side": "x"},
            "a REFER request, or a redirection (an answer 3xx to an INVITE), of which "
            "this is true:",
        ),
        (
            {"on": "redirection", "side": "x"},
            "**Matches** a redirection (an answer 3xx to an INVITE) of which",
        ),
        ({"method": "REGISTER", "side": "x"}, "a REGISTER request of which this"),
        ({"side": "x", "call_id": "y"}, "any request of which all of this is true:"),
        ({"user_agent": "x|y"}, '- `user_agent` is `"x|y"`'),
        ({"user_agent": ""}, "- `user_agent` is empty"),
        ({"user_agent": ["a", "b"]}, '- `user_agent` is one of `"a"`, `"b"`'),
        ({"source_home": False}, "- `source_home` is false"),
        ({"max_forwards": 20}, "- `max_forwards` is `20`"),
        (
            {"max_forwards": {"over": 5, "under": 9}},
            "- `max_forwards` is over 5, is under 9",
        ),
        (
            {"call_id": {"not_prefix": "a", "length": 3, "shape": "hex"}},
            '- `call_id` does not begin with `"a"`, is 3 characters long, is made of '
            "hexadecimal digits, letters in lower case",
        ),
        (
            {"to_user": {"same_as": "from_user"}},
            "- `to_user` is the same as `from_user`, and not empty",
        ),
        (
            {"any": [{"name": "A", "side": "x", "call_id": "y"}]},
            'is true:\n\n- one of these signatures fits:\n  1. *A*: `side` is `"x"`; '
            '`call_id` is `"y"`',
        ),
    ],
)
def test_matches_in_words(match: dict[str, Any], words: str) -> None:
    assert words in section(match)


def test_what_a_rule_does_and_who_is_excepted() -> None:
    drops = section({"side": "outside"}, verdict="drop", judges="source")
    assert "Verdict drop. " in drops
    assert "`origin.allow`" in drops
    rejects = section({"side": "inside"}, verdict="reject", judges="destination")
    assert "Verdict reject (for senders outside: drop). " in rejects
    assert "`numbers.allow`" in rejects
    both = {"side": "inside", "on": ["request", "redirection"]}
    assert "(for senders outside and answers: drop)" in section(both, verdict="reject")


def test_rules_stand_in_the_order_in_which_they_are_asked() -> None:
    page = catalogue(
        [
            rule_table(id="b", severity="low"),
            rule_table(id="c", severity="critical"),
            rule_table(id="a", severity="low"),
        ]
    )
    assert page.index("\n## c\n") < page.index("\n## a\n") < page.index("\n## b\n")
