import runpy
from pathlib import Path

import pytest
from ringfence.errors import BundleError
from ringfence.facts.numbers import Destinations
from ringfence.facts.numbers.destinations import MAX_CODE, MAX_PROBLEMS

REPO = Path(__file__).parents[3]
RULES = REPO / "rules"
DATA = REPO.parent / "shared/data"
HEADER = "code,iso2,kind,tier,name_en,name_ja,source\n"
CUBA = "53,CU,country,block,Cuba,キューバ,tca\n"

# The carriers' list of destinations of IP phone fraud, by country code.
CARRIERS_29 = [
    *(53, 269, 212, 355, 220, 370, 224, 371, 222, 372, 228, 373, 231, 375, 232),
    *(377, 237, 381, 239, 382, 242, 387, 245, 423, 252, 670, 257, 677, 263),
]


def problems(text: str) -> list[str]:
    with pytest.raises(BundleError) as caught:
        Destinations.from_csv(text, "d.csv")
    return str(caught.value).splitlines()


def test_every_number_leads_somewhere(dests: Destinations) -> None:
    """ITU-T E.164 leaves no gap: each start of three digits is someone's or spare."""
    for start in range(100, 1000):
        row = dests.find(f"{start}2345678")
        assert row
        assert row.kind == "unassigned" or row.country or row.kind != "country"


def test_what_every_code_is(dests: Destinations) -> None:
    expected = {
        "12125550123": ("US", "country", "normal"),
        "14165550123": ("CA", "country", "normal"),
        "18765550123": ("JM", "country", "watch"),
        "19005550123": ("US", "premium", "block"),
        "18005550123": ("US", "service", "normal"),
        "10155501234": (None, "unassigned", "block"),
        "77012345678": ("KZ", "country", "normal"),
        "79161234567": ("RU", "country", "normal"),
        "441481123456": ("GG", "country", "normal"),
        "442079460123": ("GB", "country", "normal"),
        "212528812345": ("EH", "country", "block"),
        "212612345678": ("MA", "country", "block"),
        "23276123456": ("SL", "country", "block"),
        "96031234567": ("MV", "country", "watch"),
        "870773111111": (None, "satellite", "block"),
        "881612345678": (None, "satellite", "block"),
        "882161234567": (None, "satellite", "block"),
        "883510012345": (None, "network", "block"),
        "979123456789": (None, "premium", "block"),
        "80012345678": (None, "service", "normal"),
        "888123456": (None, "service", "block"),
        "2812345678": (None, "unassigned", "block"),
        "81312345678": ("JP", "country", "normal"),
    }
    got = {}
    for number in expected:
        row = dests.find(number)
        assert row
        got[number] = (row.country, row.kind, row.tier)
    assert got == expected


def test_the_carriers_list_is_blocked(dests: Destinations) -> None:
    assert len(CARRIERS_29) == 29
    for code in CARRIERS_29:
        row = dests.find(f"{code}12345678")
        assert row
        assert (row.tier, row.kind) == ("block", "country")


def test_names_in_both_languages(dests: Destinations) -> None:
    row = dests.find("23276123456")
    assert row
    assert (row.name_en, row.name_ja) == ("Sierra Leone", "シエラレオネ")


def test_the_longest_code_wins() -> None:
    text = HEADER + "7,RU,country,normal,Russia,ロ,x\n77,KZ,country,watch,K,カ,x\n"
    dests = Destinations.from_csv(text, "d.csv")
    found = [dests.find(number) for number in ("7", "71", "77", "771", "8", "")]
    assert [row and row.country for row in found] == [
        "RU",
        "RU",
        "KZ",
        "KZ",
        None,
        None,
    ]


def test_codes_that_countries_share(dests: Destinations) -> None:
    assert dests.shares("1")
    assert dests.shares("7")
    assert dests.shares("44")
    assert not dests.shares("81")


def test_lines_that_do_not_count() -> None:
    dests = Destinations.from_csv("# note\n\n" + HEADER + "# 1\n" + CUBA, "d.csv")
    assert len(dests) == 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("53,CU,country,block,Cuba,キ", "6 fields: expected 7"),
        ("53,CU,country,block,Cu,ba,キ,tca", "8 fields: expected 7"),
        ("+53,CU,country,block,C,キ,t", "code = '+53': expected 1 to 8 digits"),
        (",CU,country,block,C,キ,t", "code = '': expected 1 to 8 digits"),
        ("5" * (MAX_CODE + 1) + ",CU,country,block,C,キ,t", "expected 1 to 8 digits"),
        ("053,CU,country,block,C,キ,t", "no E.164 number starts with 0"),
        ("53,CUB,country,block,C,キ,t", "iso2 = 'CUB': expected a country"),
        ("53,cu,country,block,C,キ,t", "iso2 = 'cu': expected a country"),
        ("53,CU,island,block,C,キ,t", "kind = 'island': expected one of country"),
        ("53,CU,country,bad,C,キ,t", "tier = 'bad': expected one of block"),
        ("53,,unassigned,normal,C,キ,t", "tier = 'normal': expected block"),
        ("53,CU,country,block,C,,t", "expected a name in English and in Japanese"),
    ],
)
def test_a_problem_names_file_line_and_expectation(line: str, expected: str) -> None:
    told = problems(HEADER + line + "\n")
    assert len(told) == 1
    assert told[0].startswith("d.csv:2: ")
    assert expected in told[0]


def test_other_problems() -> None:
    assert "each code once" in problems(HEADER + CUBA + CUBA)[0]
    assert "expected at least one destination" in problems(HEADER)[0]
    assert "expected at least one destination" in problems("")[0]
    assert "expected the header" in problems(CUBA)[0]


def test_all_problems_are_told_at_once_up_to_a_bound() -> None:
    text = HEADER + "x,,,,,,\n" * MAX_PROBLEMS
    assert len(problems(text)) == MAX_PROBLEMS
    told = problems(text + "x,,,,,,\n")
    assert len(told) == MAX_PROBLEMS + 1
    assert told[-1] == "d.csv: and 1 more"


def test_the_list_is_what_its_generator_makes() -> None:
    tables = [
        DATA / name for name in ("countries.csv", "fraud_tca.csv", "fraud_extended.csv")
    ]
    if not all(path.exists() for path in tables):
        pytest.skip("../shared/data is absent")
    build = runpy.run_path(str(RULES / "build_destinations.py"))
    made = build["text"](build["rows"](*(build["read"](str(path)) for path in tables)))
    assert made == (RULES / "destinations.csv").read_text(encoding="utf-8")
