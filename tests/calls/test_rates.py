"""Prices by the longest code, exact; and the table that ships."""

import csv
import runpy
from pathlib import Path

import pytest
from builders import REPOSITORY, RULES
from hypothesis import given
from hypothesis import strategies as st
from ringfence.calls.rates import (
    COLUMNS,
    MAX_PRICE,
    MAX_ROWS,
    MAX_UNIT,
    MILLI,
    Rate,
    RateTable,
)
from ringfence.errors import BundleError
from ringfence.facts.numbers.destinations import Destinations

PRICES = REPOSITORY.parent / "shared/data/rates_jpy.csv"
HEADER = ",".join(COLUMNS)
BUILDER = runpy.run_path(str(RULES / "build_rates.py"))


def table(*rows: str, basis: str = "estimate") -> RateTable:
    return RateTable.from_csv("\n".join([HEADER, *rows]), "t", basis)


def problem(*rows: str, basis: str = "estimate") -> str:
    with pytest.raises(BundleError) as caught:
        table(*rows, basis=basis)
    return str(caught.value)


REST = "*,,130,60,estimate,guess,none"


@pytest.mark.parametrize(
    ("price", "unit", "talked", "units", "cost"),
    [
        # 175 a minute, by the minute: the documented victim's call of 32 s.
        (175_000, 60, 32.0, 1, 175_000),
        (175_000, 60, 0.0, 1, 175_000),
        (175_000, 60, 59.999, 1, 175_000),
        (175_000, 60, 60.0, 1, 175_000),
        (175_000, 60, 60.0004, 1, 175_000),
        (175_000, 60, 60.001, 2, 350_000),
        (175_000, 60, 120.001, 3, 525_000),
        # 130 a minute by half minutes: 65 each.
        (130_000, 30, 30.0, 1, 65_000),
        (130_000, 30, 31.0, 2, 130_000),
        (130_000, 30, 3600.0, 120, 7_800_000),
        # 15 a minute by six seconds: 1.5 each.
        (15_000, 6, 7.0, 2, 3_000),
        # 20 a minute by the second: thirds of a yen, rounded up once, for the call.
        (20_000, 1, 1.0, 1, 334),
        (20_000, 1, 3.0, 3, 1_000),
        (20_000, 1, 10.0, 10, 3_334),
        # 8.5 for three minutes.
        (2_833, 180, 179.0, 1, 8_499),
        (0, 60, 1e6, 16_667, 0),
    ],
)
def test_units_begun(
    price: int, unit: int, talked: float, units: int, cost: int
) -> None:
    rate = Rate("63", price, unit, "estimate")
    assert rate.units(talked) == units
    assert rate.cost(talked) == cost


@given(
    st.integers(0, MAX_PRICE),
    st.integers(1, MAX_UNIT),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
)
def test_a_longer_call_never_costs_less(
    price: int, unit: int, one: float, other: float
) -> None:
    rate = Rate("63", price, unit, "estimate")
    shorter, longer = sorted((one, other))
    assert 0 <= rate.cost(shorter) <= rate.cost(longer)
    assert rate.cost(longer) >= longer * price / 60 - price / 60_000 - 1


def test_the_longest_code_counts() -> None:
    rates = table(
        REST,
        "1,US,9,60,estimate,documented,x",
        "1876,JM,190,60,estimate,tier,x",
        "8,,5.5,6,estimate,guess,x",
    )
    assert len(rates) == 3
    assert rates.find("18765551234").price == 190 * MILLI
    assert rates.find("12125551234").price == 9 * MILLI
    assert rates.find("1").price == 9 * MILLI
    assert rates.find("81").price == 5_500
    assert rates.find("232").code == rates.find("").code == "*"
    assert rates.dearest(["12125551234", "18765551234"]).code == "1876"
    assert rates.dearest([]).code == "*"


def test_a_basis_counts_before_the_estimate() -> None:
    rows = [
        REST,
        "1,US,9,60,estimate,documented,x",
        "1,US,78,30,mobile,documented,x",
        "63,PH,35,60,estimate,recalled,x",
        "63,PH,130,30,other,documented,x",
    ]
    mobile = table(*rows, basis="mobile")
    assert mobile.find("12125551234")[1:] == (78_000, 30, "mobile")
    assert mobile.find("63917")[1:] == (35_000, 60, "estimate")
    assert table(*rows).find("12125551234")[1:] == (9_000, 60, "estimate")
    assert "no basis 'cheap': expected one of ['estimate', 'mobile', 'other']" in (
        problem(*rows, basis="cheap")
    )


def test_a_sites_own_prices() -> None:
    rates = table(REST, "1,US,9,60,estimate,documented,x")
    own = [Rate("1", 2_500, 1, "own"), Rate("*", 1, 1, "own")]
    ours = rates.with_prices(own)
    assert ours.find("1212")[1:] == (2_500, 1, "own")
    assert ours.find("63").price == 1
    assert rates.find("63").price == 130_000


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,US,9,60,estimate,documented", "6 fields: expected 7"),
        ("1,US,9,60,estimate,documented,x,y", "8 fields"),
        ("01,US,9,60,estimate,documented,x", "code = '01'"),
        (",US,9,60,estimate,documented,x", "code = ''"),
        ("123456789,US,9,60,estimate,documented,x", "code = '123456789'"),
        ("\uff11,US,9,60,estimate,documented,x", "code"),
        ("1,USA,9,60,estimate,documented,x", "iso2 = 'USA'"),
        ("1,us,9,60,estimate,documented,x", "iso2 = 'us'"),
        ("1,US,,60,estimate,documented,x", "price = ''"),
        ("1,US,-9,60,estimate,documented,x", "price = '-9'"),
        ("1,US,9.,60,estimate,documented,x", "price = '9.'"),
        ("1,US,9.0001,60,estimate,documented,x", "price = '9.0001'"),
        ("1,US,1e3,60,estimate,documented,x", "price = '1e3'"),
        ("1,US,nan,60,estimate,documented,x", "price = 'nan'"),
        ("1,US,1000000.001,60,estimate,documented,x", "price = '1000000.001'"),
        ("1,US,9999999999,60,estimate,documented,x", "price"),
        ("1,US,9,0,estimate,documented,x", "unit_s = '0'"),
        ("1,US,9,3601,estimate,documented,x", "unit_s = '3601'"),
        ("1,US,9,6.5,estimate,documented,x", "unit_s = '6.5'"),
        ("1,US,9,60,,documented,x", "basis"),
        ("1,US,9,60,estimate,sure,x", "confidence = 'sure'"),
        ("1,US,9,60,estimate,guess,", "expected a source"),
        (REST, "code = '*': expected once for each basis"),
    ],
)
def test_a_wrong_row_is_named(row: str, words: str) -> None:
    text = problem(REST, row)
    assert text.startswith("t:3: ")
    assert words in text


def test_a_table_without_a_price_for_the_rest() -> None:
    assert "a row with the code *" in problem("1,US,9,60,estimate,documented,x")


def test_a_table_without_a_header() -> None:
    with pytest.raises(BundleError, match="t:1: expected the header"):
        RateTable.from_csv(REST, "t")


def test_every_problem_at_once_and_not_too_many() -> None:
    text = problem(REST, *(f"{code},US,x,60,estimate,guess,x" for code in range(1, 31)))
    assert len(text.splitlines()) == 21
    assert text.endswith("and 10 more")


def test_as_many_rates_as_are_taken() -> None:
    rows = [f"{code},,1,60,estimate,guess,x" for code in range(10_000, 19_999)]
    assert len(table(REST, *rows)) == MAX_ROWS - 1
    assert f"at most {MAX_ROWS}" in problem(REST, *rows, "7,,1,60,estimate,guess,x")


def test_the_largest_price_and_unit() -> None:
    rates = table(REST, f"1,US,1000000.000,{MAX_UNIT},estimate,guess,x")
    assert rates.find("1")[1:3] == (MAX_PRICE, MAX_UNIT)


@pytest.mark.parametrize("basis", sorted(set(BUILDER["BASES"].values())))
def test_every_destination_has_a_price(basis: str) -> None:
    text = (RULES / "rates.csv").read_text(encoding="utf-8")
    rates = RateTable.from_csv(text, "rates.csv", basis)
    known = Destinations.from_csv(
        (RULES / "destinations.csv").read_text(encoding="utf-8"), "destinations.csv"
    )
    assert len(known.codes()) > 600
    assert [code for code in known.codes() if not rates.find(code).price] == []


@pytest.mark.parametrize(
    ("number", "seconds", "basis", "yen"),
    [
        # By hand, from the price list that the shared documents keep.
        ("12125550123", 61, "estimate", 18),  # United States, 9 a minute: two
        ("16715550123", 61, "estimate", 80),  # Guam, 40: two; the longer code counts
        ("18765550123", 1, "estimate", 190),  # Jamaica
        ("639123456789", 600, "estimate", 350),  # the Philippines, 35: ten
        ("23276123456", 32, "estimate", 175),  # Sierra Leone: the victim's bill
        ("23512345678", 119, "estimate", 500),  # Chad, 250: two
        ("870773111111", 1, "estimate", 700),  # by satellite
        ("2990123456", 60, "estimate", 130),  # nobody's price: one minute
        ("12125550123", 31, "docomo-2017-day", 68),  # 68 by half minutes: two
        ("442079460123", 1, "docomo-2017-day", 108),  # 216: a half
        ("597412345", 1, "docomo-2019-day", 148),  # 296: a half
        ("23276123456", 32, "docomo-2019-day", 175),  # not on that list
    ],
)
def test_calls_by_hand(number: str, seconds: float, basis: str, yen: int) -> None:
    text = (RULES / "rates.csv").read_text(encoding="utf-8")
    rates = RateTable.from_csv(text, "rates.csv", basis)
    assert rates.find(number).cost(seconds) == yen * 1_000


def test_the_shipped_prices_are_those_of_the_shared_list() -> None:
    if not PRICES.exists():
        pytest.skip("the shared documents are not beside the repository")
    lines = PRICES.read_text(encoding="utf-8").splitlines()
    text = (RULES / "rates.csv").read_text(encoding="utf-8")
    rates = RateTable.from_csv(text, "rates.csv")
    compared = 0
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        if row["basis"] == "estimator_default" and row["code"] != "*":
            found = rates.find(row["code"] + "0000000")
            wanted = int(row["jpy_per_min"]) * 1_000, int(row["charging_unit_s"])
            assert (found.price, found.unit_s) == wanted, row["code"]
            compared += 1
    assert compared >= 100


def test_the_shipped_table_is_sound() -> None:
    texts = [
        (RULES / name).read_text(encoding="utf-8")
        for name in ("rates.csv", "destinations.csv")
    ]
    assert BUILDER["problems"](*texts) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("1876,JM,190,60,estimate,tier,kddi\n", "", "1876: JM costs what US does"),
        ("*,,130,", "*,,0,", "costs nothing"),
        (",guess,none", ",guess,nobody", "nobody: no such source"),
        (",guess,none", ",sure,none", "confidence = 'sure'"),
    ],
)
def test_the_checker_finds(before: str, after: str, words: str) -> None:
    rates = (RULES / "rates.csv").read_text(encoding="utf-8")
    assert before in rates
    known = (RULES / "destinations.csv").read_text(encoding="utf-8")
    found = BUILDER["problems"](rates.replace(before, after), known)
    assert any(words in line for line in found), found


def test_the_shipped_table_is_what_the_builder_makes() -> None:
    if not PRICES.exists():
        pytest.skip(f"no price table at {PRICES}")
    built = BUILDER["text"](
        BUILDER["read"](str(PRICES)), BUILDER["read"](str(RULES / "destinations.csv"))
    )
    assert built == Path(RULES / "rates.csv").read_text(encoding="utf-8")
