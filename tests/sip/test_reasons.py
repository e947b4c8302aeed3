"""The tables of reasons name everything that the code can say, and nothing more."""

import ast
import re

from builders import REPOSITORY
from ringfence.sip.reasons import ANOMALIES, REASONS

NAME = re.compile(r"sip\.[a-z0-9-]+")
SOURCES = REPOSITORY / "agent" / "ringfence"


def names_in_the_code() -> set[str]:
    found = set()
    for path in [*(SOURCES / "sip").glob("*.py"), SOURCES / "engine.py"]:
        if path.name == "reasons.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if NAME.fullmatch(node.value) else set()
    return found


def test_every_name_has_its_meaning() -> None:
    assert names_in_the_code() == {*REASONS, *ANOMALIES}


def test_a_name_is_a_reason_or_a_flaw() -> None:
    assert not REASONS.keys() & ANOMALIES.keys()


def test_meanings_are_sentences() -> None:
    for meaning in [*REASONS.values(), *ANOMALIES.values()]:
        assert meaning[0].isupper()
        assert meaning.endswith(".")
