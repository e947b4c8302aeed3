"""Hold the dial plans against the numbers that libphonenumber knows.

    python rules/check_dialplans.py [--numbers N] [--seed N] [PLAN ...]

Makes random valid numbers of each country from the metadata of `phonenumbers`, dials
them in every way that the plan documents, and prints each that would be stopped or is
not read as a number at home. Exits with 1 if there is one. For development: the router
needs neither this nor that package.
"""

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberFormat, PhoneNumberType
from ringfence.bundle.embedded import dialplan_names, load_destinations, load_dialplan
from ringfence.facts.numbers import (
    Destinations,
    Dialplan,
    NumberPolicy,
    NumberReader,
    Reading,
)

RULES = Path(__file__).resolve().parent
TYPES = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)
AT_HOME = ("domestic", "special", "emergency")
STAR_CODES = {
    **dict.fromkeys(("US", "CA"), ("*67", "*82")),
    **dict.fromkeys(("DE", "FR", "GB", "AU"), ("*31#", "#31#")),
    "KR": ("*23#", "*23"),
}
"""Caller id by star code: of America, of GSM and ETSI, and of Korea."""
LOCAL_STARTS = "23456789"
"""Numbers without area code start with these, as 0 and 1 mean something else."""
SHOWN = 20
MIN_LOCAL, MAX_LOCAL = 4, 9
"""Digits without area code; Germany's whole numbers have eleven, of which two at least
are the area's, and what the metadata has beyond is dialled past a switchboard."""
MAX_CARRIERS = 8
"""Carrier codes tried before one number; over many numbers all have their turn."""

COLLIDING = {"JP": ("0037010", "0066010", "0078010")}
"""Starts of numbers that the metadata has as toll-free and that are something else when
dialled: a carrier's code and 010, the prefix for abroad. No such number is known."""

Patterns = list["list[tuple[str | Patterns, int, int]]"]
"""A pattern's branches; each is a row of digit sets or groups with their counts."""


def parse_pattern(text: str) -> Patterns:
    """Read a regular expression as the metadata has them: digits, sets and groups."""
    branches, end = _branches(text, 0)
    if end != len(text):
        msg = f"{text[end:]!r} is not understood"
        raise ValueError(msg)
    return branches


def _branches(text: str, at: int) -> tuple[Patterns, int]:
    branches: Patterns = [[]]
    while at < len(text) and text[at] != ")":
        if text[at] == "|":
            branches.append([])
            at += 1
            continue
        atom: str | Patterns
        if text.startswith("(?:", at) or text[at] == "(":
            atom, at = _branches(text, at + (3 if text.startswith("(?:", at) else 1))
            at += 1
        elif text[at] == "[":
            close = text.index("]", at)
            atom, at = _set(text[at + 1 : close]), close + 1
        elif text.startswith("\\d", at):
            atom, at = "0123456789", at + 2
        else:
            atom, at = str(int(text[at])), at + 1
        least, most = 1, 1
        if text[at : at + 1] == "?":
            least, at = 0, at + 1
        elif text[at : at + 1] == "{":
            close = text.index("}", at)
            low, _, high = text[at + 1 : close].partition(",")
            least, most, at = int(low), int(high or low), close + 1
        branches[-1].append((atom, least, most))
    return branches, at


def _set(inside: str) -> str:
    out = ""
    for at, char in enumerate(inside):
        if char == "-":
            first, last = int(inside[at - 1]), int(inside[at + 1])
            out += "".join(map(str, range(first + 1, last)))
        else:
            out += char
    return out


def draw(pattern: Patterns, chosen: random.Random) -> str:
    """Make a text that the pattern matches."""
    out = ""
    for atom, least, most in chosen.choice(pattern):
        for _ in range(chosen.randint(least, most)):
            if isinstance(atom, str):
                out += chosen.choice(atom)
            else:
                out += draw(atom, chosen)
    return out


class Valid(NamedTuple):
    """A valid number of a country."""

    nsn: str
    """National significant number: without trunk prefix."""
    dialled: str
    """As the metadata says that it is dialled at home."""
    from_abroad: bool
    """It can be called from other countries."""
    area: str
    """Area code, trunk prefix included; "" for none."""


def _number(code: str, nsn: str) -> PhoneNumber:
    number = PhoneNumber(country_code=int(code), national_number=int(nsn))
    zeros = len(nsn) - len(nsn.lstrip("0"))
    if zeros:
        number.italian_leading_zero = True
        number.number_of_leading_zeros = zeros
    return number


def _valid(plan: Dialplan, nsn: str, *, with_area: bool) -> Valid | None:
    number = _number(plan.code, nsn)
    if nsn.startswith(COLLIDING.get(plan.country, ("none",))):
        return None
    if not phonenumbers.is_valid_number_for_region(number, plan.country):
        return None
    written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    if written == nsn and not nsn.startswith("0") and not plan.domestic.find(nsn):
        written = plan.trunk + nsn  # the metadata has no way to write this one
    dialled = "".join(char for char in written if char.isdecimal())
    size = 0
    if with_area:
        size = phonenumbers.length_of_geographical_area_code(number)
    area = plan.trunk + nsn[:size] if size else ""
    from_abroad = phonenumbers.can_be_internationally_dialled(number)
    # Canada's 310 is valid only at home, which the metadata does not say.
    from_abroad = from_abroad and not (plan.country == "CA" and len(nsn) == 7)
    return Valid(nsn, dialled, from_abroad, area)


def examples(plan: Dialplan) -> Iterator[Valid]:
    """Give the example number of every type."""
    for kind in PhoneNumberType.values():
        number = phonenumbers.example_number_for_type(plan.country, kind)
        if number is not None:
            nsn = phonenumbers.national_significant_number(number)
            valid = _valid(plan, nsn, with_area=True)
            if valid:
                yield valid


def valid_numbers(plan: Dialplan, count: int, seed: int) -> Iterator[Valid]:
    """Give random valid numbers, of all types alike; one in eight with its area."""
    metadata = PhoneMetadata.metadata_for_region(plan.country)
    if metadata is None:
        return
    patterns: dict[str, Patterns] = {}
    for kind in TYPES:
        description = getattr(metadata, kind)
        if description is not None and description.national_number_pattern:
            text = description.national_number_pattern
            patterns.setdefault(text, parse_pattern(text))
    chosen = random.Random(seed)  # noqa: S311 - cases, not secrets
    kinds = list(patterns.values())
    made = 0
    while made < count:
        nsn = draw(chosen.choice(kinds), chosen)
        valid = _valid(plan, nsn, with_area=made % 8 == 0)
        if valid:
            made += 1
            yield valid


def carrier_codes(plan: Dialplan, chosen: random.Random) -> list[str]:
    """Give carrier codes of the plan: those written down, and some of each form."""
    codes = [code for code, prefix in plan.prefixes.items() if prefix.carrier]
    forms = {form for forms in plan.code_forms.values() for form in forms}
    for form, known in sorted(forms):
        if known:
            codes += ["".join(map(chosen.choice, form.places)) for _ in range(3)]
    return chosen.sample(codes, min(MAX_CARRIERS, len(codes)))


def ways(
    plan: Dialplan, valid: Valid, chosen: random.Random
) -> Iterator[tuple[str, str]]:
    """Give every documented way to dial a number at home, each with its name."""
    home = valid.dialled
    heads = [home]
    if plan.code == plan.trunk and valid.from_abroad:
        heads.append(plan.trunk + valid.nsn)  # America: ten digits, and 1 and ten
    globally = [plan.code + valid.nsn] if valid.from_abroad else []
    for head in heads:
        yield "national", head
        for line in plan.outside_line:
            yield "outside line", line + head
        for code, prefix in plan.prefixes.items():
            if (
                not prefix.carrier
                and not prefix.abroad
                and head.startswith(prefix.before)
            ):
                yield prefix.step, code + head
                for line in plan.outside_line:
                    yield f"outside line, {prefix.step}", line + code + head
        for code in STAR_CODES.get(plan.country, ()):
            yield "star code", code + head
        if plan.trunk and head.startswith(plan.trunk) and head[:2] != "00":
            for code in carrier_codes(plan, chosen):
                yield "carrier", code + head
                for line in plan.outside_line:
                    yield "outside line, carrier", line + code + head
                for own, prefix in plan.prefixes.items():
                    if not prefix.carrier and code.startswith(prefix.before):
                        yield f"{prefix.step}, carrier", own + code + head
        if plan.trunk_dropped and head.startswith(plan.trunk) and head[:2] != "00":
            for code in carrier_codes(plan, chosen):
                yield "carrier, no trunk", code + head.removeprefix(plan.trunk)
        if globally or plan.code != plan.trunk:  # +1-310-1234 is nobody
            yield "tel:", f"tel:{head};phone-context=+{plan.code}"
        yield "sip:", f"sip:{head}@192.0.2.1;user=phone"
    for number in globally:
        yield "E.164", "+" + number
        yield "E.164 encoded", f"sip:%2B{number}@192.0.2.1"
        yield "tel: E.164", "tel:+" + number
        yield "local in context", f"tel:{valid.nsn};phone-context=+{plan.code}"
        for idd in plan.idd:
            yield "home by way of abroad", idd + number
            for line in plan.outside_line:
                yield "outside line, by way of abroad", line + idd + number
        if valid.dialled.startswith(plan.trunk):
            yield "+ and trunk", f"+{plan.code}{plan.trunk}{valid.nsn}"


class Harm(NamedTuple):
    """A call at home that is read as something else, or stopped."""

    plan: str
    way: str
    text: str
    reading: Reading
    status: str


class Check:
    """Dials numbers of one country."""

    def __init__(self, name: str, outside_line: tuple[str, ...] = ()) -> None:
        """Load a plan and the destinations; `outside_line` in place of the plan's."""
        self.name = name
        self.plan = load_dialplan(RULES, name)
        self.plan.outside_line = outside_line or self.plan.outside_line
        self.dialled = 0
        self._destinations: Destinations = load_destinations(RULES)
        self._office = NumberPolicy()
        self._reader = NumberReader(
            self.plan, self._destinations, outside_line=self.plan.outside_line
        )
        self._by_area: dict[str, NumberReader] = {}

    def harms(self, valid: Valid, chosen: random.Random) -> Iterator[Harm]:
        """Dial a number in every way; give those that do harm."""
        for way, text in ways(self.plan, valid, chosen):
            yield from self._dial(self._reader, way, text)
        local = valid.dialled.removeprefix(valid.area)
        if (
            self.plan.local.longest
            and valid.area
            and local[0] in LOCAL_STARTS
            and MIN_LOCAL <= len(local) <= MAX_LOCAL
        ):
            reader = self._by_area.get(valid.area)
            if reader is None:
                reader = self._by_area[valid.area] = NumberReader(
                    self.plan,
                    self._destinations,
                    outside_line=self.plan.outside_line,
                    area_code=valid.area[-5:],
                )
            yield from self._dial(reader, "local", local)
            for line in self.plan.outside_line:
                yield from self._dial(reader, "outside line, local", line + local)

    def _dial(self, reader: NumberReader, way: str, text: str) -> Iterator[Harm]:
        self.dialled += 1
        is_uri = text.startswith(("sip:", "tel:"))
        reading = reader.read_uri(text) if is_uri else reader.read_dialled(text)
        status = self._office.rule_on(reading).status
        if status == "listed" or reading.kind not in AT_HOME:
            yield Harm(self.name, way, text, reading, status)


def check(
    name: str, numbers: int, seed: int, outside_line: tuple[str, ...] = ()
) -> tuple[Check, list[Harm]]:
    """Dial examples and random numbers of one plan."""
    done = Check(name, outside_line)
    chosen = random.Random(seed)  # noqa: S311 - cases, not secrets
    harms: list[Harm] = []
    for valid in examples(done.plan):
        harms += done.harms(valid, chosen)
    for valid in valid_numbers(done.plan, numbers, seed):
        harms += done.harms(valid, chosen)
    return done, harms


def main() -> int:
    """Check plans by name, all by default."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--numbers", type=int, default=5000)
    options.add_argument("--seed", type=int, default=1876)
    options.add_argument("plans", nargs="*", default=dialplan_names(RULES))
    chosen = options.parse_args()
    failed = False
    for name in chosen.plans:
        done, harms = check(name, chosen.numbers, chosen.seed)
        failed = failed or bool(harms)
        sys.stdout.write(f"{name}: {done.dialled} calls, {len(harms)} harmed\n")
        for harm in harms[:SHOWN]:
            sys.stdout.write(
                f"  {harm.way}: {harm.text}: {harm.status} {harm.reading}\n"
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
