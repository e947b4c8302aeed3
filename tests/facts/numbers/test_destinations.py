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


def table() -> list[list[str]]:
    """The rows of the file, without its header."""
    text = (RULES / "destinations.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [line.split(",") for line in lines[1:]]


def problems(text: str) -> list[str]:
    with pytest.raises(BundleError) as caught:
        Destinations.from_csv(text, "d.csv")
    return str(caught.value).splitlines()


def test_every_number_leads_somewhere(dests: Destinations) -> None:
    """ITU-T E.164 leaves no gap: each start of three digits is someone's or spare."""
    for start in range(100, 1000):
        row = dests.find(f"{start}2345678")
        assert row
        assert (row.country is None) == (
            row.kind == "unassigned" or (row.kind != "country" and start >= 800)
        ), start


def test_shorter_starts_lead_somewhere_or_on(dests: Destinations) -> None:
    """One or two digits are a code, or the start of codes of three digits only."""
    for start in map(str, range(1, 100)):
        longer = {start + digit for digit in "0123456789"}
        if len(start) == 1:
            longer = {two + digit for two in longer for digit in "0123456789"}
        assert dests.find(start) or all(map(dests.find, longer))


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


@pytest.mark.parametrize(
    ("number", "country", "kind", "tier"),
    [
        ("441534123456", "JE", "country", "normal"),
        ("441624123456", "IM", "country", "normal"),
        ("447781123456", "GG", "country", "normal"),
        ("447024047033", "GB", "service", "watch"),  # priced by its owner
        ("448712068220", "GB", "service", "watch"),  # on every British bill
        ("449098790000", "GB", "premium", "block"),
        ("449810085566", "GG", "premium", "block"),  # a split does not lead past it
        ("76012345678", "KZ", "country", "normal"),
        ("78095551234", "RU", "premium", "block"),
        ("390669812345", "VA", "country", "normal"),
        ("390612345678", "IT", "country", "normal"),
        ("39899123456", "IT", "premium", "block"),
        ("59997171234", "CW", "country", "normal"),
        ("5993181234", "BQ", "country", "normal"),
        ("590590290000", "GP", "country", "normal"),
        ("590590501234", "MF", "country", "normal"),
        ("262639123456", "YT", "country", "normal"),
        ("262692123456", "RE", "country", "normal"),
        ("4779123456", "SJ", "country", "normal"),
        ("4782912345", "NO", "premium", "block"),
        ("35818123456", "AX", "country", "normal"),
        ("61891641234", "CX", "country", "normal"),
        ("61190123456", "AU", "premium", "block"),
        ("672312345", "NF", "country", "normal"),
        ("672110123", "AQ", "country", "normal"),
        ("29085123", "TA", "country", "normal"),
        ("491379123456", "DE", "premium", "block"),
        ("49900123456", "DE", "premium", "block"),
        ("33891123456", "FR", "premium", "block"),
        ("33612345678", "FR", "country", "normal"),
        ("8260212345", "KR", "premium", "block"),
        ("81990123456", "JP", "premium", "block"),
        ("12469761234", "BB", "premium", "block"),
        ("12462341234", "BB", "country", "watch"),
        ("1911", None, "unassigned", "block"),
        ("19005551234", "US", "premium", "block"),
        ("18885551234", "US", "service", "normal"),
        ("881612345678", None, "satellite", "block"),
    ],
)
def test_codes_that_split(
    number: str, country: str | None, kind: str, tier: str, dests: Destinations
) -> None:
    row = dests.find(number)
    assert row
    assert (row.country, row.kind, row.tier) == (country, kind, tier)


def test_tiers(dests: Destinations) -> None:
    """`block` is the carriers' list, satellite, premium, unassigned; no more."""
    for code, iso2, kind, tier, *_, source in table():
        listed = source == "tca" or code in ("878", "888")
        listed |= kind in ("satellite", "network", "premium", "unassigned")
        assert (tier == "block") == listed, code
        if tier == "watch":
            assert source in ("lists", "tests", "premium"), code
        if source == "tca":
            assert code[:2] == "53" or int(code[:3]) in CARRIERS_29
            assert iso2


def test_each_row_has_a_source_that_the_file_explains() -> None:
    text = (RULES / "destinations.csv").read_text(encoding="utf-8")
    explained = {
        line[2:].partition(" = ")[0]
        for line in text.splitlines()
        if line.startswith("# ")
    }
    assert {row[6] for row in table()} <= explained
    for notice in ("Libphonenumber Authors, Apache License 2.0", "Unicode License"):
        assert notice in text


def test_every_area_code_of_north_america(dests: Destinations) -> None:
    """Each area code that the metadata gives to a country is that country's here."""
    phonenumbers = pytest.importorskip("phonenumbers")
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]
    asked = {}
    for area in range(200, 1000):
        row = dests.find(f"1{area}2345678")
        assert row
        number = phonenumbers.PhoneNumber(country_code=1, national_number=0)
        number.national_number = area * 10_000_000 + 2345678
        region = phonenumbers.region_code_for_number(number)
        if region is not None and row.kind == "country":
            asked[area] = (region, row.country)
    assert {area: pair for area, pair in asked.items() if pair[0] != pair[1]} == {}
    assert len({ours for _, ours in asked.values()}) == len(regions)
    assert len(asked) > 400


def test_no_premium_range_has_other_numbers_in_it(dests: Destinations) -> None:
    phonenumbers = pytest.importorskip("phonenumbers")
    premium = phonenumbers.PhoneNumberType.PREMIUM_RATE
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in phonenumbers.PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            digits = phonenumbers.format_number(
                number, phonenumbers.PhoneNumberFormat.E164
            )[1:]
            row = dests.find(digits)
            assert row
            if row.kind == "premium":
                assert phonenumbers.number_type(number) == premium, digits


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


def test_names_are_those_of_today() -> None:
    names = {row[1]: (row[4], row[5]) for row in table() if row[2] == "country"}
    assert names["CI"] == ("Côte d'Ivoire", "コートジボワール")
    assert names["SZ"] == ("Eswatini", "エスワティニ")
    assert names["MK"] == ("North Macedonia", "北マケドニア")
    assert names["KR"] == ("South Korea", "韓国")
    assert names["GE"] == ("Georgia", "ジョージア")
    assert names["CD"] == ("Congo - Kinshasa", "コンゴ民主共和国")
    assert names["AG"] == ("Antigua and Barbuda", "アンチグアバーブーダ")


def test_a_country_has_one_name() -> None:
    names: dict[str, set[tuple[str, str]]] = {}
    for _, iso2, kind, _, name_en, name_ja, _ in table():
        assert name_en.strip() == name_en
        assert name_ja.strip() == name_ja
        assert '"' not in name_en + name_ja
        if kind == "country":
            names.setdefault(iso2, set()).add((name_en, name_ja))
    assert {iso2 for iso2, found in names.items() if len(found) > 1} == set()


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
    pytest.importorskip("phonenumbers", reason="the generator needs phonenumbers")
    build = runpy.run_path(str(RULES / "build_destinations.py"))
    made = build["text"](build["rows"](*(build["read"](str(path)) for path in tables)))
    assert made == (RULES / "destinations.csv").read_text(encoding="utf-8")


def test_starts_of_number_patterns() -> None:
    pytest.importorskip("phonenumbers", reason="the generator needs phonenumbers")
    starts = runpy.run_path(str(RULES / "build_destinations.py"))["_starts"]
    assert starts([r"90[1-3]\d{2}|8(?:00|1)\d{2,4}"], 3, {""}) == {
        *("901", "902", "903", "800"),
        *(f"81{digit}" for digit in range(10)),
    }
    assert starts([r"90[1-3]\d{2}"], 3, {"8"}) == set()
    assert starts([r"(?:12|3)?45", r"6{2,3}"], 2, {""}) == {"12", "34", "45", "66"}
    assert starts([r"12"], 3, {""}) == set()
