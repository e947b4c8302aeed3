"""What changes between two bundles, in words."""

import pytest
from bundles import CREATED, DAY, FILES, TABLE, bundle
from ringfence.bundle.checker import Bundle, unverified
from ringfence.bundle.difference import MOST_MOVES, compare
from ringfence.bundle.layout import COUNTRIES, DESTINATIONS, RATES, VECTORS
from ringfence.bundle.packed import pack
from ringfence.facts.country import CountryTable

OLD = unverified(bundle())
GUESSING = "password-guessing.toml"
PLAN = "dialplans/jp.toml"


def changed(name: str, *edits: tuple[str, str]) -> Bundle:
    """Make a bundle with one file edited, or another in its place."""
    text = FILES[name].decode()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return unverified(bundle({**FILES, name: text.encode()}))


def words(new: Bundle, old: Bundle = OLD) -> list[str]:
    return [str(change) for change in compare(old, new)]


def test_nothing() -> None:
    assert words(OLD) == []


def test_what_a_bundle_says_of_itself() -> None:
    new = unverified(bundle(version=43, created=CREATED + DAY, min_agent="0.5.0"))
    assert words(new) == [
        "bundle: version 42 → 43",
        "bundle: created 2026-11-18T11:06:40Z → 2026-11-19T11:06:40Z",
        "bundle: min-agent 0.4.0 → 0.5.0",
    ]


# Rules ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        (
            [("over = 5", "over = 4"), ("rev = 1", "rev = 2")],
            ["5 → 4 failures in 60s", "rev: 1 → 2"],
        ),
        (
            [('within = "60s"', 'within = "2m"'), ("rev = 1", "rev = 2")],
            ["5 failures in 60s → 5 failures in 2m", "rev: 1 → 2"],
        ),
        (
            [("over = 5", "over = 4")],
            ["5 → 4 failures in 60s", "its revision is still 1"],
        ),
        (
            [('verdict = "drop"', 'verdict = "reject"'), ("rev = 1", "rev = 2")],
            ["rev: 1 → 2", 'then.verdict: "drop" → "reject"'],
        ),
        (
            [('longest = "24h"', 'longest = "2h"'), ("rev = 1", "rev = 2")],
            ["rev: 1 → 2", 'then.ban.longest: "24h" → "2h"'],
        ),
        (
            [('side = "outside"\n', ""), ("rev = 1", "rev = 2")],
            ["rev: 1 → 2", 'match.side: no longer "outside"'],
        ),
        (
            [("One address keeps", "Somebody keeps"), ("rev = 1", "rev = 2")],
            ["rev: 1 → 2", "docs.what: other words"],
        ),
        (
            [('per = ["source"]', 'per = ["account"]'), ("rev = 1", "rev = 2")],
            [
                "rev: 1 → 2",
                'match.count.per: without "source"',
                'match.count.per: with "account"',
            ],
        ),
    ],
)
def test_a_rule(edits: list[tuple[str, str]], expected: list[str]) -> None:
    new = changed(GUESSING, *edits)
    assert words(new) == [f"rule password-guessing: {text}" for text in expected]


def test_rules_that_come_and_go() -> None:
    without = {name: data for name, data in FILES.items() if name != GUESSING}
    new = unverified(bundle(without))
    assert words(new) == ["rule password-guessing: gone"]
    assert words(OLD, new) == [
        "rule password-guessing: new: One address keeps failing SIP authentication."
    ]


def test_signatures_are_compared_by_name() -> None:
    shipped = FILES["blocked-destination.toml"].decode()
    revision = shipped.partition("rev = ")[2].partition("\n")[0]

    def rule(*signatures: str) -> Bundle:
        text = FILES["blocked-destination.toml"].decode()
        text = text.replace('method = "INVITE"\n', "").replace(
            'destination_status = "listed"\n', "".join(signatures)
        )
        return unverified(bundle({**FILES, "blocked-destination.toml": text.encode()}))

    one = '[[match.any]]\nname = "one"\nuser_agent = "x"\n'
    two = '[[match.any]]\nname = "two"\nuser_agent = "y"\n'
    found = words(rule(one.replace('"x"', '"z"'), two), rule(one))
    assert found == [
        'rule blocked-destination: match.any["one"].user_agent: "x" → "z"',
        'rule blocked-destination: match.any["two"]: now '
        '{"name": "two", "user_agent": "y"}',
        f"rule blocked-destination: its revision is still {revision}",
    ]
    assert words(rule(two, one), rule(one, two)) == [
        f"rule blocked-destination: its revision is still {revision}"
    ]


# Destinations -----------------------------------------------------------------------

LEONE = "232,SL,country,block,Sierra Leone,シエラレオネ,own\n"


def test_destinations_that_are_judged_otherwise() -> None:
    new = changed(DESTINATIONS, ("SL,country,block", "SL,country,normal"))
    assert words(new) == ["destinations: +232 Sierra Leone now normal (was block)"]
    assert words(OLD, new) == ["destinations: +232 Sierra Leone now block (was normal)"]


def test_rows_count_only_for_what_they_change() -> None:
    mobile = "23276,SL,country,{},Sierra Leone,シエラレオネ,own\n"
    same = changed(DESTINATIONS, (LEONE, LEONE + mobile.format("block")))
    assert words(same) == ["destinations: 1 more rows that change no tier"]
    assert words(OLD, same) == ["destinations: 1 less rows that change no tier"]
    other = changed(DESTINATIONS, (LEONE, LEONE + mobile.format("watch")))
    assert words(other) == [
        "destinations: +23276 Sierra Leone now watch (was block, by +232)"
    ]
    assert words(OLD, other) == [
        "destinations: +23276 Sierra Leone now block (was watch)"
    ]


def test_destinations_that_come_and_go() -> None:
    gone = changed(DESTINATIONS, (LEONE, ""))
    assert words(gone) == [
        "destinations: +232 Sierra Leone no longer listed (was block)"
    ]
    assert words(OLD, gone) == [
        "destinations: +232 Sierra Leone now block (was not listed)"
    ]


def test_codes_that_change_hands() -> None:
    new = changed(DESTINATIONS, (LEONE, LEONE.replace("SL,country", "SL,premium")))
    assert words(new) == [
        "destinations: +232 Sierra Leone (premium) and no longer Sierra Leone (country); "
        "still block"
    ]


# Dial plans, tables, vectors ----------------------------------------------------------


RATES_HEAD = (
    "code,iso2,price,unit_s,basis,confidence,source\n*,,130,60,estimate,guess,x\n"
)


def priced(*rows: str) -> Bundle:
    """Make a bundle with a rate table."""
    text = RATES_HEAD + "".join(f"{row},estimate,guess,x\n" for row in rows)
    return unverified(bundle({**FILES, RATES: text.encode()}))


def test_prices() -> None:
    old = priced("1,US,9,60", "232,SL,175,60")
    new = priced("1,US,9.5,60", "44,GB,20,30")
    assert words(old, old) == []
    assert words(new, old) == [
        "rates 1: 9 a minute in units of 60 s → 9.5 a minute in units of 60 s",
        "rates 232: 175 a minute in units of 60 s → none",
        "rates 44: none → 20 a minute in units of 30 s",
    ]
    assert words(old) == ["rates: new"]
    assert words(OLD, old) == ["rates: gone"]


def test_a_dial_plan() -> None:
    new = changed(PLAN, ('idd = ["010"]', 'idd = ["010", "009"]'))
    assert words(new) == ['dial plan jp: idd: with "009"']
    new = changed(PLAN, ('["03XXXXXXXX"]', '["03XXXXXXXX", "06XXXXXXXX"]'))
    assert words(new) == [
        'dial plan jp: numbers["domestic_fixed"].forms: with "06XXXXXXXX"'
    ]


def test_dial_plans_that_come_and_go() -> None:
    new = unverified(bundle({**FILES, "dialplans/us.toml": FILES[PLAN]}))
    assert words(new) == ["dial plan us: new"]
    assert words(OLD, new) == [
        "dial plan us: gone: sites that use it refuse the bundle"
    ]


def table(*ranges: tuple[int, int, str], source: str = "made-up 1.0") -> Bundle:
    six = [(0x20010DB8_0081 << 80, ((0x20010DB8_0081 + 1) << 80) - 1, "JP")]
    made = CountryTable.build(ranges, six, source, "2026-11-01")
    return unverified(bundle({**FILES, COUNTRIES: pack(made.columns)}))


def test_addresses_that_change_hands() -> None:
    new = table((0xC6336400, 0xC63364FF, "JP"), (0xC0000200, 0xC000027F, "NL"))
    assert words(new) == ["country table: 128 IPv4 addresses NL → nobody"]
    new = table((0xC6336400, 0xC63364FF, "US"), (0xC0000200, 0xC00002FF, "NL"))
    assert words(new) == ["country table: 256 IPv4 addresses JP → US"]
    assert words(OLD, new) == ["country table: 256 IPv4 addresses US → JP"]
    edges = ((0, 0, "AU"), (0xFFFFFF00, 0xFFFFFFFE, "AU"))
    last = table(*sorted((*TWO, *edges)))
    assert words(last) == ["country table: 256 IPv4 addresses nobody → AU"]


TWO = ((0xC6336400, 0xC63364FF, "JP"), (0xC0000200, 0xC00002FF, "NL"))


def test_ipv6_is_counted_by_64s() -> None:
    made = CountryTable.build(TWO, [], "made-up 1.0", "2026-11-01")
    new = unverified(bundle({**FILES, COUNTRIES: pack(made.columns)}))
    assert words(new) == ["country table: 65,536 IPv6 /64 networks JP → nobody"]


def test_another_edition_of_the_table() -> None:
    assert words(table(*TWO, source="made-up 2.0")) == [
        "country table: made-up 1.0 of 2026-11-01 → made-up 2.0 of 2026-11-01"
    ]
    assert TABLE.source == "made-up 1.0"


def test_no_more_moves_than_a_person_reads() -> None:
    letters = [f"{a}{b}" for a in "ABCDE" for b in "ABCDEFGH"][: MOST_MOVES + 2]
    many = [(n << 8, (n << 8) + n, name) for n, name in enumerate(letters, 1)]
    found = words(table(*TWO, *many))
    assert len(found) == MOST_MOVES + 1
    assert found[0] == f"country table: {MOST_MOVES + 3} IPv4 addresses nobody → CF"
    assert found[-1] == "country table: 2 smaller moves of IPv4 addresses"


def test_vectors() -> None:
    new = changed(VECTORS, ('"119"', '"118"'))
    assert words(new) == ["vectors: 1 new, 1 gone, 3 in all"]
