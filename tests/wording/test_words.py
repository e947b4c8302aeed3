"""Both languages say the same things, and have words for everything."""

import re
import string
import tomllib
from types import ModuleType

import pytest
from builders import RULES
from ringfence.bundle.notes import load_notes
from ringfence.facts.numbers.emergency import SPECIAL_FORMS
from ringfence.facts.numbers.reading import KINDS
from ringfence.wording import LANGUAGES, en, ja, language

TABLES = {"en": en, "ja": ja}
NOTES = load_notes(RULES, "jp")
PLANS = [
    tomllib.loads(path.read_text(encoding="utf-8"))
    for path in sorted((RULES / "dialplans").glob("*.toml"))
]

DETAILS = {
    *("emergency", "non_numeric", "overlong"),
    *("international", "international_foreign_idd", "international_bare"),
    *("international_junk_prefix", "international_spare"),
    *("domestic_unknown", "extension_or_short", "private_number", "feature_code"),
}
"""Those that the reader names; the others are built in or stand in dial plans."""

STEPS = {
    *("+", "carrier", "idd", "foreign idd", "outside line", "home", "extra zeros"),
    *("code", "context", "rn", "junk"),
}

NOT_TRANSLATED = {
    *(
        "accept",
        "reject",
        "allow",
        "block",
        "code",
        "digits",
        "drop",
        "enforce",
        "entry",
        "file",
        "home",
    ),
    *("input", "iso", "key", "mode", "monitor", "name", "number", "numbers", "origin"),
    *("office", "over", "profile", "policy", "malformed", "reason", "read", "rules"),
    *("rev", "rule", "text", "verdict", "was", "watch", "what", "why", "within"),
    *("phone-context", "destinations", "csv", "rn"),
}
"""What the configuration and the files call things, and what stands in braces."""


def fields(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_both_have_the_same_keys_with_the_same_words_in_braces() -> None:
    assert set(TABLES) == set(LANGUAGES)
    assert list(en.WORDS) == list(ja.WORDS)
    for key, text in en.WORDS.items():
        assert fields(text) == fields(ja.WORDS[key]), key


def test_words_of_reports_are_the_same_in_both() -> None:
    assert list(en.REPORT) == list(ja.REPORT)
    for key, text in en.REPORT.items():
        # Yen are written without the name of their currency in Japan.
        assert set(fields(ja.REPORT[key])) <= set(fields(text)), key
        if key != "money.JPY":
            assert fields(text) == fields(ja.REPORT[key]), key


def test_reports_are_in_japanese() -> None:
    same = {key for key, text in en.REPORT.items() if ja.REPORT[key] == text}
    assert same == {"money.none", "chart.more", "what"}
    for key, text in ja.REPORT.items():
        words = set(re.findall(r"[A-Za-z][a-z-]+", re.sub(r"{[^}]*}", "", text)))
        assert words == set(), key


def test_english_is_english() -> None:
    for key, text in {**en.WORDS, **en.REPORT}.items():
        assert text.isascii(), key


def test_nothing_is_left_in_english() -> None:
    texts = {**ja.WORDS, **ja.RULES, **ja.SOURCES}
    for key, text in texts.items():
        if key in ("head", "named", "other"):
            continue
        words = set(re.findall(r"[a-z][a-z-]+", text))
        if key in ja.SOURCES:
            words -= {"libphonenumber"}
        assert words <= NOT_TRANSLATED, (key, words - NOT_TRANSLATED)
        if key.partition(".")[0] in ("class", "detail", "by", "held", "about", "lost"):
            assert re.search(r"[\u3041-\u30ff\u4e00-\u9fff]", text), key


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_everything_has_words(table: ModuleType) -> None:
    words = table.WORDS
    for kind in KINDS:
        assert f"class.{kind}" in words
    details = DETAILS | {
        detail for forms in SPECIAL_FORMS.values() for _, detail in forms
    }
    steps = set(STEPS)
    for plan in PLANS:
        for part in ("numbers", "local", "special"):
            details |= {table["detail"] for table in plan.get(part, [])}
        steps |= {prefix["name"] for prefix in plan.get("prefixes", [])}
    assert {detail for detail in details if f"detail.{detail}" not in words} == set()
    assert {step for step in steps if f"step.{step}" not in words} == set()


def test_rules_and_sources_have_japanese_words() -> None:
    assert set(ja.RULES) == {path.stem for path in RULES.glob("*.toml")}
    assert set(NOTES.sources) - {"tier", "normal"} <= set(ja.SOURCES)


def test_every_row_of_the_destination_list_has_a_source_in_words() -> None:
    text = (RULES / "destinations.csv").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line[:1].isdigit()]
    assert len(rows) > 200
    for row in rows:
        assert row.rpartition(",")[2] in NOTES.sources, row


@pytest.mark.parametrize(
    ("environment", "chosen"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja"}, "ja"),
        ({"LANG": "ja.UTF-8"}, "ja"),
        ({"LANG": "JA_JP"}, "ja"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "jam_JM"}, "en"),
        ({"LANG": "ja_JP", "LC_MESSAGES": "en_US"}, "en"),
        ({"LANG": "en_US", "LC_MESSAGES": "ja_JP"}, "ja"),
        ({"LANG": "ja_JP", "LC_MESSAGES": "ja_JP", "LC_ALL": "C"}, "en"),
        ({"LANG": "ja_JP", "LC_MESSAGES": "", "LC_ALL": ""}, "ja"),
        ({"LANGUAGE": "ja"}, "en"),
    ],
)
def test_the_language_of_a_locale(environment: dict[str, str], chosen: str) -> None:
    assert language(environment) == chosen
