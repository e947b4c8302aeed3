"""Explanations as an installer reads them, in both languages."""

import csv
from pathlib import Path

import pytest
from builders import ABROAD, INSIDE, JAPAN, NOWHERE, REPOSITORY, RULES, settings
from ringfence.bundle.notes import load_notes
from ringfence.explain import Explainer, explain
from ringfence.wording.explanation import LISTED_RULE, MAX_OTHERS, Explanation

CASES = REPOSITORY.parent / "shared" / "data" / "number_cases.csv"
NOTES = load_notes(RULES, "jp")


def told(what: str, toml: str = "", lang: str = "en") -> list[str]:
    made = settings(toml)
    return Explanation(made, NOTES, lang).text(explain(what, made)).splitlines()


def line(lines: list[str], label: str) -> str:
    """Return what stands behind a label, "" where there is no such line."""
    found = [text for text in lines if text.startswith(f"  {label}:")]
    return found[0].partition(":")[2].strip() if found else ""


# Numbers ------------------------------------------------------------------------------


def test_a_listed_number_in_english() -> None:
    assert told("0033-010-232-76123456") == [
        "0033-010-232-76123456: reject",
        "  Number:     +23276123456 (Sierra Leone, international call)",
        "  Read as:    0033 carrier selection (NTT Communications), "
        "010 international prefix, 232 Sierra Leone",
        "  Decided by: rule blocked-destination, revision 2 "
        "(rules/blocked-destination.toml)",
        f"  Because:    232 Sierra Leone is on the block list; source: "
        f"{NOTES.sources['tca']}",
        '  To change:  numbers.allow = ["232"] lets these calls pass',
    ]


def test_a_listed_number_in_japanese() -> None:
    assert told("0033-010-232-76123456", lang="ja") == [
        "0033-010-232-76123456: 発信規制(reject)",
        "  番号: +23276123456(シエラレオネ、国際電話)",
        "  解釈: 0033 事業者識別番号(NTT Communications) → 010 国際プレフィックス "
        "→ 232 シエラレオネ",
        "  判定: ルール blocked-destination(rev 2、rules/blocked-destination.toml)",
        "  理由: 232 シエラレオネは規制リストに掲載。出典: "
        "電気通信事業者協会(TCA)のIP電話不正利用に関する注意喚起",
        '  変更方法: numbers.allow = ["232"] で許可',
    ]


def test_an_emergency_number() -> None:
    assert told("119") == [
        "119: accept",
        "  Number:     119 (emergency number)",
        "  Read as:    119 emergency number",
        "  Decided by: built in: emergency calls always pass, no setting changes that",
        "  To change:  not possible, on purpose",
    ]
    assert told("119", lang="ja") == [
        "119: 許可(accept)",
        "  番号: 119(緊急通報番号)",
        "  解釈: 119 緊急通報番号",
        "  判定: 組み込みのルール(緊急通報は常に許可。設定では変更できない)",
        "  変更方法: 変更不可(安全のため)",
    ]


@pytest.mark.parametrize(
    ("what", "read", "by"),
    [
        ("#7119", "#7119 service number with #", "built in: special numbers"),
        ("999", "999 extension or short number", "built in: an emergency number in"),
        ("0312345678", "0312345678 fixed line", "no list and no rule"),
        (
            "184-090-1234-5678",
            "184 caller ID withheld, 09012345678 mobile phone",
            "no list",
        ),
        ("*67#0312345678", "*67# feature code, 0312345678 fixed line", "no list"),
        (
            "9-0063-090-1234-5678",
            "9 outside line, 0063 carrier selection (G-Call), 09012345678 mobile phone",
            "no list",
        ),
        (
            "+81312345678",
            "+ international form, 81 this country's code, 0312345678",
            "",
        ),
        ("+12425551234", "+ international form, 1242 Bahamas", "the destination list"),
        ("01123276123456", "011 international prefix of another country, 232", "rule"),
        (
            "9" + "0" * 80,
            f"9{'0' * 63} longer than any number",
            "rule blocked-destination",
        ),
    ],
)
def test_how_a_number_was_read_and_on_whose_word(what: str, read: str, by: str) -> None:
    lines = told(what)
    assert line(lines, "Read as").startswith(read)
    assert line(lines, "Decided by").startswith(by)


@pytest.mark.parametrize(
    ("what", "toml", "by", "change"),
    [
        (
            "+23276123456",
            '[numbers]\nallow = ["232"]\n',
            'your setting: numbers.allow has "232"',
            'take "232" out of numbers.allow',
        ),
        (
            "+12125551234",
            '[numbers]\nblock = ["1212"]\n',
            'your setting: numbers.block has "1212"',
            'take "1212" out of numbers.block',
        ),
        (
            "+12125551234",
            '[numbers]\nprofile = "home"\n',
            'your setting: numbers.profile = "home" lets abroad only numbers.allow',
            'numbers.allow = ["1"] lets these calls pass; numbers.profile = "office" '
            "lets all pass that are on no list",
        ),
        (
            "+23276123456",
            'mode = "monitor"\n',
            "rule blocked-destination, revision 2 (rules/blocked-destination.toml); only "
            'logged, as mode = "monitor"',
            'mode = "enforce"',
        ),
        (
            "+23276123456",
            '[rules.blocked-destination]\nmode = "monitor"\n',
            "rule blocked-destination, revision 2 (rules/blocked-destination.toml); only "
            'logged, as [rules.blocked-destination] has mode = "monitor"',
            "take mode out of [rules.blocked-destination]",
        ),
        (
            "+23276123456",
            '[numbers]\nprofile = "watch"\n',
            "rule blocked-destination, revision 2 (rules/blocked-destination.toml); only "
            'logged, as numbers.profile = "watch"',
            'numbers.profile = "office"',
        ),
        (
            "+23276123456",
            '[rules.blocked-destination]\nmode = "off"\n',
            "no rule in force stops what is listed",
            "take mode out of [rules.blocked-destination]",
        ),
        (
            "+12125551234",
            "",
            "no list and no rule has it, so it passes",
            'numbers.block = ["1"] stops these calls',
        ),
        (
            "03-1234-5678",
            "",
            "no list and no rule has it, so it passes",
            'numbers.block = ["81312345678"] stops these calls',
        ),
        (
            "010-28-12345678",
            "",
            "rule blocked-destination, revision 2 (rules/blocked-destination.toml)",
            'numbers.allow = ["28"] lets these calls pass',
        ),
    ],
)
def test_what_to_type_does_what_it_says(
    what: str, toml: str, by: str, change: str
) -> None:
    lines = told(what, toml)
    assert line(lines, "Decided by") == by
    assert line(lines, "To change") == change


@pytest.mark.parametrize("what", ["+23276123456", "+12125551234", "03-1234-5678"])
def test_the_advice_on_lists_turns_the_verdict(what: str) -> None:
    """What is advised in the configuration's words is taken as it stands."""
    before = told(what)
    advice = line(before, "To change")
    typed, verb = advice.split("] ", 1)
    table, _, setting = f"{typed}]".partition(".")
    after = told(what, f"[{table}]\n{setting}\n")
    assert before[0] != after[0]
    wanted = "accept" if verb.startswith("lets") else "reject"
    assert after[0] == f"{what}: {wanted}"


def test_only_logged() -> None:
    assert told("+23276123456", 'mode = "monitor"\n')[0] == (
        "+23276123456: accept (monitor only; would reject)"
    )


def test_another_reading_that_a_number_at_home_outweighs() -> None:
    assert line(told("0037123456"), "Other way") == (
        "00 international prefix of another country, 371 Latvia: does not count, as a "
        "valid number at home is never stopped for it"
    )
    assert line(told("0037123456", lang="ja"), "別の解釈") == (
        "00 海外の国際プレフィックス → 371 ラトビア: 不採用。有効な国内番号への発信は"
        "規制しない"
    )


def test_another_reading_that_the_site_blocks_decides() -> None:
    what = "824-810-44-20-7946-0123"
    row = NOTES.destination("44")
    assert row is not None
    britain = row.name_en
    assert line(told(what), "Number").startswith(f"+442079460123 ({britain}, ")
    lines = told(what, '[numbers]\nblock = ["82"]\n')
    assert lines[0] == f"{what}: reject"
    assert line(lines, "Number").startswith("+824810442079460123 (")
    assert line(lines, "Decided by") == 'your setting: numbers.block has "82"'
    assert line(lines, "Other way").endswith(
        f"44 {britain}: possible too; of several the listed one counts"
    )


def test_readings_beyond_the_bound_are_not_told() -> None:
    many = told("011" * 15 + "23276123456")
    assert len([text for text in many if "Other way" in text]) <= MAX_OTHERS


def test_a_strangers_control_characters_do_not_reach_the_terminal() -> None:
    lines = told("\x1b[31malice\x07")
    assert lines[0] == "·[31malice·: accept"
    assert all(text.isprintable() for text in lines)


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("what", ["", "?", "\ud800", "+" * 5000, "%" * 5000, "::1::"])
def test_anything_can_be_explained(what: str, lang: str) -> None:
    assert len(told(what, lang=lang)) >= 3


def rows() -> list[dict[str, str]]:
    if not Path(CASES).exists():
        return []
    with CASES.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_every_known_case_is_explained_without_a_gap(lang: str) -> None:
    if not rows():
        pytest.skip("no ../shared/data/number_cases.csv beside the repository")
    made = settings()
    explainer = Explainer(made)
    explanation = Explanation(made, NOTES, lang)
    for row in rows():
        record, reading = explainer.explain_reading(row["input"])
        text = explanation.text(record)
        assert explanation.text(record, reading) == text
        assert "{" not in text
        if lang == "ja":
            readings = record["readings"]
            assert isinstance(readings, list)
            for step in readings:
                if step.partition(" ")[0].isalpha():
                    assert step not in text, (row["input"], step)
        if row["expected_decision"] == "flag":
            label = "Because" if lang == "en" else "理由"
            assert line(text.splitlines(), label)


def test_the_rule_that_is_advised_is_there() -> None:
    assert (RULES / f"{LISTED_RULE}.toml").exists()


# Addresses ----------------------------------------------------------------------------


def test_an_address_abroad() -> None:
    assert told(ABROAD) == [
        f"{ABROAD}: drop",
        "  Address:    Netherlands (NL), not home, outside",
        "  Decided by: rule foreign-registration, revision 1 "
        "(rules/foreign-registration.toml)",
        "  Because:    Somebody outside your home countries tries to register as one of "
        "your extensions; judged as a registration (REGISTER) that comes from there",
        f'  To change:  origin.allow = ["{ABROAD}"] or ["NL"]',
    ]
    assert told(ABROAD, lang="ja") == [
        f"{ABROAD}: 破棄(drop)",
        "  アドレス: オランダ(NL)、国外扱い、外側",
        "  判定: ルール foreign-registration(rev 1、rules/foreign-registration.toml)",
        "  理由: 国外から内線として登録(REGISTER)する試み。"
        "このアドレスからの登録(REGISTER)として判定",
        f'  変更方法: origin.allow = ["{ABROAD}"] または ["NL"] で許可',
    ]


@pytest.mark.parametrize(
    ("what", "toml", "by", "change"),
    [
        (
            ABROAD,
            '[origin]\nallow = ["NL"]\n',
            "your setting: origin.allow has this address or its country",
            "take it out of origin.allow",
        ),
        (
            JAPAN,
            '[origin]\nblock = ["JP"]\n',
            "your setting: origin.block has this address or its country",
            "take it out of origin.block",
        ),
        (
            NOWHERE,
            "",
            "rule foreign-registration, revision 1 (rules/foreign-registration.toml)",
            f'origin.allow = ["{NOWHERE}"]',
        ),
        (
            JAPAN,
            "",
            "no list and no rule has it, so it passes",
            f'origin.block = ["{JAPAN}"]',
        ),
        (INSIDE, "", "no list and no rule has it, so it passes", ""),
        (
            ABROAD,
            '[rules.foreign-registration]\nmode = "monitor"\n',
            "rule foreign-registration, revision 1 (rules/foreign-registration.toml); "
            'only logged, as [rules.foreign-registration] has mode = "monitor"',
            "take mode out of [rules.foreign-registration]",
        ),
    ],
)
def test_on_whose_word_an_address_is_judged(
    what: str, toml: str, by: str, change: str
) -> None:
    lines = told(what, toml)
    assert line(lines, "Decided by") == by
    assert line(lines, "To change") == change


def test_thresholds_that_the_site_has_set() -> None:
    toml = "[rules.password-guessing]\nover = 10\n"
    assert line(told(JAPAN, toml), "Threshold") == (
        "password-guessing 10 within 1 min, as [rules.password-guessing] says "
        "(shipped: 5 within 1 min)"
    )
    assert line(told(JAPAN, toml, "ja"), "しきい値") == (
        "password-guessing は1分に10回まで。[rules.password-guessing] で変更"
        "(出荷時: 1分に5回)"
    )
    assert line(told(JAPAN), "Threshold") == ""
    assert line(told(INSIDE, toml), "Threshold") == ""
