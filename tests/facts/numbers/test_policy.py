"""The order of precedence, the profiles, and what nobody can configure away."""

import pytest
from hypothesis import given
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


def test_the_order_of_precedence(reader: NumberReader) -> None:
    reading = reader.read_dialled("010-232-76-123456")
    both = NumberPolicy(allow=("23276",), block=("232",))
    assert both.rule_on(reading) == Ruling(
        "allowed", "allow", "numbers.allow has 23276"
    )
    # Also where the block is longer: allow is a promise to the operator.
    longer = NumberPolicy(allow=("232",), block=("23276",))
    assert longer.rule_on(reading).source == "allow"
    blocked = NumberPolicy("watch", block=("2327", "232"))
    assert blocked.rule_on(reading) == Ruling(
        "listed", "block", "numbers.block has 232"
    )


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
    ("settings", "expected"),
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
def test_problems_are_told(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        NumberPolicy(**settings)  # type: ignore[arg-type]
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
