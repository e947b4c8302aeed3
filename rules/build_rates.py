"""Build `rates.csv` from a table of prices, or check one.

    python rules/build_rates.py PRICES DESTINATIONS
    python rules/build_rates.py --check RATES DESTINATIONS

PRICES has code, iso2, jpy_per_min, charging_unit_s, basis, confidence and source;
DESTINATIONS is `destinations.csv`. Writes the table to standard output, or what is
wrong with the one to check.

Knows how sure each price is and where it comes from. The table holds the facts; prices
that it does not have and that would otherwise be far off are guessed here, with the
reason.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ringfence.calls.rates import ANYWHERE, ESTIMATE, RateTable
from ringfence.errors import BundleError
from ringfence.facts.numbers.destinations import Destinations

COLUMNS: Final = "code,iso2,price,unit_s,basis,confidence,source"
BASES: Final = {
    "estimator_default": ESTIMATE,
    "ntt_hikari": "ntt-hikari",
    "kddi_au_2015": "kddi-2015",
    "softbank_mobile_2017": "softbank-mobile-2017",
    "docomo_worldcall_2017_daytime": "docomo-2017-day",
    "docomo_worldcall_2019_daytime": "docomo-2019-day",
    "g-call_2004": "g-call-2004",
}
SOURCES: Final = {
    "kddi": "news.kddi.com of 2014-12-12, supplement 817: 20, 55, 65, 85 or 95 yen for"
    " 30 s, by region",
    "denwadaikou": "denwadaikou.co.jp, on NTT's rates: United States 9, Chad 250 (the"
    " dearest country), satellites 700 yen a minute",
    "denwa-hikari": "denwa-hikari.com/blog/hikaridenwa/2805: United States 9 (without"
    " Hawaii), China and Korea 30 yen a minute",
    "victim": "a victim's bill of NTT East: one call of 32 s to Sierra Leone, 175 yen",
    "itmedia": "itmedia.co.jp of 2017-07-05, mobile carriers by day",
    "docomo": "NTT Docomo's notices of 2019-03-25 and 2019-04-11, by day",
    "g-call": "g-call.com, rates of 2004",
    "memory": "NTT East's price list as remembered, not looked up",
    "neighbours": "what KDDI takes for the neighbours",
    "satellite": "as for satellites: nobody's price list was found",
    "none": "no price list names the country: KDDI's price for Europe and South-East"
    " Asia stands in",
}
_ORIGINS: Final = {
    "news.kddi.com": "kddi",
    "denwadaikou.co.jp": "denwadaikou",
    "denwa-hikari.com": "denwa-hikari",
    "seed 003": "victim",
    "itmedia.co.jp": "itmedia",
    "nttdocomo": "docomo",
    "g-call.com": "g-call",
    "memory": "memory",
}
_CONFIDENCES: Final = {
    "documented": "documented",
    "derived from seed": "derived",
    "documented tier, country-to-tier mapping guessed": "tier",
    "guess (recalled from NTT East tariff, not verified here)": "recalled",
}
_IN_PACIFIC: Final = {"MP", "AS", "GU"}
PACIFIC: Final = "40"
CARIBBEAN: Final = "190"
"""KDDI's prices for Guam, and for those islands of the North American plan that the
table has. Without them the other islands would cost what the United States do."""

Row = tuple[str, str, str, str, str, str, str]


def read(path: str) -> list[dict[str, str]]:
    """Read one table; lines that start with `#` do not count."""
    with Path(path).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(line for line in lines if line[:1] != "#"))


def rows(
    prices: list[dict[str, str]], destinations: list[dict[str, str]]
) -> Iterator[Row]:
    """Give every price its basis, confidence and source."""
    sure: dict[tuple[str, str], tuple[str, str]] = {}
    for row in prices:
        if row["basis"] != "estimator_default":
            source = next(
                key
                for start, key in _ORIGINS.items()
                if row["source"].startswith(start)
            )
            how = _CONFIDENCES[row["confidence"]], source
            # The table lists NTT's prices last; they count in the estimate.
            sure[row["code"], row["jpy_per_min"]] = how
            yield _row(row, BASES[row["basis"]], *how)
    known = set()
    for row in prices:
        if row["basis"] != "estimator_default":
            continue
        known.add(row["code"])
        how = sure.get((row["code"], row["jpy_per_min"]), ("guess", "satellite"))
        if row["code"] == ANYWHERE:
            how = "guess", "none"
        elif how[1] == "satellite" and "satellite" not in row["confidence"]:
            raise ValueError(f"{row['code']}: no price list has this estimate")
        yield _row(row, ESTIMATE, *how)
    for row in destinations:
        code, iso2 = row["code"], row["iso2"]
        if row["kind"] != "country" or code[0] != "1" or code in known:
            continue
        if iso2 not in ("US", "CA"):
            price = PACIFIC if iso2 in _IN_PACIFIC else CARIBBEAN
            yield code, iso2, price, "60", ESTIMATE, "guess", "neighbours"


def _row(row: dict[str, str], basis: str, confidence: str, source: str) -> Row:
    iso2 = row["iso2"] if row["iso2"].isalpha() else ""
    price, unit = row["jpy_per_min"], row["charging_unit_s"]
    return row["code"], iso2, price, unit, basis, confidence, source


def text(prices: list[dict[str, str]], destinations: list[dict[str, str]]) -> str:
    """Write the table, with what its sources are called."""
    head = [
        "# What a minute costs from a line in Japan, in yen, by the longest code that an",
        "# E.164 number starts with; every unit begun is paid. Of several rows with one",
        f"# code that of the basis asked for counts, else `{ESTIMATE}`: NTT's price where",
        "# it is known, else KDDI's; a line's own contract knows better. Made by",
        "# build_rates.py. confidence: documented; derived from a document; tier = the",
        "# price is documented, but not which countries have it; recalled = from memory;",
        "# guess. Sources:",
        *(f"# {key} = {what}" for key, what in SOURCES.items()),
        COLUMNS,
    ]
    table = sorted(rows(prices, destinations), key=lambda row: (row[4], row[0]))
    return "\n".join([*head, *(",".join(row) for row in table)]) + "\n"


def problems(rates: str, destinations: str) -> list[str]:
    """Say what is wrong with a table, given both as text."""
    try:
        table = RateTable.from_csv(rates, "rates")
        known = Destinations.from_csv(destinations, "destinations")
    except BundleError as error:
        return str(error).splitlines()
    found = [
        f"{code}: costs nothing, expected a price"
        for code in sorted(known.codes())
        if not table.find(code).price
    ]
    # One country's price must not stand in for another's that is far from it.
    for code in sorted(known.codes()):
        row, rate = known.find(code), table.find(code)
        if row is None or row.kind != "country" or rate.code in (ANYWHERE, code):
            continue
        owner = known.find(rate.code)
        if owner is None or owner.country == row.country or code[0] != "1":
            continue
        if row.country != "CA":
            found.append(f"{code}: {row.country} costs what {owner.country} does")
    sources = {line[2:].partition(" = ")[0] for line in rates.splitlines()}
    used = {line.split(",")[-1] for line in rates.splitlines() if line[:1] != "#"}
    found += [
        f"{source}: no such source at the top"
        for source in sorted(used - sources - {"source", ""})
    ]
    return found


def main() -> int:
    """Run from the command line."""
    arguments = sys.argv[1:]
    if len(arguments) == 3 and arguments[0] == "--check":
        rates, known = (Path(one).read_text(encoding="utf-8") for one in arguments[1:])
        found = problems(rates, known)
        sys.stdout.writelines(f"{line}\n" for line in found)
        return 1 if found else 0
    if len(arguments) != 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    sys.stdout.write(text(read(arguments[0]), read(arguments[1])))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
