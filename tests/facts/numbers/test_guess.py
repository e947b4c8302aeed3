"""Guesses at digits that the home network does not understand."""

import pytest
from ringfence.facts.numbers import Destinations, Dialplan
from ringfence.facts.numbers.guess import MIN_GUESS, Guesser
from ringfence.facts.numbers.home import HomeNumbers

SMALL: dict[str, object] = {
    "country": "JP",
    "code": "81",
    "trunk": "0",
    "idd": ["010"],
    "foreign_idd": ["0011", "011", "101XXXX011"],
    "junk_idd": ["810"],
    "numbers": [{"detail": "domestic_fixed", "forms": ["0[2-9]XXXXXXXX"]}],
}


def guesses(
    dests: Destinations, digits: str, steps: tuple[str, ...] = ()
) -> list[tuple[str | None, tuple[str, ...]]]:
    plan = Dialplan.from_table(SMALL, "jp.toml")
    guesser = Guesser(plan, HomeNumbers(plan, dests), dests, plan.idd)
    found = guesser.guesses([(digits, steps)], digits)
    return [(guess.country, guess.steps) for guess in found]


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("0115352345678", [("CU", ("foreign idd 011",))]),
        ("005352345678", [("CU", ("foreign idd 00",))]),  # in every plan
        ("0005352345678", [("CU", ("foreign idd 000",))]),
        ("5352345678", [("CU", ())]),
        ("8135352345678", []),
        ("81312345678", [("JP", ("home 81",))]),
        ("770105352345678", [("CU", ("junk 77", "idd 010"))]),
        ("778105352345678", [("CU", ("junk 77", "idd 810"))]),
        ("2105352345", []),  # 210 is nobody's code
    ],
)
def test_what_is_guessed(
    digits: str, expected: list[object], dests: Destinations
) -> None:
    found = guesses(dests, digits)
    assert [guess for guess in expected if guess not in found] == []
    assert bool(found) is bool(expected)


def test_short_tails_are_chance(dests: Destinations) -> None:
    number = "5352345678"[:MIN_GUESS]
    assert guesses(dests, "011" + number)
    assert not guesses(dests, "011" + number[:-1])


def test_behind_an_outside_line_digits_are_local(dests: Destinations) -> None:
    assert guesses(dests, "5352345678", ("caller id 184",))
    assert not guesses(dests, "5352345678", ("outside line 9",))


def test_a_carrier_of_america_is_no_junk(dests: Destinations) -> None:
    found = guesses(dests, "1010222011972598072172")
    assert found == [("IL", ("foreign idd 1010222011",))]
    # Behind it there may be some.
    found = guesses(dests, "1010222011" + "44" + "0105352345678")
    assert ("CU", ("junk 101022201144", "idd 010")) in found
    # And where no number follows, it was no carrier's code.
    countries = [country for country, _ in guesses(dests, "101022201128123456")]
    assert countries == ["MR"]
