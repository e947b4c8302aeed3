"""Figures, moments and places in both languages."""

import pytest
from builders import RULES
from ringfence.bundle.embedded import load_destinations
from ringfence.config.terms import local
from ringfence.reporting.forms import Forms, amount, country_names
from ringfence.reporting.tally import OTHERS

LIST = load_destinations(RULES)
EN, JA = (Forms(lang, country_names(LIST, lang), local) for lang in ("en", "ja"))


@pytest.mark.parametrize(
    ("milli", "currency", "written"),
    [
        (12_500, "JPY", "13"),
        (12_499, "JPY", "12"),
        (2_450_000_000, "JPY", "2,450,000"),
        (12_345, "USD", "12.35"),
        (12_344, "USD", "12.34"),
        (1_234_567_890, "EUR", "1,234,567.89"),
        (0, "USD", "0.00"),
    ],
)
def test_amounts_are_rounded_to_what_can_be_paid(
    milli: int, currency: str, written: str
) -> None:
    assert amount(milli, currency) == written


def test_money() -> None:
    assert (EN.money(175_000, "JPY"), JA.money(175_000, "JPY")) == ("JPY 175", "175円")
    assert (EN.money(5_000, "USD"), JA.money(5_000, "USD")) == ("USD 5.00", "5.00 USD")
    assert EN.money(0, "") == "-"
    assert EN.sums({"USD": 5_000}, "JPY") == "JPY 0"


def test_days() -> None:
    assert (EN.day(20261122), JA.day(20261122)) == ("2026-11-22 Sun", "2026-11-22(日)")
    assert (EN.day(202611), EN.short_day(202611)) == ("2026-11", "26/11")
    assert EN.short_day(20261103) == "11/3"


def test_moments_and_durations() -> None:
    assert EN.moment(1_793_458_800.0) == "2026-11-01 00:00"
    assert [EN.clock(seconds) for seconds in (0, 59, 3_661, 3_600_000)] == [
        *("0:00:00", "0:00:59", "1:01:01", "1,000:00:00")
    ]


def test_countries() -> None:
    assert (EN.country("SL"), JA.country("SL")) == (
        "Sierra Leone (SL)",
        "シエラレオネ (SL)",
    )
    assert EN.country("US") == "United States (US)"
    assert EN.country("ZZ") == "ZZ"
    assert (EN.country(""), JA.country("")) == ("no country known", "国不明")


def test_names_of_rows() -> None:
    assert [EN.name(key) for key in ("201", "", OTHERS)] == [
        *("201", "no name", "all others")
    ]


@pytest.mark.parametrize(
    ("what", "subject", "en", "ja"),
    [
        ("country", "SL", "calls to Sierra Leone (SL)", "シエラレオネ (SL)への発信"),
        ("country", "?", "calls to ?", "?への発信"),
        ("international", "", "all calls abroad", "国際電話すべて"),
        ("binding", "205", "sign-in 205", "登録 205"),
        ("new", "", "countries never called before", "これまで発信のなかった国すべて"),
        ("later", "x", "later x", "later x"),
    ],
)
def test_what_was_closed(what: str, subject: str, en: str, ja: str) -> None:
    assert (EN.closed(what, subject), JA.closed(what, subject)) == (en, ja)
