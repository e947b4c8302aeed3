"""Build `destinations.csv` from tables of country codes and of fraud destinations.

    python rules/build_destinations.py COUNTRIES FRAUD_CARRIERS FRAUD_ELSEWHERE

Knows which table gives which tier; the tables hold the facts. COUNTRIES has code,
iso2, name_en, name_ja and kind; the other two have code and, the second, tier. Writes
the list to standard output.
"""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path

SOURCES = {
    "e164": "libphonenumber metadata 9.0.43 (Apache-2.0), names from CLDR",
    "itu": "ITU-T E.164 usage of codes that belong to no country",
    "nanp": "North American Numbering Plan: forms no area code has",
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
EXTRA = [
    ("10", "", "unassigned", "block", "Unassigned", "未割当", "nanp"),
    ("11", "", "unassigned", "block", "Unassigned", "未割当", "nanp"),
    ("75044", "RU", "country", "watch", "Russia", "ロシア", "lists"),
]
SMALL_WORDS = (" And ", " Of ", " The ", " D'")

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
    out: list[Row] = list(EXTRA)
    for row in countries:
        code, kind = row["code"], KINDS.get(row["kind"], "country")
        iso2 = row["iso2"] if row["iso2"].isalpha() else ""
        name_en, name_ja, source = row["name_en"], row["name_ja"], "e164"
        for word in SMALL_WORDS:
            name_en = name_en.replace(word, word.lower())
        if kind == "unassigned":
            iso2, name_en, name_ja, source = "", "Unassigned", "未割当", "itu"
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
        out.append((code, iso2, kind, tier, plain(name_en), plain(name_ja), source))
    return sorted(out)


def plain(name: str) -> str:
    """Keep a name out of the way of the commas."""
    return name.replace(",", " -").replace('"', "")


def text(table: Iterable[Row]) -> str:
    """Write the list, with what its sources are called."""
    head = [
        "# Where an E.164 number leads: the longest code that it starts with counts.",
        "# tier: block = listed in the profile `office`; watch = judged and logged;",
        "# normal = nothing known. Made by build_destinations.py. Sources:",
        *(f"# {key} = {what}" for key, what in SOURCES.items()),
        "code,iso2,kind,tier,name_en,name_ja,source",
    ]
    return "\n".join(head + [",".join(row) for row in table]) + "\n"


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
