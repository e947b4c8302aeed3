"""The table of reasons: complete, and nothing besides it."""

import re
from pathlib import Path

from builders import REPOSITORY
from ringfence import bundle
from ringfence.bundle.refused import REASONS, Refused

PACKAGE = Path(bundle.__file__).parent


def test_every_reason_is_given_somewhere_and_no_other() -> None:
    given: set[str] = set()
    for path in PACKAGE.glob("*.py"):
        if path.name != "refused.py":
            text = path.read_text(encoding="utf-8")
            given |= set(re.findall(r'Refused\(\s*"([^"]+)"', text))
    assert given == set(REASONS)


def test_each_has_a_meaning_for_a_person() -> None:
    assert all(re.fullmatch(r"[a-z]+\.[a-z-]+", name) for name in REASONS)
    assert all(meaning.endswith(".") for meaning in REASONS.values())
    assert len(set(REASONS.values())) == len(REASONS)


def test_the_table_is_in_the_notes_on_bundles() -> None:
    notes = (REPOSITORY / "agent" / "BUNDLE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z]+\.[a-z-]+)` \| (.*\.) \|$", notes, re.MULTILINE)
    assert dict(rows) == dict(REASONS)


def test_a_refusal_says_its_reason() -> None:
    refused = Refused("file.digest", "a.toml: SHA-256 1: expected 2")
    assert str(refused) == "a.toml: SHA-256 1: expected 2 [file.digest]"
    assert refused.exit_code == 4
