"""The country table: borders, embedded addresses, tables from lines."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.errors import BundleError, ConfigError
from ringfence.facts.columns import DIVIDED, HEADER_SIZE, write_columns
from ringfence.facts.country import ISO_COUNTRIES, CountryTable

ADDRESSES = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)


def packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def ranges(*rows: tuple[str, str, str]) -> list[tuple[int, int, str]]:
    return [
        (int.from_bytes(packed(first)), int.from_bytes(packed(last)), country)
        for first, last, country in rows
    ]


MADE_UP = CountryTable.build(
    ranges(
        ("1.0.0.0", "1.0.0.255", "AU"),
        ("1.0.1.0", "1.0.1.255", "JP"),
        ("1.0.2.7", "1.0.2.7", "JP"),
        ("8.8.8.0", "8.8.8.255", "US"),
        ("223.255.255.255", "223.255.255.255", "NL"),
    ),
    ranges(
        ("2400::", "2400:0:0:f:ffff:ffff:ffff:ffff", "JP"),
        ("2400:0:0:10::", "2400:0:0:10::f", "DE"),
        ("2400:0:0:10::10", "2400:0:0:10::1f", "GB"),
        ("2400:0:0:10::30", "2400:0:0:11::", "JP"),
        ("2a00::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "NL"),
    ),
    "made-up 1",
    "2026-06-25",
)
"""Ranges beside each other, of one address, at an octet's end, and split /64s."""


@pytest.fixture(params=["built", "mapped"])
def table(request: pytest.FixtureRequest) -> CountryTable:
    """The same rows in lists, and in views of one buffer."""
    if request.param == "built":
        return MADE_UP
    return CountryTable.from_buffer(write_columns(MADE_UP.columns))


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("0.0.0.0", None),  # noqa: S104
        ("0.255.255.255", None),
        ("1.0.0.0", "AU"),
        ("1.0.0.255", "AU"),
        ("1.0.1.0", "JP"),
        ("1.0.1.255", "JP"),
        ("1.0.2.0", None),
        ("1.0.2.6", None),
        ("1.0.2.7", "JP"),
        ("1.0.2.8", None),
        ("8.8.7.255", None),
        ("8.8.8.0", "US"),
        ("8.8.8.255", "US"),
        ("8.8.9.0", None),
        ("223.255.255.254", None),
        ("223.255.255.255", "NL"),
        ("224.0.0.0", None),
        ("255.255.255.255", None),
        ("::", None),
        ("23ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ("2400::", "JP"),
        ("2400:0:0:f:ffff:ffff:ffff:ffff", "JP"),
        ("2400:0:0:10::", "DE"),
        ("2400:0:0:10::f", "DE"),
        ("2400:0:0:10::10", "GB"),
        ("2400:0:0:10::1f", "GB"),
        ("2400:0:0:10::20", None),
        ("2400:0:0:10::2f", None),
        ("2400:0:0:10::30", "JP"),
        ("2400:0:0:10:ffff:ffff:ffff:ffff", "JP"),
        ("2400:0:0:11::", "JP"),
        ("2400:0:0:11::1", None),
        ("2400:0:0:12::", None),
        ("29ff:ffff::", None),
        ("2a00::", "NL"),
        ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "NL"),
        ("4000::", None),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
        # judged by the IPv4 address in them
        ("2002:808:808::1", "US"),
        ("2002:808:908::1", None),
        ("64:ff9b::8.8.8.8", "US"),
        ("64:ff9b:1::8.8.8.8", "US"),
        ("::ffff:8.8.8.8", "US"),
        ("2001:0:100:100:8000:63bf:f7f7:f7f7", "US"),  # Teredo, its server is JP
        ("2001:0:808:808:8000:63bf:feff:fefe", "JP"),  # Teredo, its server is US
    ],
)
def test_borders(table: CountryTable, text: str, country: str | None) -> None:
    assert table.country(packed(text)) == country


def test_the_made_up_table_has_divided_blocks() -> None:
    assert list(MADE_UP.columns.codes6).count(DIVIDED) == 2
    MADE_UP.columns.check()


def test_source_and_date_survive(table: CountryTable) -> None:
    assert (table.source, table.date) == ("made-up 1", "2026-06-25")


@given(ADDRESSES)
def test_any_address_has_a_country_or_none(address: bytes) -> None:
    for table in (MADE_UP, CountryTable.from_lines([], "empty")):
        country = table.country(address)
        assert country is None or country in ISO_COUNTRIES


def test_home_ranges(table: CountryTable) -> None:
    assert table.home_ranges({"JP"}) == (
        [(0x01000100, 0x010001FF), (0x01000207, 0x01000207)],
        [
            row[:2]
            for row in ranges(
                ("2400::", "2400:0:0:f:ffff:ffff:ffff:ffff", ""),
                ("2400:0:0:10::30", "2400:0:0:11::", ""),
            )
        ],
    )


def test_ranges_one_by_one(table: CountryTable) -> None:
    assert list(table.each_range4({"JP"})) == table.home_ranges({"JP"})[0]
    assert list(table.each_range4(set())) == []
    whole = CountryTable.from_lines(["0.0.0.0/0,JP"], "x")
    assert list(whole.each_range4({"JP"})) == [(0, (1 << 32) - 1)]


def test_home_ranges_that_touch_are_one(table: CountryTable) -> None:
    ranges4, ranges6 = table.home_ranges({"JP", "AU", "DE", "GB"})
    assert ranges4[0] == (0x01000000, 0x010001FF)
    assert ranges6 == [
        row[:2]
        for row in ranges(
            ("2400::", "2400:0:0:10::1f", ""),
            ("2400:0:0:10::30", "2400:0:0:11::", ""),
        )
    ]


def test_home_ranges_reach_the_ends_of_the_space() -> None:
    table = CountryTable.from_lines(["0.0.0.0/0,JP", "::/0,JP"], "x")
    assert table.home_ranges({"JP"}) == (
        [(0, (1 << 32) - 1)],
        [(0, (1 << 128) - 1)],
    )
    table = CountryTable.from_lines([f"{'f' * 4}{':ffff' * 7},JP"], "x")
    assert table.home_ranges({"JP"}) == ([], [((1 << 128) - 1,) * 2])
    assert table.home_ranges(set()) == ([], [])


@given(st.lists(ADDRESSES, max_size=20), st.sets(st.sampled_from(["JP", "NL", "DE"])))
def test_home_ranges_agree_with_country(
    addresses: list[bytes], codes: set[str]
) -> None:
    ranges4, ranges6 = MADE_UP.home_ranges(codes)
    for address in addresses:
        if len(address) == 16:
            address = b"\x24" + bytes(6) + bytes([address[0] & 0x13]) + address[8:]
        value = int.from_bytes(address)
        listed = any(
            first <= value <= last
            for first, last in (ranges4 if len(address) == 4 else ranges6)
        )
        assert listed == (MADE_UP.country(address) in codes)


def test_header_truncations_are_refused() -> None:
    whole = write_columns(MADE_UP.columns)
    for length in range(HEADER_SIZE + 1):
        with pytest.raises(BundleError, match="country table of"):
            CountryTable.from_buffer(whole[:length])


def test_more_countries_than_a_byte_can_name_are_refused() -> None:
    def made(count: int) -> CountryTable:
        return CountryTable.build(
            [(n << 8, (n << 8) + 9, f"{n:03}") for n in range(count)], []
        )

    assert made(DIVIDED - 1).country((253 << 8).to_bytes(4)) == "253"
    with pytest.raises(BundleError, match="255 countries: expected at most 254"):
        made(DIVIDED)


LABORATORY = """
# network,CC        a laboratory's addresses have no country otherwise

198.51.100.0/24,NL
198.51.100.64/26, JP     # the longest prefix wins
198.51.100.70,US
10.0.0.0/8,DE
2001:db8::/32,NL
2001:db8:1::/48,JP
2001:db8:1::5,US
"""


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("198.51.99.255", None),
        ("198.51.100.0", "NL"),
        ("198.51.100.63", "NL"),
        ("198.51.100.64", "JP"),
        ("198.51.100.69", "JP"),
        ("198.51.100.70", "US"),
        ("198.51.100.71", "JP"),
        ("198.51.100.127", "JP"),
        ("198.51.100.128", "NL"),
        ("198.51.101.0", None),
        ("10.200.0.1", "DE"),
        ("8.8.8.8", None),
        ("2001:db8::1", "NL"),
        ("2001:db8:1::4", "JP"),
        ("2001:db8:1::5", "US"),
        ("2001:db8:1::6", "JP"),
        ("2001:db8:2::", "NL"),
        ("2001:db9::", None),
        ("2002:c633:6446::1", "US"),  # 6to4 of 198.51.100.70
    ],
)
def test_a_table_from_lines(text: str, country: str | None) -> None:
    table = CountryTable.from_lines(LABORATORY.splitlines(), "lab.csv")
    assert table.country(packed(text)) == country
    assert table.source == "lab.csv"


def test_every_bad_line_is_named_at_once() -> None:
    lines = [
        "198.51.100.7/24,NL",
        "198.51.100.0/24,NL",
        "198.51.100.0/24,JP",
        "203.0.113.0/24",
        "203.0.113.0/24,jp",
        "192.0.2.0/24,UK",
        "192.0.2.0/40,ZZ",
        "nonsense",
        "2002:c633:6400::/40,JP",
        "::ffff:0:0/96,JP",
        "2001::/32,JP",
        "::/0,JP",
    ]
    with pytest.raises(ConfigError) as caught:
        CountryTable.from_lines(lines, "lab.csv")
    shape = (
        "expected network,CC with an ISO 3166-1 country code in capitals, such as "
        "198.51.100.0/24,NL"
    )
    inner = (
        "these addresses are judged by the IPv4 address in them; "
        "expected that IPv4 network"
    )
    assert caught.value.problems == [
        'lab.csv:1 = "198.51.100.7/24": host bits are set; expected '
        "198.51.100.0/24 for the network or 198.51.100.7 for the one address",
        'lab.csv:3 = "198.51.100.0/24": also on line 2; expected each network once',
        f'lab.csv:4 = "203.0.113.0/24": {shape}',
        f'lab.csv:5 = "203.0.113.0/24,jp": {shape}',
        'lab.csv:5 = "203.0.113.0/24": also on line 4; expected each network once',
        f'lab.csv:6 = "192.0.2.0/24,UK": {shape}',
        f'lab.csv:7 = "192.0.2.0/40,ZZ": {shape}',
        'lab.csv:7 = "192.0.2.0/40": expected a length from 0 to 32 after "/"',
        f'lab.csv:8 = "nonsense": {shape}',
        'lab.csv:8 = "nonsense": expected an address or a network such as '
        "192.0.2.0/24 or 2001:db8::/32",
        f'lab.csv:9 = "2002:c633:6400::/40": {inner}',
        f'lab.csv:10 = "::ffff:0:0/96": {inner}',
        f'lab.csv:11 = "2001::/32": {inner}',
    ]


def test_iso_codes() -> None:
    assert len(ISO_COUNTRIES) == 249 + 3
    assert {"JP", "US", "GB", "XK", "EU", "AP"} <= ISO_COUNTRIES
    assert not {"UK", "ZZ", "AN", "SU", "??", "A1"} & ISO_COUNTRIES
