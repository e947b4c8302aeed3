"""The reader against tables of cases, and against text of any kind."""

import csv
import string
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numbercases import Case, cases, read
from ringfence.errors import ConfigError
from ringfence.facts.numbers import (
    Destinations,
    Dialplan,
    NumberPolicy,
    NumberReader,
)
from ringfence.facts.numbers.canonical import MAX_DIGITS, MAX_TEXT
from ringfence.facts.numbers.reader import MAX_URI
from ringfence.facts.numbers.reading import KINDS, Reading

HERE = Path(__file__).parent
SHARED_CASES = HERE.parents[3] / "shared/data/number_cases.csv"
JAPAN = cases(HERE / "cases_jp.txt")
WITH_00 = cases(HERE / "cases_jp_idd00.txt")
STATUSES = ("exempt", "allowed", "listed", "unlisted")

# Rows of the shared table whose decision is not ours to give, with the reason.
DEVIATIONS = {
    "E146": "`flag`: a name is read as one; what to do about names is a rule's business"
}


@pytest.mark.parametrize("case", JAPAN, ids=lambda case: ascii(case.dialled))
def test_what_is_dialled_in_japan(
    case: Case, reader: NumberReader, office: NumberPolicy
) -> None:
    reading = read(reader, case.dialled)
    found = (reading.kind, reading.number, reading.detail)
    assert found == (case.kind, case.number, case.detail)
    assert office.rule_on(reading).status == case.status


@pytest.mark.parametrize("case", WITH_00, ids=lambda case: ascii(case.dialled))
def test_what_is_dialled_where_00_leads_abroad(
    case: Case, plan: Dialplan, dests: Destinations, office: NumberPolicy
) -> None:
    reading = read(NumberReader(plan, dests, idd=("00",)), case.dialled)
    found = (reading.kind, reading.number, reading.detail)
    assert found == (case.kind, case.number, case.detail)
    assert office.rule_on(reading).status == case.status


def test_the_tables_are_long_enough() -> None:
    assert len(JAPAN) >= 300
    mine = {case.dialled for case in JAPAN}
    assert len(mine) == len(JAPAN), "a case stands there twice"
    collisions = [case for case in WITH_00 if case.dialled in mine]
    assert len(collisions) >= 10


def test_shared_cases(reader: NumberReader, office: NumberPolicy) -> None:
    if not SHARED_CASES.exists():
        pytest.skip("../shared/data/number_cases.csv is absent")
    differing = {}
    with SHARED_CASES.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        uri = row["where"] == "ruri"
        reading = (reader.read_uri if uri else reader.read_dialled)(row["input"])
        ruling = office.rule_on(reading)
        decision = "allow_unlisted" if reading.abroad else "allow"
        if ruling.status == "listed":
            decision = "block"
        got = (reading.detail, reading.number, decision)
        expected = (
            row["expected_class"],
            row["expected_number"],
            row["expected_decision"],
        )
        if got != expected:
            differing[row["id"]] = (row["input"], expected, got)
    assert rows
    assert set(differing) == set(DEVIATIONS), differing


def test_steps_are_the_path_through_the_number(reader: NumberReader) -> None:
    steps = {
        "0033-010-232-76123456": ("carrier 0033", "idd 010"),
        "9-184-0033-010-232-76123456": (
            "outside line 9",
            "caller id 184",
            "carrier 0033",
            "idd 010",
        ),
        "+81-010-377-99123456": ("+", "home 81", "idd 010"),
        "0100-232-76123456": ("idd 010", "extra zeros"),
        "9#010-232-76123456": ("code 9#", "idd 010"),
        "9011-232-76123456": ("outside line 9", "foreign idd 011"),
        "824810-232-76123456": ("junk 824", "idd 810"),
        "tel:76123456;phone-context=+232": ("context +232",),
        "sip:0312345678;rn=+23276123456@h": ("rn", "+"),
        "0-119": ("outside line 0",),
        "03-1234-5678": (),
    }
    assert {text: read(reader, text).steps for text in steps} == steps


def test_a_reading_that_was_outweighed_is_told(reader: NumberReader) -> None:
    reading = reader.read_dialled("0037-129-123-456")
    assert reading.kind == "domestic"
    assert [(a.country, a.number) for a in reading.alternatives] == [
        ("LV", "37129123456"[:11])
    ]


def test_a_trunk_that_takes_00_for_abroad(
    plan: Dialplan, dests: Destinations, office: NumberPolicy
) -> None:
    reader = NumberReader(plan, dests, idd=("00",))
    listed = {
        "00-371-29123456": "37129123456",  # elsewhere a toll-free number
        "0037-0-12345678": "37012345678",  # elsewhere carrier 0037 and a short number
        "00-53-52345678": "5352345678",
        "010-53-52345678": "5352345678",
        "00-28-123456789": "28123456789",  # elsewhere a guess at a code nobody has
    }
    for text, number in listed.items():
        reading = reader.read_dialled(text)
        assert (reading.number, office.rule_on(reading).status) == (number, "listed")
    honest = {
        "0-03-1234-5678": "0312345678",  # an outside line stays one
        "0120-123-456": "0120123456",
        "0-053-234-5678": "0532345678",
    }
    for text, number in honest.items():
        reading = reader.read_dialled(text)
        assert (reading.number, office.rule_on(reading).status) == (number, "unlisted")


def test_no_outside_line(
    plan: Dialplan, dests: Destinations, office: NumberPolicy
) -> None:
    reader = NumberReader(plan, dests, outside_line=())
    assert reader.read_dialled("0119").kind == "extension"
    assert office.rule_on(reader.read_dialled("0053-2345678")).status == "listed"
    assert reader.read_dialled("119").kind == "emergency"


def test_area_code_completes_a_local_number(
    plan: Dialplan, dests: Destinations
) -> None:
    reader = NumberReader(plan, dests, area_code="0532")
    reading = reader.read_dialled("34-5678")
    assert (reading.number, reading.detail) == ("0532345678", "domestic_local")
    assert reading.e164 == "81532345678"
    assert reader.read_dialled("3456-7890").detail == "private_number"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("outside_line", ("0", "x")),
        ("idd", ("",)),
        ("idd", ("123456",)),
        ("area_code", "\uff13"),
    ],
)
def test_settings_that_are_no_digits(
    setting: str, value: object, plan: Dialplan, dests: Destinations
) -> None:
    with pytest.raises(ConfigError) as caught:
        NumberReader(plan, dests, **{setting: value})  # type: ignore[arg-type]
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"numbers.{setting} = ")
    assert "expected 1 to 5 digits" in caught.value.problems[0]


def test_every_wrong_setting_is_told_at_once(
    plan: Dialplan, dests: Destinations
) -> None:
    with pytest.raises(ConfigError) as caught:
        NumberReader(plan, dests, ("a", "b"), ("c",), "d")
    assert len(caught.value.problems) == 4


def test_digits_are_bounded(reader: NumberReader, office: NumberPolicy) -> None:
    at_limit = reader.read_dialled("9" * MAX_DIGITS)
    over = reader.read_dialled("9" * (MAX_DIGITS + 1))
    assert at_limit.detail == "private_number"
    assert (over.kind, over.detail) == ("unassigned", "overlong")
    assert len(over.number) == MAX_DIGITS
    assert office.rule_on(over).status == "listed"
    # What stands in front is still read.
    long = reader.read_dialled("010-53-52345678" + "0" * 100)
    assert (long.country, long.detail) == ("CU", "international")


def test_text_is_bounded(reader: NumberReader, office: NumberPolicy) -> None:
    def hidden(size: int) -> str:
        return "0105352345678".rjust(size, "-")

    assert reader.read_dialled(hidden(MAX_TEXT)).country == "CU"
    over = reader.read_dialled(hidden(MAX_TEXT + 13))
    assert (over.kind, over.detail) == ("unassigned", "overlong")
    assert office.rule_on(over).status == "listed"
    at_limit = reader.read_uri("sip:bob@" + "h" * (MAX_URI - 8))
    assert at_limit.kind == "non-numeric"
    assert reader.read_uri("sip:bob@" + "h" * (MAX_URI - 7)).detail == "overlong"


@pytest.mark.parametrize("padding", ["-", "\u200b", ";x", ","])
def test_an_emergency_number_with_padding(reader: NumberReader, padding: str) -> None:
    """It is one as far as text is read; what is unread might lead elsewhere."""
    room = (MAX_TEXT - 3) // len(padding)
    assert reader.read_uri(f"sip:119{padding * room}@h").kind == "emergency"
    assert reader.read_uri(f"sip:119{padding * (room + 1)}@h").detail == "overlong"


DIALLED = st.text(alphabet="0123456789*#+;,=%@:-.pwx\uff10\u0663\u200b", max_size=90)
URI = st.builds(
    "{}:{}@{}{}".format,
    st.sampled_from(["sip", "SIPS", "tel", "urn", "h323", "urn:service", ""]),
    st.text(max_size=40) | DIALLED,
    st.sampled_from(["h", "[::1]", "192.0.2.1:5060", ""]),
    st.sampled_from(["", ";user=phone", ";phone-context=+81", "?x=%2"]),
)


@settings(max_examples=3000, deadline=None)
@given(text=st.text() | DIALLED | URI)
@example(text="\ud800")
@example(text="%")
@example(text="%%%%%")
@example(text="%F0%9F")
@example(text=";" * 40)
@example(text="sip:@")
@example(text="+")
@example(text="+#*")
def test_any_text_gives_a_reading(
    text: str, reader: NumberReader, office: NumberPolicy
) -> None:
    for reading in (reader.read_uri(text), reader.read_dialled(text)):
        assert reading.kind in KINDS
        assert reading.tier in (None, "block", "watch", "normal")
        assert (reading.tier is not None) == reading.abroad
        assert reading.detail
        assert len(reading.number) <= MAX_DIGITS + len("urn:")
        assert office.rule_on(reading).status in STATUSES


PIECES = [
    *(b"0", b"9", b"010", b"0033", b"184", b"+", b"*", b"#", b",", b"p", b"00", b"81"),
    *(b"119", b"110", b"sos", b"%", b"%25", b"%31", b"%EF%BC%91", b"\xef\xbc\x91"),
    *(b";", b"=", b"phone-context=", b"rn=", b"isub=", b"@", b":", b"?", b"\x00"),
    *(b"\xff", b"\xe2\x80\x8b", b"\xed\xa0\x80", b"232", b"53", b"a", b"-", b" "),
]


@given(seed=st.integers(0, 2**48))
@example(seed=0)
def test_any_bytes_give_a_class(
    seed: int, reader: NumberReader, office: NumberPolicy
) -> None:
    """200 user parts for each seed: a million with RINGFENCE_HYPOTHESIS=deep."""
    chance = Random(seed)  # noqa: S311 - to be repeated, not to be secret
    for _ in range(200):
        if chance.random() < 0.3:
            raw = chance.randbytes(chance.randrange(80))
        else:
            raw = b"".join(chance.choices(PIECES, k=chance.randrange(1, 24)))
        user = raw.decode("utf-8", "replace")
        reading = reader.read_uri(f"sip:{user}@h")
        assert reading.kind in KINDS
        assert office.rule_on(reading).status in STATUSES
        assert reader.read_dialled(user).kind in KINDS


@given(raw=st.binary(max_size=80))
def test_any_bytes_give_a_reading(raw: bytes, reader: NumberReader) -> None:
    uri = "sip:" + raw.decode("utf-8", "replace") + "@h"
    assert reader.read_uri(uri).kind in KINDS


@settings(max_examples=2000, deadline=None)
@given(
    before=st.text(alphabet=string.digits, max_size=12),
    emergency=st.sampled_from(["110", "118", "119"]),
    after=st.text(alphabet=string.digits, min_size=1, max_size=20),
)
def test_nothing_is_exempt_by_an_emergency_number_in_it(
    before: str, emergency: str, after: str, reader: NumberReader, office: NumberPolicy
) -> None:
    reading = reader.read_dialled(before + emergency + after)
    if office.rule_on(reading).status == "exempt":
        # Then it is another one, at the very end, behind nothing but prefixes.
        whole = before + emergency + after
        assert whole.endswith(reading.number)
        assert len(reading.number) <= 4
        prefixes = whole.removesuffix(reading.number)
        for prefix in ("0000", "184", "186", "122", "9", "0"):
            prefixes = prefixes.replace(prefix, "")
        assert prefixes == ""


def test_cost_does_not_grow_with_the_text(reader: NumberReader) -> None:
    """Count the work, not the time: the walk visits a bounded number of places."""
    places = []
    for text in ("0" * 64, "184" * 21, "0033010" * 9, "9" + "0000" * 15, "12" * 32):
        _, visited = reader._walker.walk(text)
        places.append(len(visited))
    assert max(places) <= 2 * MAX_DIGITS


MAX_CALLS = 6 * MAX_TEXT
"""Function calls that no reading may cost. Most of them are spent on text, six for a
character at worst; digits are at most `MAX_DIGITS` and cost less than 2,000."""


def calls(read: Callable[[str], Reading], text: str) -> int:
    """Count the functions that a reading calls, those in C too."""
    count = 0

    def one(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(one)
    try:
        read(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "unit",
    [
        *("0", "1", "9", "0000", "010", "184", "122", "900", "9011", "810", "0033010"),
        *("01081", "0081010", "119", "0119", "+", "+81", "1+", "1*", "0#", "1,", "a1"),
        *("010a", "%31", "%2531", "%", "\uff11", "\u200b1", "1;", ";rn=+1"),
        "0;phone-context=+1;",
    ],
)
def test_ten_thousand_digits_cost_no_more_than_a_bound(
    unit: str, reader: NumberReader
) -> None:
    at_limit = (unit * MAX_TEXT)[:MAX_TEXT]
    long = (unit * 10_000)[:10_000]
    for way in (reader.read_dialled, reader.read_uri):
        way(at_limit)  # what is made once does not count
        most = calls(way, at_limit)
        assert most <= MAX_CALLS
        assert calls(way, long) <= most + 50
        assert calls(way, "abc" + long) <= MAX_CALLS
    if unit.isascii() and unit.isdecimal():
        digits = calls(reader.read_dialled, (unit * MAX_DIGITS)[:MAX_DIGITS])
        assert calls(reader.read_dialled, long) <= digits + 50
