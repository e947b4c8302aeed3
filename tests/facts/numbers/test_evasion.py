"""Listed numbers in every documented evasive form: what passes is named and justified.

`RINGFENCE_HYPOTHESIS=deep` tries 100,000 numbers in each form.
"""

import os
from random import Random

import pytest
from facts.numbers.evasions import Form, contexts, disguises, prefixes
from ringfence.facts.numbers import (
    Destinations,
    Dialplan,
    NumberPolicy,
    NumberReader,
    Reading,
)

phonenumbers = pytest.importorskip(
    "phonenumbers", reason="numbers of all countries come from phonenumbers"
)

TRIES = 100_000 if os.environ.get("RINGFENCE_HYPOTHESIS") == "deep" else 1_000
PLAIN = ("010", "carrier 010", "chain 010", "+")
"""Prefixes that disguises are put on."""

# What a number abroad may be taken for, and why that is right. Each is a call that
# honest people make, and which of the two is meant nobody can see. The settings of the
# trunk decide: see `test_what_idd_decides` and `test_what_outside_line_decides`.
COLLISIONS = {
    "carrier's number": "0037, 0066, 0078, 0088 … start toll-free and service numbers,"
    " and 00 37X Latvia, Monaco, …",
    "carrier": "00XY, perhaps with digits that the carrier adds, and a national number:"
    " 0010-355… is KDDI (001) to Tokyo, and 0-010-355 Albania",
    "carrier abroad": "a carrier's code, digits that it adds, and 010: the digits may"
    " belong to the country in front of which 00 or 0-010 stands",
    "outside line": "an outside line and a national number, and 00 and a country",
    "home": "81 and a national number with its 0 left in, and 810 and a country",
    "local": "a local number has five to eight digits, as the shortest abroad has",
    "too short": "nine digits without a prefix are a national number without its 0, an"
    " account, a device; from ten on they are taken for E.164",
    "adapter": "0000 and a national number, and zeros and a country",
    "feature code": "010*3 and a national number, and 010 and a country behind stars",
}
ZEROS = {"carrier's number", "carrier", "carrier abroad", "outside line"}
SPARE = {"carrier's number"}
"""Where the code abroad is one that nobody has: 0037-6901013111580 is toll-free, or a
carrier, 010 and area code 311, which is no area code."""
MISSES: dict[str, set[str]] = {
    "00": ZEROS,
    "+00": {"carrier", "outside line"},
    "zeros": {*ZEROS, "local", "adapter"},
    "outside 9, 00": ZEROS,
    "outside 9, 000": {"outside line"},
    "chain 00": ZEROS,
    "outside 0, 010": {"carrier"},
    **dict.fromkeys(
        ("carrier 010", "chain carrier 010", "outside chain carrier 010"), SPARE
    ),
    "+81 carrier 010": SPARE,
    "carrier and digits 010": {"carrier", "carrier abroad", "home", *SPARE},
    "810": {"home"},
    "junk 810": {"home", "carrier", "outside line"},
    "no prefix": {"local", "too short"},
    "chain, no prefix": {"local", "too short"},
    "pauses between": {"carrier", "outside line"},
    "star code": {"carrier", "outside line", "feature code", "local"},
    "stars between": {"feature code", "home", "carrier", "outside line"},
}
"""Which collisions each form has; the forms that are not here have none."""


def name(reading: Reading, number: str) -> str:
    """Name the collision by which a listed number was taken for something else."""
    step = reading.steps[-1] if reading.steps else ""
    if reading.kind == "international":
        by_idd = any(step.startswith("idd") for step in reading.steps)
        return "carrier abroad" if by_idd else "?"
    if reading.kind == "extension":
        return "too short" if len(number) < 10 else "?"
    if reading.kind != "domestic":
        return "?"
    if step.startswith("code"):
        return "feature code"
    if reading.detail in ("domestic_tollfree", "domestic_service"):
        return "carrier's number" if reading.number.startswith("00") else "carrier"
    if reading.detail == "domestic_local":
        return "local"
    if not step:
        return "?"
    for start, what in (
        ("carrier", "carrier"),
        ("home", "home"),
        ("adapter", "adapter"),
    ):
        if step.startswith(start):
            return what
    return "outside line" if step.startswith("outside") else "?"


@pytest.fixture(scope="module")
def numbers(dests: Destinations) -> list[str]:
    """Listed numbers: as the metadata's examples begin, and as long as they are.

    Without codes that nobody has: nobody is paid for those, so that a guess at one is
    no reading, by design.
    """
    examples = set()
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        for kind in phonenumbers.PhoneNumberType.values():
            for region in regions:
                if region == "001":
                    found = phonenumbers.example_number_for_non_geo_entity(code)
                else:
                    found = phonenumbers.example_number_for_type(region, kind)
                if found is not None and code != 81:
                    national = phonenumbers.national_significant_number(found)
                    examples.add((str(code), national))
    chance = Random(20150516)  # noqa: S311 - the same numbers each time
    listed: list[str] = []
    every = sorted(examples)
    while len(listed) < TRIES:
        code, national = chance.choice(every)
        keep = min(2, len(national) - 4)
        rest = "".join(chance.choices("0123456789", k=len(national) - keep))
        number = code + national[:keep] + rest
        row = dests.find(number)
        if row is not None and row.tier == "block" and row.kind != "unassigned":
            listed.append(number)
    return listed


@pytest.fixture(scope="module")
def forms(jp_table: dict[str, object]) -> dict[str, Form]:
    """All forms: prefixes, disguises on a plain one, and contexts."""
    carriers = jp_table["carriers"]
    assert isinstance(carriers, dict)
    found = prefixes(tuple(carriers["codes"]))
    plain = [found[key] for key in PLAIN]

    def on_plain(disguise: Form, *, in_context: bool) -> Form:
        # A global number has no context (RFC 3966 section 5.1.5).
        bases = plain[:-1] if in_context else plain
        return lambda number, chance: disguise(
            chance.choice(bases)(number, chance), chance
        )

    codes = sorted(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE), key=len)
    spare = {str(code) for code in range(100, 1000)} | {"83", "89", "28"}
    disguised = {
        key: on_plain(disguise, in_context=key.startswith("context"))
        for key, disguise in disguises().items()
    }
    return found | disguised | contexts((*codes[::-1], *sorted(spare, key=len)))


FORMS = [*prefixes(("001",)), *disguises(), *contexts(())]


def judge(reader: NumberReader, policy: NumberPolicy, text: str) -> Reading | None:
    """Read and rule; the reading of what passes, None for what is listed."""
    scheme = text.partition(":")[0].lower()
    uri = scheme in ("sip", "sips", "tel")
    reading = reader.read_uri(text) if uri else reader.read_dialled(text)
    return None if policy.rule_on(reading).status == "listed" else reading


def misses(
    form: Form, numbers: list[str], reader: NumberReader, policy: NumberPolicy
) -> dict[str, list[tuple[str, str]]]:
    """Give what passes by the name of its collision, as (number, what was dialled)."""
    chance = Random(8)  # noqa: S311 - no secret
    found: dict[str, list[tuple[str, str]]] = {}
    for number in numbers:
        text = form(number, chance)
        reading = judge(reader, policy, text)
        if reading is not None:
            found.setdefault(name(reading, number), []).append((number, text))
    return found


@pytest.mark.parametrize("key", FORMS)
def test_what_passes_collides(
    key: str,
    forms: dict[str, Form],
    numbers: list[str],
    reader: NumberReader,
    office: NumberPolicy,
) -> None:
    found = misses(forms[key], numbers, reader, office)
    unnamed = {
        what: some[:3]
        for what, some in found.items()
        if what not in MISSES.get(key, set())
    }
    assert unnamed == {}


def test_every_collision_is_explained() -> None:
    assert set().union(*MISSES.values()) == set(COLLISIONS)
    assert MISSES.keys() <= set(FORMS)
    assert len(FORMS) == len(set(FORMS)) > 65


PASSES_WITH_00 = {
    "00": {"outside line"},
    "outside 9, 00": set(),
    "chain 00": set(),
    "zeros": {"outside line", "local", "adapter"},
    "outside 9, 000": {"outside line"},
}
"""What is left of collisions on a trunk that takes 00 for abroad."""


@pytest.mark.parametrize("key", PASSES_WITH_00)
def test_what_idd_decides(
    key: str,
    forms: dict[str, Form],
    numbers: list[str],
    plan: Dialplan,
    dests: Destinations,
    office: NumberPolicy,
) -> None:
    """With `idd = ["00"]` the call goes where the trunk sends it: abroad."""
    reader = NumberReader(plan, dests, idd=("00",))
    assert set(misses(forms[key], numbers, reader, office)) <= PASSES_WITH_00[key]


def test_what_outside_line_decides(
    forms: dict[str, Form],
    numbers: list[str],
    plan: Dialplan,
    dests: Destinations,
    office: NumberPolicy,
) -> None:
    """Without an outside line, and with 00 for abroad, 00 and a country is nothing else.

    What stays are ten digits with the 0 of a national number in front.
    """
    reader = NumberReader(plan, dests, outside_line=(), idd=("00",))
    assert misses(forms["00"], numbers, reader, office) == {}
    assert misses(forms["chain 00"], numbers, reader, office) == {}


@pytest.mark.parametrize(
    ("text", "at_home", "abroad"),
    [
        ("0037-129-123-456", "0037129123456", "37129123456"),
        ("0037-799-123-456", "0037799123456", "37799123456"),
        ("0066-123-456-78", "00661234567" + "8", None),
        ("0042-03-1234-5678", "0312345678", "4203123456" + "78"),
        ("0088-21-1234", "0088211234", "88211234"),
    ],
)
def test_both_readings_of_a_collision(
    text: str, at_home: str, abroad: str | None, plan: Dialplan, dests: Destinations
) -> None:
    """The other reading is told as an alternative, and counts when the trunk says so."""
    reading = NumberReader(plan, dests).read_dialled(text)
    assert (reading.kind, reading.number) == ("domestic", at_home)
    trunk = NumberReader(plan, dests, idd=("00",)).read_dialled(text)
    if abroad is not None:
        assert trunk.abroad
        assert trunk.number == abroad


def test_a_carrier_parameter_changes_nothing(reader: NumberReader) -> None:
    """RFC 4694: `cic` names who carries the call, `rn` where it goes."""
    for number in ("+5352345678", "+81312345678", "0312345678", "119", "0105352345678"):
        plain = reader.read_uri(f"tel:{number}")
        for cic in ("+1-6789", "+53-0001", "0077", "x"):
            assert reader.read_uri(f"tel:{number};cic={cic}") == plain
            assert reader.read_uri(f"sip:{number};cic={cic};npdi@h") == plain
    assert reader.read_uri("tel:+81312345678;rn=+5352345678").country == "CU"
    assert reader.read_uri("tel:+81312345678;rn=+81612345678").country == "JP"
