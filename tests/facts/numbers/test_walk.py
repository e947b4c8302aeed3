"""Honest calls pass and listed ones do not, over all ways of dialling them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ringfence.errors import BundleError
from ringfence.facts.numbers import (
    Destinations,
    Dialplan,
    NumberPolicy,
    NumberReader,
)

SEED = 20150516

DIGITS = "0123456789"


def tail(size: int) -> st.SearchStrategy[str]:
    return st.text(alphabet=DIGITS, min_size=size, max_size=size)


def words(text: str) -> list[str]:
    return text.split()


def some(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


# Valid numbers by range, written down here from the ministry's page and not taken from
# the plan under test.
NATIONAL = st.one_of(
    st.builds("0{}{}".format, some(*"23456789"), tail(8)),
    st.builds("01{}{}".format, some(*"123456789"), tail(7)),
    st.builds("0{}0{}{}".format, some(*"6789"), some(*"123456789"), tail(7)),
    st.builds("050{}{}".format, some(*"123456789"), tail(7)),
    st.builds("020{}".format, tail(8)),
    st.builds("{}{}".format, some("0120", "0570", "0990", "0170", "0180"), tail(6)),
    st.builds("{}{}".format, some("0800", "0600"), tail(7)),
)
SERVICE = st.one_of(
    st.builds("{}{}".format, some("0037", "0066", "0078"), tail(6)),
    st.builds("{}{}".format, some("0037", "0066", "0078"), tail(13)),
    st.builds("0077{}{}".format, some("70", "71"), tail(2)),
    st.builds("007775{}".format, tail(3)),
    st.builds("007778{}".format, tail(4)),
    st.builds("0088{}{}".format, some("21", "22", "24", "25"), tail(4)),
    st.builds("0088{}".format, tail(2)),
).filter(lambda number: number[4:7] != "010")  # that is the carrier, and abroad
LOCAL = st.builds(
    "{}{}".format, some(*"23456789"), st.text(DIGITS, min_size=4, max_size=7)
)
CARRIERS = words("""
    001 0030 0031 0032 0033 0034 0035 003544 0036 0037 003768 0038 0039 0041 0042
    0043 0044 0045 0046 0053 005345 0056 0061 0063 0066 0070 0071 0077 0078 0080
    0081 0088 0088292 009130
""")
OUTSIDE = some("", "0", "9")
CALLER_ID = some("", "184", "186")
ADAPTER = some("", "0000", "122")
CARRIER = st.sampled_from(["", "", *CARRIERS])
WRITTEN = some("plain", "hyphens", "spaces", "full-width", "percent", "user=phone")


def write(text: str, how: str) -> str:
    if how == "hyphens":
        return "-".join((text[:3], text[3:6], text[6:]))
    if how == "spaces":
        return " ".join(text)
    if how == "full-width":
        return "".join(chr(ord(c) + 0xFEE0) for c in text)
    if how == "percent":
        return "".join(f"%{ord(c):02x}" for c in text)
    return f"sip:{text}@h;user=phone" if how == "user=phone" else text


def status(text: str, reader: NumberReader, policy: NumberPolicy) -> str:
    read = reader.read_uri if text.startswith("sip:") else reader.read_dialled
    return policy.rule_on(read(text)).status


@settings(max_examples=4000, deadline=None)
@given(
    number=NATIONAL,
    outside=OUTSIDE,
    first=CALLER_ID,
    second=ADAPTER,
    carrier=CARRIER,
    swap=st.booleans(),
    how=WRITTEN,
)
def test_an_honest_national_call_is_never_listed(
    number: str,
    outside: str,
    first: str,
    second: str,
    carrier: str,
    swap: bool,
    how: str,
    reader: NumberReader,
    office: NumberPolicy,
) -> None:
    prefixes = second + first if swap else first + second
    text = outside + prefixes + carrier + number
    assert status(write(text, how), reader, office) == "unlisted"


@settings(max_examples=3000, deadline=None)
@given(
    number=NATIONAL,
    form=some(
        "+81{}", "81{}", "01081{}", "001010-81-{}", "+810{}", "0081{}", "01181{}"
    ),
    how=WRITTEN,
)
def test_an_honest_call_dialled_as_from_abroad_is_never_listed(
    number: str, form: str, how: str, reader: NumberReader, office: NumberPolicy
) -> None:
    text = form.format(number[1:])
    reading = reader.read_dialled(text)
    assert reading.number == number or form == "0081{}", reading
    assert status(write(text, how), reader, office) == "unlisted"


@settings(max_examples=2000, deadline=None)
@given(
    number=SERVICE | LOCAL,
    outside=OUTSIDE,
    caller_id=CALLER_ID,
)
def test_service_and_local_numbers_are_never_listed(
    number: str,
    outside: str,
    caller_id: str,
    reader: NumberReader,
    office: NumberPolicy,
) -> None:
    assert status(outside + caller_id + number, reader, office) == "unlisted"


def test_no_short_extension_is_listed(
    reader: NumberReader, office: NumberPolicy
) -> None:
    for size in (1, 2, 3, 4):
        for number in range(10**size):
            text = f"{number:0{size}}"
            assert status(text, reader, office) in ("unlisted", "exempt"), text


@settings(max_examples=1000, deadline=None)
@given(number=NATIONAL, how=some("81", "+81"))
def test_a_context_at_home_is_never_listed(
    number: str, how: str, reader: NumberReader, office: NumberPolicy
) -> None:
    for local in (number, number[1:]):
        reading = reader.read_uri(f"tel:{local};phone-context={how}")
        assert reading.number == number
        assert office.rule_on(reading).status == "unlisted"


# Listed numbers of a length that exists, one or two for every code of the carriers'
# list and of the satellite, premium and shared codes.
LISTED = words("""
    5352345678 5371234567 2693212345 212650123456 212520123456 355672123456
    35542345678 2203012345 37061234567 37131234567 224601123456 22222123456
    37251234567 22890112345 37362112345 231770123456 375294911911 23225123456
    37799123456 377612345678 237671234567 381601234567 2399812345 38267622901
    242061234567 38761123456 245955012345 4237892345 252711234567 67077212345
    25779561234 6777421234 263712345678 263242700123 870773111111 881612345678
    882161234567 88216123456789 883510012345 979123456789 878101234567890
    888123456789 19002345678
""")

FORMS = {
    "E.164": "+{}",
    "own prefix": "010{}",
    "zeros behind it": "0100{}",
    "plus and prefix": "+010{}",
    "plus and 00": "+00{}",
    "home code and prefix": "+81010{}",
    "home code, no plus": "81010{}",
    "carrier 0081": "0081010{}",
    "outside line 0": "0010{}",
    "outside line 9": "9010{}",
    "caller id": "184010{}",
    "override": "1220033010{}",
    "adapter": "0000010{}",
    "adapter, carrier": "00000033010{}",
    "adapter, caller id": "0000184010{}",
    "outside, caller id": "0184010{}",
    "outside, carrier": "90033010{}",
    "router prefix": "9#010{}",
    "hash hash": "##010{}",
    "star code": "*67#010{}",
    "star code, no hash": "*67010{}",
    "foreign 00": "00{}",
    "foreign 011": "011{}",
    "foreign 0011": "0011{}",
    "foreign 810": "810{}",
    "zeros": "000{}",
    "outside, 00": "900{}",
    "outside, 011": "9011{}",
    "no plus": "{}",
    "junk, 810": "824810{}",
    "junk 110": "110010{}",
    "junk 171": "171010{}",
    "home with a tail": "0312345678010{}",
    "pause": "010{}p1",
    "send key": "010{}#",
    "digits behind": "010{}999",
    "rn": "sip:0312345678;rn=+{}@h",
    "context": "sip:{};phone-context=+@h",
    **{f"carrier {code}": code + "010{}" for code in CARRIERS},
}

# 0037… is a toll-free number here and 00 37x abroad: these are let pass in these forms,
# unless the trunk's `idd` says that it takes 00 for abroad.
TOLL_FREE = {
    number
    for number in LISTED
    if number.startswith(("370", "371", "372", "373", "375", "377"))
}
MISSED_IN = ("foreign 00", "zeros", "outside, 00")


@pytest.mark.parametrize("name", [name for name in FORMS if name != "context"])
def test_a_listed_number_is_listed_in_every_form(
    name: str, reader: NumberReader, office: NumberPolicy
) -> None:
    missed = set()
    for number in LISTED:
        text = FORMS[name].format(number)
        ways = ["plain"] if text.startswith("sip:") else ["plain", "spaces", "percent"]
        for how in ways:
            if status(write(text, how), reader, office) != "listed":
                missed.add(number)
    assert missed == (TOLL_FREE if name in MISSED_IN else set())


def test_misses_are_none_where_the_trunk_takes_00(
    plan: Dialplan, dests: Destinations, office: NumberPolicy
) -> None:
    reader = NumberReader(plan, dests, idd=("00",))
    for number in TOLL_FREE:
        assert status("00" + number, reader, office) == "listed"
        assert status("900" + number, reader, office) == "listed"


def test_a_listed_number_is_listed_in_context(
    reader: NumberReader, office: NumberPolicy, dests: Destinations
) -> None:
    for number in LISTED:
        row = dests.find(number)
        assert row
        code = row.code
        text = f"sip:{number[len(code) :]};phone-context=+{code}@h"
        assert status(text, reader, office) == "listed", text


def test_random_separators_hide_nothing(
    reader: NumberReader, office: NumberPolicy
) -> None:
    chosen = random.Random(SEED)  # noqa: S311 - cases, not secrets
    marks = [*"-. ()/_~[]'!&=$\t", "\u200b", "\u2011", "\u3000", "\uff0d", "\u0301", ""]
    for _ in range(2000):
        number = "010" + chosen.choice(LISTED)
        text = "".join(digit + chosen.choice(marks) for digit in number)
        assert status(text, reader, office) == "listed", ascii(text)


# Numbers that exist in countries nobody lists, to see that calls abroad still work.
NORMAL = words("""
    12015550123 442079460123 4930123456 33123456789 61212345678 6561234567
    821012345678 8613123456789 886912345678 85251234567 66812345678 84912345678
    919876543210 97611123456 390612345678 34810123456 4684501234 31101234567
    5511961234567 27711234567 18765551234 97231234567
""")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in FORMS
        if name not in ("context", "junk 110", "junk 171", "home with a tail")
    ],
)
def test_a_call_to_an_unlisted_country_is_never_listed(
    name: str, reader: NumberReader, office: NumberPolicy
) -> None:
    for number in NORMAL:
        text = FORMS[name].format(number)
        assert status(text, reader, office) == "unlisted", text


def test_a_number_abroad_beats_what_its_digits_spell(
    reader: NumberReader, office: NumberPolicy
) -> None:
    for text in ("010-82-10-1023-2761-2345", "+44-10-010-232-761234"):
        reading = reader.read_dialled(text)
        assert reading.detail == "international"
        assert office.rule_on(reading).status == "unlisted"


NANP: dict[str, object] = {
    "country": "US",
    "code": "1",
    "trunk": "1",
    "idd": ["011"],
    "foreign_idd": ["00"],
    "numbers": [{"detail": "domestic", "forms": ["1NXXNXXXXXX", "NXXNXXXXXX"]}],
    "local": [{"detail": "domestic_local", "forms": ["NXXXXXX"]}],
    "prefixes": [{"name": "caller id", "codes": ["67"]}],
    "carriers": {"unlisted": ["101XXXX"]},
}


def test_a_plan_for_a_country_that_shares_its_code(
    dests: Destinations, office: NumberPolicy
) -> None:
    plan = Dialplan.from_table(NANP, "us.toml")
    reader = NumberReader(plan, dests, outside_line=("9",))
    cases = {
        "911": ("emergency", "911", "US"),
        "9-911": ("emergency", "911", "US"),
        "+1-212-555-0123": ("domestic", "12125550123", "US"),
        "1-212-555-0123": ("domestic", "12125550123", "US"),
        "9-1-212-555-0123": ("domestic", "12125550123", "US"),
        "212-555-0123": ("domestic", "2125550123", "US"),
        "555-0123": ("domestic", "5550123", "US"),
        "1-876-555-1234": ("international", "18765551234", "JM"),
        "876-555-1234": ("international", "18765551234", "JM"),
        "+1-876-555-1234": ("international", "18765551234", "JM"),
        "1-416-555-1234": ("international", "14165551234", "CA"),
        "011-81-3-1234-5678": ("international", "81312345678", "JP"),
        "011-232-76-123456": ("international", "23276123456", "SL"),
        "1010333-011-232-76-123456": ("international", "23276123456", "SL"),
        "00-232-76-123456": ("international", "23276123456", "SL"),
    }
    for text, expected in cases.items():
        reading = reader.read_dialled(text)
        assert (reading.kind, reading.number, reading.country) == expected, text
    for text in ("011-232-76-123456", "9-011-232-76-123456"):
        assert office.rule_on(reader.read_dialled(text)).status == "listed"


def test_the_plan_above_is_refused_where_911_would_be_a_prefix() -> None:
    with pytest.raises(BundleError, match="emergency number 911"):
        Dialplan.from_table({**NANP, "idd": ["91"]}, "us.toml")
