"""Prices, limits and hours from the configuration."""

import time
from pathlib import Path

import pytest
from builders import RULES
from ringfence.bundle.source import Folder
from ringfence.config import parse_config
from ringfence.config.terms import MOST_BYTES, local, read_terms
from ringfence.errors import ConfigError

HEAD = "code,iso2,price,unit_s,basis,confidence,source\n"
OWN = (
    HEAD
    + "*,,0.20,60,estimate,documented,contract\n1,US,0.019,6,estimate,documented,c\n"
)


def terms(toml: str):  # type: ignore[no-untyped-def]
    return read_terms(parse_config(toml, "test"), Folder(RULES))


def problems(toml: str) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        terms(toml)
    return wrong.value.problems


def test_the_defaults_are_those_of_an_office_in_japan() -> None:
    found = terms("")
    assert found.limits == (5_000_000, 30_000_000, 300, 10_000_000)
    assert found.currency == "JPY"
    assert found.rates.find("23240123456").cost(32.0) == 175_000, "the victim's bill"
    assert found.hours is None


def test_no_limits() -> None:
    found = terms("[budget]\nday = 0\nmonth = 0\ntimes_last_month = 0")
    assert found.limits == (None, None, None, 0)


def test_own_prices_in_another_currency(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(OWN, "utf-8")
    found = terms(f'[budget]\ncurrency = "EUR"\nrates = "{path}"')
    assert found.currency == "EUR"
    assert found.rates.find("12125550123").cost(61.0) == 21
    assert found.rates.find("4930").cost(61.0) == 400


def test_yen_are_no_euros() -> None:
    assert problems('[budget]\ncurrency = "EUR"') == [
        'budget.currency = "EUR": expected "JPY", or budget.rates with a table of '
        "prices in it"
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff", "byte 0 is not UTF-8: expected text"),
        (b"x" * (MOST_BYTES + 1), f"expected at most {MOST_BYTES} bytes"),
    ],
)
def test_prices_that_cannot_be_had(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "rates.csv"
    if content is not None:
        path.write_bytes(content)
    assert problems(f'[budget]\nrates = "{path}"') == [
        f'budget.rates = "{path}": {problem}'
    ]


def test_every_wrong_price_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(OWN + "2,EG,dear,60,estimate,guess,x\n3,FR,1,0,estimate,guess,x\n")
    first, second = problems(f'[budget]\nrates = "{path}"')
    assert first.startswith(f"budget.rates: {path}:4: price = 'dear': expected")
    assert second.startswith(f"budget.rates: {path}:5: unit_s = '0': expected")


def test_days_begin_where_the_router_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert local(1_795_014_000.0) == (2026, 11, 19, 3, 0)
        zone.setenv("TZ", "UTC")
        time.tzset()
        assert local(1_795_014_000.0) == (2026, 11, 18, 2, 900)
    time.tzset()
