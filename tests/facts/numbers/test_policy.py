"""The order of precedence, the profiles, and what nobody can configure away."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ringfence.errors import ConfigError
from ringfence.facts.numbers import NumberPolicy, NumberReader, Reading, Ruling
from ringfence.facts.numbers.policy import MAX_PREFIX

HERE = {
    "emergency": "119",
    "special": "104",
    "premium": "0990123456",
    "domestic": "0312345678",
    "extension": "201",
    "name": "alice",
    "listed": "01023276123456",
    "unassigned": "010281234567",
    "watched": "0109603123456",
    "normal": "010442079460123",
}


def rulings(reader: NumberReader, policy: NumberPolicy) -> dict[str, tuple[str, str]]:
    out = {}
    for name, text in HERE.items():
        ruling = policy.rule_on(reader.read_dialled(text))
        out[name] = (ruling.status, ruling.source)
    return out


AT_HOME = {
    "emergency": ("exempt", "builtin"),
    "special": ("exempt", "builtin"),
    "premium": ("unlisted", "default"),
    "domestic": ("unlisted", "default"),
    "extension": ("unlisted", "default"),
    "name": ("unlisted", "default"),
}


def test_office(reader: NumberReader) -> None:
    assert rulings(reader, NumberPolicy()) == {
        **AT_HOME,
        "listed": ("listed", "bundle"),
        "unassigned": ("listed", "bundle"),
        "watched": ("unlisted", "bundle"),
        "normal": ("unlisted", "default"),
    }


def test_home(reader: NumberReader) -> None:
    assert rulings(reader, NumberPolicy("home", allow=("44",))) == {
        **AT_HOME,
        "listed": ("listed", "block"),
        "unassigned": ("listed", "block"),
        "watched": ("listed", "block"),
        "normal": ("allowed", "allow"),
    }


def test_watch_rules_like_office_and_only_logs(reader: NumberReader) -> None:
    watch = NumberPolicy("watch", block=("44",))
    office = NumberPolicy("office", block=("44",))
    assert rulings(reader, watch) == rulings(reader, office)
    assert (watch.only_logs, office.only_logs) == (True, False)


@pytest.mark.parametrize(
    ("allow", "block", "expected"),
    [
        ("", "", ("listed", "bundle")),
        ("232", "", ("allowed", "allow")),
        ("", "232", ("listed", "block")),
        ("232", "232", ("allowed", "allow")),  # a tie is the allow list's
        ("23276", "232", ("allowed", "allow")),  # one city of a blocked country
        ("2", "232", ("listed", "block")),  # one country of an allowed zone
        ("232", "23276", ("listed", "block")),
        ("232 2327612", "23276", ("allowed", "allow")),  # in turns, to any depth
        ("232 23276", "2327 2327612", ("listed", "block")),
        ("23277", "23278", ("listed", "bundle")),  # neither fits
    ],
)
def test_the_longest_entry_of_both_lists_counts(
    allow: str, block: str, expected: tuple[str, str], reader: NumberReader
) -> None:
    policy = NumberPolicy(allow=tuple(allow.split()), block=tuple(block.split()))
    ruling = policy.rule_on(reader.read_dialled("010-232-76-123456"))
    assert ruling[:2] == expected


def test_what_installers_write(reader: NumberReader) -> None:
    """The two configurations of the documentation, and what each does."""

    def status(text: str, policy: NumberPolicy) -> str:
        return policy.rule_on(reader.read_dialled(text)).status

    manila = NumberPolicy(allow=("632",), block=("63",))
    assert status("010-63-2-81234567", manila) == "allowed"
    assert status("010-63-32-1234567", manila) == "listed"
    america = NumberPolicy("home", allow=("1",), block=("1900", "1876"))
    assert status("010-1-212-555-0123", america) == "allowed"
    assert status("010-1-900-555-0123", america) == "listed"
    assert status("010-1-876-555-0123", america) == "listed"
    assert status("010-44-20-7946-0123", america) == "listed"


def test_why_names_the_entry_that_decided(reader: NumberReader) -> None:
    reading = reader.read_dialled("010-232-76-123456")
    both = NumberPolicy(allow=("2", "23276"), block=("232",))
    assert both.rule_on(reading) == Ruling(
        "allowed", "allow", "numbers.allow has 23276"
    )
    blocked = NumberPolicy("watch", block=("2327", "232"))
    assert blocked.rule_on(reading) == Ruling(
        "listed", "block", "numbers.block has 2327"
    )


@settings(max_examples=500)
@given(
    allow=st.lists(st.from_regex("[2-4]{1,4}", fullmatch=True), max_size=6),
    block=st.lists(st.from_regex("[2-4]{1,4}", fullmatch=True), max_size=6),
    number=st.from_regex("[2-4]{6}", fullmatch=True),
)
def test_no_entry_is_without_effect(
    allow: list[str], block: list[str], number: str
) -> None:
    """Say it again, slowly: try every start of the number, longest first."""
    policy = NumberPolicy(allow=tuple(allow), block=tuple(block))
    reading = Reading("international", number, "GB", "watch", e164=number)
    expected = "bundle"
    for length in range(1, len(number) + 1):
        start = number[:length]
        expected = "block" if start in block else expected
        expected = "allow" if start in allow else expected
    assert policy.rule_on(reading).source == expected


ABROAD = [
    Reading("international", "44201", "GB", tier, e164="44201")
    for tier in ("block", "watch", "normal")
]
SPARE = Reading("unassigned", "44201", None, "block", e164="44201")
NATIONAL = Reading("domestic", "0442012345", "JP", e164="44201")
LOCAL = Reading("domestic", "201234", "JP")
PASS = [
    Reading("extension", "44201", "JP"),
    Reading("non-numeric", "alice"),
    Reading("domestic", "0037442012", "JP"),
]
EXEMPT = [Reading("emergency", "119", "JP"), Reading("special", "#7119", "JP")]


@pytest.mark.parametrize("profile", ["office", "home", "watch"])
@pytest.mark.parametrize("lists", ["", "allow", "block", "both"])
def test_profile_by_kind_by_tier_by_list(profile: str, lists: str) -> None:
    prefix = ("44",)
    policy = NumberPolicy(
        profile,
        allow=prefix if lists in ("allow", "both") else (),
        block=prefix if lists in ("block", "both") else (),
    )
    said = {"": "", "allow": "allowed", "both": "allowed", "block": "listed"}[lists]
    by_tier = ("listed", "unlisted", "unlisted")
    if profile == "home":
        by_tier = ("listed",) * 3
    for reading, expected in zip(ABROAD, by_tier, strict=True):
        assert policy.rule_on(reading).status == (said or expected)
    assert policy.rule_on(SPARE).status == (said or "listed")
    assert policy.rule_on(NATIONAL).status == (said or "unlisted")
    for reading in (*PASS, LOCAL):
        assert policy.rule_on(reading).status == "unlisted"
    for reading in EXEMPT:
        assert policy.rule_on(reading).status == "exempt"
    assert policy.only_logs == (profile == "watch")


def test_a_prefix_matches_from_the_front_only(reader: NumberReader) -> None:
    reading = reader.read_dialled("010-44-232-1234567")
    assert NumberPolicy(block=("232",)).rule_on(reading).status == "unlisted"
    assert NumberPolicy(block=("44232",)).rule_on(reading).status == "listed"


def test_allow_does_not_vouch_for_another_reading(reader: NumberReader) -> None:
    """82481067712345 may be Korea, or 810 and the Solomon Islands behind junk."""
    reading = reader.read_dialled("824810-677-7421234")
    assert reading.country == "SB"
    assert [other.country for other in reading.alternatives] == ["KR"]
    assert NumberPolicy(allow=("82",)).rule_on(reading).status == "listed"
    assert NumberPolicy(allow=("677",)).rule_on(reading).status == "allowed"
    both = NumberPolicy(allow=("82", "677"))
    assert both.rule_on(reading).status == "allowed"
    blocked = NumberPolicy(allow=("677",), block=("82",))
    assert blocked.rule_on(reading).status == "listed"


def test_a_domestic_prefix_can_be_blocked_by_its_e164_form(
    reader: NumberReader,
) -> None:
    policy = NumberPolicy(block=("81990",), allow=("81990123",))
    assert policy.rule_on(reader.read_dialled("0990-456-789")).status == "listed"
    assert policy.rule_on(reader.read_dialled("0990-123-456")).status == "allowed"
    assert policy.rule_on(reader.read_dialled("03-1234-5678")).status == "unlisted"


def test_why_says_what_decided(reader: NumberReader) -> None:
    def why(text: str, policy: NumberPolicy) -> str:
        return policy.rule_on(reader.read_dialled(text)).why

    assert why("119", NumberPolicy()) == "emergency number"
    assert why("01023276123456", NumberPolicy()) == "SL is on the block list"
    assert why("01028123456", NumberPolicy()) == (
        "a country code that nobody has is on the block list"
    )
    assert why("0109603123456", NumberPolicy()) == "MV is on the watch list"
    assert why("01044123456", NumberPolicy()) == "GB is on no list"
    assert why("01044123456", NumberPolicy("home")) == (
        "profile home: GB is not allowed"
    )


EVERYTHING = (*"23456789", "12", "13", "14", "19")


@pytest.mark.parametrize("profile", ["office", "home", "watch"])
@pytest.mark.parametrize(
    "text",
    [
        *("110", "118", "119", "0-119", "9-110", "184-118", "186119", "+119", "+81119"),
        *("sip:119@h", "sip:119;isub=1@h", "tel:119;phone-context=+81", "%31%31%39"),
        *("urn:service:sos", "urn:service:sos.police", "sip:sos@h", "104", "171"),
        *("189", "#7119", "#9110", "112", "911", "999", "000"),
    ],
)
def test_nothing_blocks_an_emergency_or_special_number(
    text: str, profile: str, reader: NumberReader
) -> None:
    policy = NumberPolicy(profile, block=EVERYTHING)
    read = reader.read_uri if ":" in text else reader.read_dialled
    assert policy.rule_on(read(text))[:2] == ("exempt", "builtin")


@given(
    profile=st.sampled_from(["office", "home", "watch"]),
    block=st.lists(st.from_regex("[2-9][0-9]{0,5}", fullmatch=True), max_size=5),
    number=st.sampled_from(["110", "118", "119"]),
    prefix=st.sampled_from(["", "0", "9", "184", "186", "0184", "9186", "0000"]),
)
def test_no_configuration_blocks_an_emergency_number(
    profile: str, block: list[str], number: str, prefix: str, reader: NumberReader
) -> None:
    policy = NumberPolicy(profile, block=tuple(block))
    reading = reader.read_dialled(prefix + number)
    assert policy.rule_on(reading).status == "exempt"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"profile": "ofice"},
            "numbers.profile = 'ofice': expected one of office, home",
        ),
        ({"allow": ("+63",)}, "numbers.allow[0] = '+63': expected 1 to 15 digits"),
        ({"block": ("63", "")}, "numbers.block[1] = '': expected 1 to 15 digits"),
        ({"block": ("\uff16",)}, "numbers.block[0] = '\uff16': expected 1 to 15"),
        (
            {"block": ("1" * (MAX_PREFIX + 1),)},
            "numbers.block[0] = '1111111111111111': expected 1 to 15 digits",
        ),
        ({"allow": ("0063",)}, "numbers.allow[0] = '0063': expected a prefix that"),
        (
            {"block": ("119",)},
            "numbers.block[0] = '119': expected an E.164 prefix; emergency and special"
            " numbers always pass",
        ),
    ],
)
def test_problems_are_told(options: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        NumberPolicy(**options)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(expected)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        NumberPolicy("x", allow=("a", "b"), block=("110",))
    assert len(caught.value.problems) == 4


def test_the_longest_prefix() -> None:
    number = "4" * MAX_PREFIX
    reading = Reading("international", number, "CH", "normal", e164=number)
    assert NumberPolicy(block=(number,)).rule_on(reading).status == "listed"
