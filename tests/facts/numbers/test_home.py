"""Whose a number under the home country's code is."""

import pytest
from ringfence.facts.numbers import Destination, Destinations, Dialplan
from ringfence.facts.numbers.dialplan import Number
from ringfence.facts.numbers.home import HomeNumbers, abroad_reading

CANADA: dict[str, object] = {
    "country": "CA",
    "code": "1",
    "trunk": "1",
    "idd": ["011"],
    "numbers": [
        {"detail": "fixed", "forms": ["1NXXNXXXXXX"]},
        {"detail": "personal", "forms": ["1521NXXXXXX"], "shared": True},
    ],
}
AUSTRALIA: dict[str, object] = {
    "country": "AU",
    "code": "61",
    "trunk": "0",
    "idd": ["0011"],
    "numbers": [
        {"detail": "fixed", "forms": ["02XXXXXXXX"]},
        {"detail": "uan", "forms": ["1300XXXXXX"]},
    ],
}


def home(table: dict[str, object], dests: Destinations) -> HomeNumbers:
    return HomeNumbers(Dialplan.from_table(table, "x.toml"), dests)


@pytest.mark.parametrize(
    ("e164", "elsewhere"),
    [
        ("14165550123", False),
        ("12125550123", True),
        ("18765551234", True),
        ("15215550123", False),  # the list calls it American, and everybody has it
        ("15215", True),  # no number of that form
    ],
)
def test_numbers_of_countries_that_share_a_code(
    e164: str, elsewhere: bool, dests: Destinations
) -> None:
    numbers = home(CANADA, dests)
    assert numbers.elsewhere(dests.find(e164), e164) is elsewhere


def test_what_is_no_countrys_own_is_ours() -> None:
    def row(code: str, country: str | None, kind: str) -> Destination:
        tier = "normal" if kind == "country" else "block"
        return Destination(code, country, kind, tier, "n", "n")

    rows = [row("1", "US", "country"), row("1416", "CA", "country")]
    rows += [row("1900", None, "premium"), row("11", None, "unassigned")]
    listed = Destinations({one.code: one for one in rows})
    numbers = home(CANADA, listed)
    for e164, elsewhere in {
        "19005550123": False,
        "12125550123": True,
        "11235550123": True,
    }.items():
        assert numbers.elsewhere(listed.find(e164), e164) is elsewhere


def test_territories_are_home(dests: Destinations) -> None:
    numbers = home({**CANADA, "territories": ["JM"]}, dests)
    assert not numbers.elsewhere(dests.find("18765551234"), "18765551234")
    assert numbers.elsewhere(dests.find("12125550123"), "12125550123")


def test_some_numbers_have_no_trunk_prefix_to_lose(dests: Destinations) -> None:
    numbers = home(AUSTRALIA, dests)
    assert numbers.behind_code("298765432")[0] == "0298765432"
    national, number = numbers.behind_code("1300123456")
    assert (national, number and number.detail) == ("1300123456", "uan")
    assert numbers.behind_code("99") == ("099", None)


def test_a_reading_at_home(dests: Destinations) -> None:
    found = home(AUSTRALIA, dests).reading("0298765432", Number("fixed"), ("a",))
    assert (found.kind, found.e164, found.country) == ("domestic", "61298765432", "AU")
    unknown = home(AUSTRALIA, dests).reading("0998", Number("domestic_unknown"), ())
    assert unknown.e164 == ""
    abroad = home(CANADA, dests).reading("18765551234", Number("fixed"), ())
    assert (abroad.kind, abroad.country) == ("international", "JM")


def test_a_reading_abroad(dests: Destinations) -> None:
    found = abroad_reading("5352345678", dests.find("53"), (), "international")
    assert (found.kind, found.tier, found.country) == ("international", "block", "CU")
    spare = abroad_reading("28123456", None, (), "international")
    assert (spare.kind, spare.tier, spare.country) == ("unassigned", "block", None)
