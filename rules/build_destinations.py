"""Build `destinations.csv` from tables of country codes and of fraud destinations.

    python rules/build_destinations.py COUNTRIES FRAUD_CARRIERS FRAUD_ELSEWHERE

COUNTRIES has code, iso2, name_en, name_ja and kind; the other two have code and, the
second, tier. Premium-rate ranges come from the metadata of the package `phonenumbers`,
which only this generator needs. Writes the list to standard output.

Knows which table gives which tier; the tables hold the facts. What a table has wrong or
calls by a name nobody uses any more is corrected here, with the reason.
"""

import csv
import re._constants as regex_ops  # type: ignore[import-not-found] # no stubs
import re._parser as regex_parser  # type: ignore[import-not-found]
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import phonenumbers

SOURCES = {
    "e164": "libphonenumber's metadata, by way of phonenumbers {version}",
    "premium": "the same: numbers of the type premium rate",
    "itu": "ITU-T E.164 usage of codes that belong to no country",
    "nanp": "North American Numbering Plan: forms no area code has, 800, 900",
    "tca": "Telecommunications Carriers Association of Japan: destinations of"
    " IP phone fraud (tca.or.jp/information/ipphone-hacked.html)",
    "lists": "destinations that other carriers block by default or warn of",
    "tests": "seen as test targets of scanners, in published logs",
}
KINDS = {
    "satellite": "satellite",
    "intl_networks": "network",
    "upt": "service",
    "special": "service",
    "shared_freephone": "service",
    "shared_cost": "service",
    "nanp_tollfree": "service",
    "premium": "premium",
    "nanp_premium": "premium",
    "spare": "unassigned",
    "assigned_unused": "unassigned",
}
BLOCKED_KINDS = {"satellite", "network", "premium", "unassigned"}
BLOCKED_SERVICES = {"878", "888"}
"""Personal numbers and disaster relief: no normal business calls them."""
WATCHED = {"extended", "nanp_caribbean"}
WATCHED_TEST_TARGETS = {"970", "972"}
"""Of the test targets only these; half of Europe's business is in the others."""
NANP_NOBODY: tuple[str, ...] = (
    "10",
    "11",
    "129",
    "137",
    "139",
    "149",
    "159",
    "169",
    "179",
    "189",
)
NANP_NOBODY += ("196", "199", *(f"1{n}11" for n in range(2, 10)))
"""No area code begins with 0 or 1, is 37X, 96X or X9X, or a service such as 911."""
SERVICE_NUMBERS = {
    "2786": ("ZA", "South Africa (shared cost)", "南アフリカ(企業向け番号)"),
    "4484": ("GB", "United Kingdom (service numbers)", "イギリス(企業向け番号)"),
    "4487": ("GB", "United Kingdom (service numbers)", "イギリス(企業向け番号)"),
}
"""Premium rate to the metadata, but what airlines, banks and shops there print on
their bills: watched, not blocked."""
PERSONAL = ("4470", "GB", "service", "watch")
"""Personal numbers, priced by their owner; often a thief's test target."""

NAMES = {
    "AQ": ("Australian Antarctic", "南極(オーストラリア基地)"),
    "BJ": ("", "ベナン"),
    "BM": ("", "バミューダ"),
    "BQ": ("Caribbean Netherlands", "オランダ領カリブ"),
    "CC": ("Cocos (Keeling) Islands", "ココス(キーリング)諸島"),
    "CD": ("Congo - Kinshasa", "コンゴ民主共和国"),
    "CG": ("Congo - Brazzaville", "コンゴ共和国"),
    "CI": ("Côte d'Ivoire", "コートジボワール"),
    "CN": ("", "中国"),
    "CZ": ("Czechia", ""),
    "GE": ("", "ジョージア"),
    "GR": ("", "ギリシャ"),
    "KG": ("", "キルギス"),
    "KN": ("", "セントクリストファー・ネービス"),
    "KP": ("", "北朝鮮"),
    "KR": ("", "韓国"),
    "MK": ("North Macedonia", "北マケドニア"),
    "NU": ("", "ニウエ"),
    "PS": ("Palestinian Territories", "パレスチナ自治区"),
    "RE": ("Réunion", ""),
    "SC": ("", "セーシェル"),
    "ST": ("São Tomé and Príncipe", ""),
    "SX": ("Sint Maarten", "シント・マールテン"),
    "SZ": ("Eswatini", "エスワティニ"),
    "TK": ("", "トケラウ"),
    "TR": ("Türkiye", ""),
    "VA": ("Vatican City", "バチカン市国"),
    "VC": ("", "セントビンセントおよびグレナディーン諸島"),
    "WF": ("", "ウォリス・フツナ"),
    "WS": ("", "サモア"),
}
"""Short names of today, as CLDR 47 has them, where the table has older or longer ones;
"" keeps the table's."""
SMALL_WORDS = (" And ", " Of ", " The ", " D'")

MAX_CODE = 8
"""Digits of a code, as in `ringfence.facts.numbers.destinations`."""
TYPES = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost"),
    *("personal_number", "voip", "pager", "uan", "voicemail"),
)

Row = tuple[str, str, str, str, str, str, str]


def read(path: str) -> list[dict[str, str]]:
    """Read one table."""
    with Path(path).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def rows(
    countries: list[dict[str, str]],
    carriers: list[dict[str, str]],
    elsewhere: list[dict[str, str]],
) -> list[Row]:
    """Give every destination its kind, tier and source."""
    tca = {row["code"] for row in carriers}
    watched = {row["code"] for row in elsewhere if row["tier"] in WATCHED}
    out: dict[str, Row] = {}
    for row in countries:
        code, kind = row["code"], KINDS.get(row["kind"], "country")
        iso2 = row["iso2"] if row["iso2"].isalpha() else ""
        name_en, name_ja, source = *_names(row, kind), "e164"
        if kind == "unassigned":
            iso2, source = "", "itu"
        elif kind != "country":
            source = "itu" if not code.startswith("1") else "nanp"
        tier = "normal"
        # A split of a listed country is listed with it: 212 5288 is Morocco's network.
        if any(code[:length] in tca for length in range(1, len(code) + 1)):
            tier, source = "block", "tca"
        elif kind in BLOCKED_KINDS or code in BLOCKED_SERVICES:
            tier = "block"
        elif code in watched:
            tier, source = "watch", "lists"
        elif code in WATCHED_TEST_TARGETS:
            tier, source = "watch", "tests"
        out[code] = (code, iso2, kind, tier, name_en, name_ja, source)
    for more in (_nobody(), _by_hand(out)):
        out |= {row[0]: row for row in more if row[0] not in out}
    out |= {row[0]: row for row in _premium(out)}
    return sorted(out.values())


def _names(row: dict[str, str], kind: str) -> tuple[str, str]:
    """Give the names in English and Japanese, out of the way of the commas."""
    if kind == "unassigned":
        return "Unassigned", "未割当"
    name_en, name_ja = row["name_en"], row["name_ja"]
    for word in SMALL_WORDS:
        name_en = name_en.replace(word, word.lower())
    if kind == "country":
        own_en, own_ja = NAMES.get(row["iso2"], ("", ""))
        name_en, name_ja = own_en or name_en, own_ja or name_ja
    return name_en.replace(",", " -"), name_ja.replace(",", " -")


def _nobody() -> Iterator[Row]:
    """Give the forms that no North American area code has."""
    for code in NANP_NOBODY:
        yield code, "", "unassigned", "block", "Unassigned", "未割当", "nanp"


def _by_hand(out: dict[str, Row]) -> Iterator[Row]:
    """Give single ranges, each with its reason above."""
    yield ("76", "KZ", "country", "normal", *out["77"][4:6], "itu")
    yield ("75044", "RU", "country", "watch", *out["7"][4:6], "lists")
    yield (*PERSONAL, *_marked(out["44"], "personal numbers", "個人番号"), "tests")
    for code, (iso2, name_en, name_ja) in SERVICE_NUMBERS.items():
        yield code, iso2, "service", "watch", name_en, name_ja, "premium"


def _premium(out: dict[str, Row]) -> Iterator[Row]:
    """Give each country's premium-rate ranges, where leading digits tell them apart.

    Those of a listed country are listed with it.
    """
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        if regions == ("001",):
            continue  # the table has the codes that belong to no country
        for start in premium_starts(regions, MAX_CODE - len(str(code))):
            whole = f"{code}{start}"
            owner = max(
                (row for row in out.values() if whole.startswith(row[0])),
                key=lambda row: len(row[0]),
            )
            if owner[3] == "block" or owner[0] in SERVICE_NUMBERS:
                continue
            under = [row for row in out.values() if row[0].startswith(whole)]
            for row in (owner, *under):
                name = _marked(row, "premium rate", "有料情報")
                mine = whole if row is owner else row[0]
                yield mine, row[1], "premium", "block", *name, "premium"


def _marked(row: Row, what_en: str, what_ja: str) -> tuple[str, str]:
    return f"{row[4]} ({what_en})", f"{row[5]}({what_ja})"


def premium_starts(regions: tuple[str, ...], most: int) -> list[str]:
    """Find the leading digits that only premium-rate numbers of a country code have.

    National digits, at most `most`; as few as tell them from numbers of every other
    type, and more where the pattern goes on with one digit only: a range that opens
    beside it tomorrow is somebody else's.
    """
    premium: list[str] = []
    others: list[str] = []
    for region in regions:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
        for kind in TYPES:
            numbers = getattr(metadata, kind)
            pattern = numbers.national_number_pattern if numbers else None
            if pattern:
                (premium if kind == "premium_rate" else others).append(pattern)
    found: list[str] = []
    undecided = {""}
    for size in range(1, most + 1):
        if not undecided:
            break
        mine = _starts(premium, size, undecided)
        shared = mine & _starts(others, size, undecided)
        found += mine - shared
        undecided = shared
    return sorted(_lengthened(start, premium, most) for start in found)


def _lengthened(start: str, patterns: list[str], most: int) -> str:
    for size in range(len(start) + 1, most + 1):
        longer = _starts(patterns, size, {start})
        if len(longer) != 1:
            break
        start = longer.pop()
    return start


def _starts(patterns: list[str], size: int, under: set[str]) -> set[str]:
    """Give the ways in which matches can begin, in `size` digits, under given starts.

    Knows what libphonenumber's patterns are made of: digits, sets of digits, branches,
    groups and counted repeats.
    """
    deep = max(map(len, under), default=0)
    on_the_way = {start[:at] for start in under for at in range(deep + 1)}
    found: set[str] = set()
    for pattern in patterns:
        found |= _grow(regex_parser.parse(pattern), {""}, size, on_the_way)
    return {start for start in found if len(start) == size}


def _grow(items: Any, begun: set[str], size: int, on_the_way: set[str]) -> set[str]:
    """Continue what has begun by the parts of a parsed pattern."""
    deep = max(map(len, on_the_way))
    for op, arg in items:
        live = {start for start in begun if len(start) < size}
        if not live:
            return begun
        begun -= live
        if op is regex_ops.LITERAL:
            begun |= {start + chr(arg) for start in live}
        elif op is regex_ops.IN:
            chars = _members(arg)
            begun |= {start + char for start in live for char in chars}
        elif op is regex_ops.BRANCH:
            for branch in arg[1]:
                begun |= _grow(branch, set(live), size, on_the_way)
        elif op is regex_ops.SUBPATTERN:
            begun |= _grow(arg[3], live, size, on_the_way)
        elif op is regex_ops.MAX_REPEAT:
            least, longest, part = arg
            begun |= _repeated(least, longest, part, live, size, on_the_way)
        else:
            raise ValueError(f"{op} in a number pattern: expected none")
        begun = {start for start in begun if start[:deep] in on_the_way}
    return begun


def _repeated(
    least: int, longest: int, part: Any, live: set[str], size: int, way: set[str]
) -> set[str]:
    found = set() if least else set(live)
    for times in range(1, min(longest, size) + 1):
        live = _grow(part, set(live), size, way)
        if times >= min(least, size):
            found |= live
    return found


def _members(items: Any) -> set[str]:
    found: set[str] = set()
    for op, arg in items:
        if op is regex_ops.LITERAL:
            found.add(chr(arg))
        elif op is regex_ops.RANGE:
            found.update(map(chr, range(arg[0], arg[1] + 1)))
        else:  # \d
            found.update("0123456789")
    return found


def text(table: Iterable[Row]) -> str:
    """Write the list, with what its sources are called."""
    head = [
        "# Where an E.164 number leads: the longest code that it starts with counts.",
        "# tier: block = listed in the profile `office`; watch = judged and logged;",
        "# normal = nothing known. Made by build_destinations.py. Sources:",
        *(f"# {key} = {what}" for key, what in SOURCES.items()),
        "# The metadata is Copyright The Libphonenumber Authors, Apache License 2.0.",
        "# Names are those of CLDR, Copyright Unicode, Inc., Unicode License v3.",
        "code,iso2,kind,tier,name_en,name_ja,source",
    ]
    notice = "\n".join(head).replace("{version}", phonenumbers.__version__)
    return "\n".join([notice, *(",".join(row) for row in table)]) + "\n"


def main() -> int:
    """Run from the command line."""
    if len(sys.argv) != 4:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    countries, carriers, elsewhere = map(read, sys.argv[1:])
    sys.stdout.write(text(rows(countries, carriers, elsewhere)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
