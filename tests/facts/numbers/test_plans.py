"""The dial plans of all countries: against tables, metadata and one another."""

import csv
import os
import random
import re
import runpy
import tomllib
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from numbercases import Case, cases, read
from phonenumbers import PhoneMetadata, PhoneNumberType
from ringfence.bundle.embedded import dialplan_names, load_dialplan
from ringfence.errors import BundleError, ConfigError
from ringfence.facts.numbers import (
    Destinations,
    Dialplan,
    NumberPolicy,
    NumberReader,
)
from ringfence.facts.numbers.emergency import (
    ANYWHERE,
    EMERGENCY,
    BuiltIn,
    emergency_numbers,
)

HERE = Path(__file__).parent
RULES = HERE.parents[2] / "rules"
SHARED = HERE.parents[3] / "shared/data/emergency_world.csv"

NAMES = dialplan_names(RULES)
PLANS = {name: load_dialplan(RULES, name) for name in NAMES}
DEEP = os.environ.get("RINGFENCE_HYPOTHESIS") == "deep"
NUMBERS = 100_000 if DEEP else 2_000
"""Valid numbers of each country, each dialled in 25 to 80 ways."""
SEED = 20150516

TABLES = {name: cases(HERE / f"cases_{name}.txt") for name in NAMES}
ROWS = [(name, case) for name in NAMES if name != "jp" for case in TABLES[name]]


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    """The check that is in the folder of rules."""
    return runpy.run_path(str(RULES / "check_dialplans.py"))


def reader_of(name: str, dests: Destinations, **settings: Any) -> NumberReader:
    settings.setdefault("outside_line", PLANS[name].outside_line)
    return NumberReader(PLANS[name], dests, **settings)


@pytest.mark.parametrize(
    ("name", "case"), ROWS, ids=[f"{name}-{case.dialled!a}" for name, case in ROWS]
)
def test_what_is_dialled(
    name: str, case: Case, dests: Destinations, office: NumberPolicy
) -> None:
    settings: dict[str, Any] = dict(case.settings)
    if "outside_line" in settings:
        settings["outside_line"] = tuple(settings["outside_line"].split(","))
    reading = read(reader_of(name, dests, **settings), case.dialled)
    found = (reading.kind, reading.number, reading.detail)
    assert found == (case.kind, case.number, case.detail)
    assert office.rule_on(reading).status == case.status


@pytest.mark.parametrize("name", NAMES)
def test_a_table_has_every_kind_of_case(name: str) -> None:
    rulings = Counter(case.status for case in TABLES[name])
    assert all(rulings[status] >= 9 for status in ("exempt", "unlisted", "listed"))
    assert {case.kind for case in TABLES[name]} >= {
        "emergency",
        "special",
        "domestic",
        "extension",
        "international",
    }


@pytest.mark.parametrize("name", NAMES)
def test_valid_numbers_are_at_home_however_dialled(
    name: str, tool: dict[str, Any]
) -> None:
    done, harms = tool["check"](name, NUMBERS, SEED)
    assert harms[:5] == []
    assert done.dialled > 20 * NUMBERS


# Germany is not here: its numbers have no fixed length, and 0 in front makes 00…, the
# prefix for abroad. Its plan says so, and the site must.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "de"])
def test_outside_lines_that_a_site_may_have(name: str, tool: dict[str, Any]) -> None:
    assert tool["check"](name, NUMBERS // 10, SEED, ("0", "9"))[1] == []
    assert tool["check"](name, NUMBERS // 10, SEED, ("8", "99"))[1] == []


def test_germany_behind_the_outside_line_0(tool: dict[str, Any]) -> None:
    assert tool["check"]("de", NUMBERS // 10, SEED, ("0",))[1] == []


def test_patterns_are_drawn_from(tool: dict[str, Any]) -> None:
    chosen = random.Random(SEED)  # noqa: S311 - cases, not secrets
    for text in (
        r"0[1-35]\d{2}",
        r"1(?:2|3[4-6]?|(?:7\d){2,3})9",
        r"8(?:0[08])?\d{0,3}",
    ):
        pattern = tool["parse_pattern"](text)
        drawn = {tool["draw"](pattern, chosen) for _ in range(500)}
        assert len(drawn) > 20
        assert all(re.fullmatch(text, number) for number in drawn)
    with pytest.raises(ValueError, match="not understood"):
        tool["parse_pattern"]("12)3")


def test_no_example_of_a_type_is_left_out(tool: dict[str, Any]) -> None:
    for plan in PLANS.values():
        metadata = PhoneMetadata.metadata_for_region(plan.country)
        expected = {
            getattr(metadata, kind).example_number
            for kind in tool["TYPES"]
            if getattr(metadata, kind) is not None
        }
        found = {valid.nsn for valid in tool["examples"](plan)}
        assert found >= expected - {None}, plan.country


def numbers_of(pattern: str, sizes: tuple[int, ...]) -> set[str]:
    """Every text of so many digits that a pattern matches."""
    texts = ("".join(d) for size in sizes for d in product("0123456789", repeat=size))
    return set(filter(re.compile(pattern).fullmatch, texts))


def test_emergency_numbers_of_every_country() -> None:
    compared = 0
    for country in PhoneMetadata._short_region_available:
        metadata = PhoneMetadata.short_metadata_for_region(country)
        assert metadata is not None
        emergency = metadata.emergency
        if emergency is None or not emergency.national_number_pattern:
            continue
        sizes = emergency.possible_length
        expected = numbers_of(emergency.national_number_pattern, sizes)
        found = set(emergency_numbers(country))
        # Where there is a plan here, some are added.
        assert expected <= found if country in EMERGENCY else expected == found, country
        compared += 1
    assert compared > 230


def test_emergency_numbers_of_the_shared_table() -> None:
    if not SHARED.exists():
        pytest.skip("../shared/data/emergency_world.csv is absent")
    with SHARED.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found = BuiltIn(row["region"]).find(row["number"])
            assert found == ("emergency", "emergency"), row


NINTH = """
country = "NZ"
code = "64"
trunk = "0"
idd = ["00"]
numbers = [{ detail = "domestic", forms = ["0[2-9]XXXXXXX"], more = 2 }]
"""


def test_a_plan_for_a_ninth_country_is_right_from_the_start(
    dests: Destinations,
) -> None:
    plan = Dialplan.from_table(tomllib.loads(NINTH), "nz.toml")
    reader = NumberReader(plan, dests, outside_line=plan.outside_line)
    assert reader.read_dialled("1-111").kind != "emergency"
    assert reader.read_dialled("111").kind == "emergency"
    assert reader.read_dialled("+64111").kind == "emergency"
    with pytest.raises(BundleError, match="emergency number 111"):
        Dialplan.from_table({**tomllib.loads(NINTH), "idd": ["11"]}, "nz.toml")


def test_a_country_that_no_table_has() -> None:
    assert set(emergency_numbers("ZZ")) == ANYWHERE


def taken(number: str) -> list[dict[str, object]]:
    """Changes to a plan after which an emergency number would mean something else."""
    long = number.ljust(2, "X") + "X" if len(number) < 3 else number[:-1] + "X"
    return [
        {"idd": [number]},
        {"idd": [number[:-1]]},
        {"foreign_idd": [number]},
        {"foreign_idd": [number[:1] + "X"]},
        {"junk_idd": [number]},
        {"prefixes": [{"name": "p", "codes": [number]}]},
        {"prefixes": [{"name": "p", "codes": [number[:1]], "abroad": True}]},
        {"carriers": {"codes": {number[:-1]: "x"}}},
        {"carriers": {"forms": [number]}},
        {"carriers": {"unlisted": [number[:1] + "X"]}},
        {"numbers": [{"detail": "d", "forms": [number]}]},
        {"numbers": [{"detail": "d", "forms": ["X" * len(number)]}]},
        {"local": [{"detail": "d", "forms": [long[: len(number)]]}]},
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_plan_may_take_an_emergency_number(name: str) -> None:
    table = tomllib.loads(
        (RULES / f"dialplans/{name}.toml").read_text(encoding="utf-8")
    )
    for number in EMERGENCY[PLANS[name].country]:
        for change in taken(number):
            with pytest.raises(BundleError, match="always passes"):
                Dialplan.from_table({**table, **change}, name)


@pytest.mark.parametrize("name", NAMES)
def test_emergency_numbers_pass_behind_what_may_stand_before_them(
    name: str, dests: Destinations, office: NumberPolicy
) -> None:
    plan = PLANS[name]
    reader = reader_of(name, dests)
    before = ["", "+", f"+{plan.code}", *plan.outside_line]
    before += [
        code
        for code, prefix in plan.prefixes.items()
        if prefix.before == ("",) and not prefix.carrier and not prefix.abroad
    ]
    for number in plan.builtin.emergency:
        for head in before:
            reading = reader.read_dialled(head + number)
            assert reading.kind == "emergency", head + number
            assert office.rule_on(reading).status == "exempt"


@pytest.fixture(scope="module")
def abroad() -> list[str]:
    """Example numbers of all countries."""
    numbers = set()
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                nsn = phonenumbers.national_significant_number(number)
                numbers.add(f"{number.country_code}{nsn}")
    return sorted(numbers)


def own_ways(plan: Dialplan, tool: dict[str, Any]) -> set[str]:
    """Forms in which a number abroad is dialled in a country."""
    chosen = random.Random(SEED)  # noqa: S311 - cases, not secrets
    heads = [""]
    for code, prefix in plan.prefixes.items():
        if not prefix.abroad and plan.idd[0].startswith(prefix.before):
            heads.append(code)
    heads += [] if plan.trunk_dropped else tool["carrier_codes"](plan, chosen)
    heads += [line + head for line in plan.outside_line for head in heads]
    return {"+{}", *(head + idd + "{}" for head in heads for idd in plan.idd)}


@pytest.mark.parametrize("name", NAMES)
def test_a_call_abroad_goes_where_it_is_dialled(
    name: str,
    abroad: list[str],
    dests: Destinations,
    office: NumberPolicy,
    tool: dict[str, Any],
) -> None:
    reader = reader_of(name, dests)
    wrong = []
    for number in abroad:
        row = dests.find(number)
        expected = "listed" if row is None or row.tier == "block" else "unlisted"
        for form in own_ways(PLANS[name], tool):
            text = form.format(number)
            if office.rule_on(reader.read_dialled(text)).status != expected:
                wrong.append(text)
    assert wrong == []


LISTED = ("23276123456", "5352345678", "37129123456", "881612345678")
EVASIONS = ("+{}", "000{}", "00{}", "0011{}", "1010222011{}", "77011{}", "{}#")


# What the network of a country understands comes before what is foreign to it.
AS_ABROAD = {"0011" + number for number in LISTED}  # 001, and ten digits of America,
AS_ABROAD -= {"001137129123456"}  # which has no area code 371
AS_ABROAD |= {"0023276123456", "00881612345678"}  # 002 32… Belgium, 008 81… Japan
MISSED = {
    "ca": {"5352345678#"},  # ten digits with an area code that nobody has yet
    "us": {"5352345678#"},
    "gb": {"5352345678#"},  # may be a national number without its 0
    "jp": {"0037129123456", "00037129123456"},  # toll-free 0037
    "kr": AS_ABROAD | {"005352345678"},  # 005 352…, Luxembourg
    "sg": AS_ABROAD,
}


@pytest.mark.parametrize("name", NAMES)
def test_listed_numbers_in_every_form(
    name: str, dests: Destinations, office: NumberPolicy, tool: dict[str, Any]
) -> None:
    reader = reader_of(name, dests)
    forms = {*EVASIONS, *own_ways(PLANS[name], tool)}
    missed = {
        form.format(number)
        for form in forms
        for number in LISTED
        if office.rule_on(reader.read_dialled(form.format(number))).status != "listed"
    }
    assert missed == MISSED.get(name, set())


def test_hikari_takes_the_excuse_from_numbers_that_reach_nobody(
    jp_table: dict[str, object], dests: Destinations, office: NumberPolicy
) -> None:
    plan = Dialplan.from_table(jp_table, "jp.toml")
    plan.choose(("hikari",))
    hikari = NumberReader(plan, dests)
    plain = NumberReader(Dialplan.from_table(jp_table, "jp.toml"), dests)

    def status(reader: NumberReader, text: str) -> str:
        return office.rule_on(reader.read_dialled(text)).status

    excused = ("0037-129-123-456", "0-0037-129-123-456", "0088-82-1234")
    for text in excused:
        assert (status(plain, text), status(hikari, text)) == ("unlisted", "listed")
    for text in (
        "0033-010-53-52345678",  # there may be another trunk
        "0088-292-010-53-52345678",
        "0081-010-377-99123456",
        "122-0033-010-53-52345678",
    ):
        assert (status(plain, text), status(hikari, text)) == ("listed", "listed")
    for text in (
        "0033-03-1234-5678",
        "0120-123-456",
        "0800-123-4567",
        "0570-010-232",
        "0-0422-34-5678",
        "011-231-2345",
        "184-090-1023-2761",
        "010-44-20-7946-0123",
    ):
        assert status(hikari, text) == "unlisted", text
    for text in ("119", "184-110", "0000-119", "#7119", "0-117"):
        assert status(hikari, text) == "exempt", text


def test_an_option_that_the_plan_has_not(jp_table: dict[str, object]) -> None:
    plan = Dialplan.from_table(jp_table, "jp.toml")
    with pytest.raises(ConfigError) as caught:
        plan.choose(("hikari", "light"))
    assert caught.value.problems == [
        "numbers.options = 'light': expected one of hikari"
    ]
    with pytest.raises(ConfigError, match="none, as this dial plan has no options"):
        PLANS["us"].choose(("hikari",))


def test_a_number_that_can_exist_is_told_before_one_that_is_too_long(
    jp_table: dict[str, object], dests: Destinations
) -> None:
    reader = NumberReader(Dialplan.from_table(jp_table, "jp.toml"), dests)
    # Junk: 77 010 53 and 14 digits, or 77 01053524 011 53 and 8.
    reading = reader.read_dialled("77-010-5352345678-011-5352345678")
    assert (reading.country, reading.number) == ("CU", "5352345678")
    assert any(len(other.number) > 15 for other in reading.alternatives)
    # Alone, it counts: switches drop digits that are too many.
    assert reader.read_dialled("010-53-52345678-9999999").country == "CU"


def test_a_site_reads_with_its_own_settings(dests: Destinations) -> None:
    table = {
        ("us", "9", "212"): ("9-555-0123", "12125550123"),
        ("us", "8", "1212"): ("8-1-416-555-0123", "14165550123"),
        ("gb", "9", "0121"): ("9-496-0123", "01214960123"),
        ("au", "0", "08"): ("0-8123-4567", "0881234567"),
        ("kr", "9", "02"): ("9-2312-3456", "0223123456"),
        ("de", "0", "089"): ("0-089-234567", "089234567"),
    }
    for (name, line, area), (text, number) in table.items():
        reader = reader_of(name, dests, outside_line=(line,), area_code=area)
        assert reader.read_dialled(text).number == number, text
    reader = reader_of("sg", dests, idd=("1511",))
    assert reader.read_dialled("1511-53-52345678").country == "CU"
