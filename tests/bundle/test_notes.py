"""What the rule files say for people."""

import pytest
from builders import RULES
from ringfence.bundle.notes import Notes, load_notes

HEAD = """\
# Where a number leads: it is = or it is not.
# tca = Carriers of Japan
# own = Our own list
code,iso2,kind,tier,name_en,name_ja,source
"""
LIST = HEAD + (
    "232,SL,country,block,Sierra Leone,シエラレオネ,tca\n"
    "2327,SL,premium,block,Sierra Leone premium,情報料,own\n"
    "28,,unassigned,block,Unassigned,未割当,own\n"
    "no row at all\n"
)
PLAN: dict[str, object] = {"carriers": {"codes": {"0033": "A", "003344": "B"}}}
NOTES = Notes(LIST, PLAN)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("23276123456", "2327"),
        ("23286123456", "232"),
        ("28", "28"),
        ("2", None),
        ("", None),
        ("999", None),
    ],
)
def test_the_longest_code_counts(number: str, code: str | None) -> None:
    row = NOTES.destination(number)
    assert (None if row is None else row.code) == code


def test_names_and_sources() -> None:
    row = NOTES.country("SL")
    assert row is not None
    assert (row.name_en, row.name_ja, row.tier) == (
        *("Sierra Leone", "シエラレオネ", "block"),
    )
    assert NOTES.sources[row.source] == "Carriers of Japan"
    assert set(NOTES.sources) == {"tca", "own"}
    assert NOTES.country("XX") is None


@pytest.mark.parametrize(
    ("digits", "name"),
    [("0033", "A"), ("003344", "B"), ("0033123", "A"), ("0034", ""), ("", "")],
)
def test_carriers(digits: str, name: str) -> None:
    assert NOTES.carrier(digits) == name


@pytest.mark.parametrize("plan", [{}, {"carriers": 1}, {"carriers": {"codes": []}}])
def test_a_plan_without_carriers(plan: dict[str, object]) -> None:
    assert Notes(LIST, plan).carrier("0033") == ""


def test_those_that_are_shipped() -> None:
    notes = load_notes(RULES, "jp")
    row = notes.destination("23276123456")
    assert row is not None
    assert row.name_ja == "シエラレオネ"
    assert notes.carrier("0033")
