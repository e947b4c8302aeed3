"""Country and validity of numbers against libphonenumber; differences have a reason."""

import pytest
from ringfence.facts.numbers import Destinations, NumberReader

phonenumbers = pytest.importorskip(
    "phonenumbers", reason="compares with the package phonenumbers"
)

# Number: (libphonenumber's region, ours, why ours). All others are the same.
DIFFERENCES = {
    "590590271234": (
        "BL",
        "GP",
        "Guadeloupe, Saint-Barthélemy and Saint-Martin share ranges; nothing in the"
        " digits tells the first two apart, and no list treats them differently",
    ),
    "13101234": (
        "CA",
        "US",
        "seven digits (310-XXXX) that cannot be called from abroad",
    ),
    "212528812345": ("MA", "EH", "5288 and 5289 are the network of Western Sahara"),
    "672106609": ("NF", "AQ", "672 1 is Australia's Antarctic stations"),
}
DIALLED = ("010{}", "+{}", "0033-010-{}", "sip:+{}@h;user=phone", "0081-010-{}")
"""Ways of dialling by which nothing at home can be meant."""

HOME_TYPES = {
    "FIXED_LINE": "domestic_fixed",
    "MOBILE": "domestic_mobile",
    "FIXED_LINE_OR_MOBILE": "domestic_fixed",
    "TOLL_FREE": "domestic_tollfree",
    "PREMIUM_RATE": "domestic_premium",
    "VOIP": "domestic_voip",
    "PERSONAL_NUMBER": "domestic_fixed",  # 060 until July 2026, ten digits
    "PAGER": "domestic_m2m",
    "UAN": "domestic_navi",
}


def examples() -> dict[str, str]:
    """E.164 digits and region of every example number of every region and type."""
    found = [
        phonenumbers.example_number_for_type(region, kind)
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in phonenumbers.PhoneNumberType.values()
    ]
    found += map(
        phonenumbers.example_number_for_non_geo_entity,
        phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS,
    )
    e164 = phonenumbers.PhoneNumberFormat.E164
    return {
        phonenumbers.format_number(number, e164)[1:]: (
            phonenumbers.region_code_for_number(number)
        )
        for number in found
        if number is not None
    }


EXAMPLES = examples()


def read(reader: NumberReader, text: str) -> tuple[str, str | None, str]:
    uri = text.startswith("sip:")
    reading = reader.read_uri(text) if uri else reader.read_dialled(text)
    return reading.kind, reading.country, reading.e164


def test_there_are_enough_examples() -> None:
    assert len(EXAMPLES) > 1000
    assert len(set(EXAMPLES.values())) > 240


@pytest.mark.parametrize("form", DIALLED)
def test_countries_of_all_examples(form: str, reader: NumberReader) -> None:
    differing = {}
    for number, region in EXAMPLES.items():
        kind = "domestic" if region == "JP" else "international"
        country = None if region == "001" else region
        got = read(reader, form.format(number))
        if got != (kind, country, number):
            differing[number] = (region, got[1])
            assert got[0] == kind, number
            assert got[2] == number
    assert differing == {
        number: (theirs, ours) for number, (theirs, ours, _) in DIFFERENCES.items()
    }


def test_behind_an_outside_line_kddi_comes_first(reader: NumberReader) -> None:
    """0-010-355… is 001 (KDDI) and Tokyo's 0355… where that is a whole number."""
    for number, region in EXAMPLES.items():
        kind, _, e164 = read(reader, f"0010{number}")
        if e164 == number:
            continue
        assert (kind, e164) == ("domestic", "81" + number), (number, region)
        home = phonenumbers.PhoneNumber(country_code=81, national_number=int(number))
        assert phonenumbers.is_possible_number(home), number


def test_types_of_home_numbers(reader: NumberReader) -> None:
    for name, detail in HOME_TYPES.items():
        kind = getattr(phonenumbers.PhoneNumberType, name)
        number = phonenumbers.example_number_for_type("JP", kind)
        national = phonenumbers.national_significant_number(number)
        for text in ("0" + national, "+81" + national, "010-81-" + national):
            assert reader.read_dialled(text).detail == detail, text


def test_what_is_valid_in_japan_is_domestic_here(reader: NumberReader) -> None:
    """Each start of four digits, filled up to nine, ten and thirteen.

    The other way round there are differences, and they are meant: a range that is not
    in the metadata yet may be in use, and to take it for domestic stops no call.
    """
    for start in range(1_000, 10_000):
        for size in (9, 10, 13):
            national = str(start).ljust(size, "3")
            number = phonenumbers.PhoneNumber(country_code=81)
            number.national_number = int(national)
            valid = phonenumbers.is_valid_number_for_region(number, "JP")
            reading = reader.read_dialled("0" + national)
            ours = reading.kind == "domestic" and reading.detail != "domestic_unknown"
            assert ours or not valid, national


def test_codes_and_regions(dests: Destinations) -> None:
    """Every country code that the metadata has is a country's here, the main region's."""
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        row = dests.find(f"{code}")
        assert row
        assert row.kind != "unassigned"
        assert row.country == (None if regions[0] == "001" else regions[0])
