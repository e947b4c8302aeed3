"""Addresses by themselves: text, scope, networks."""

import ipaddress
import socket
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.errors import ConfigError
from ringfence.facts.network import (
    LONGEST_LITERAL,
    Network,
    NetworkSet,
    embedded_ipv4,
    flatten,
    format_address,
    parse_address,
    parse_network,
    scope,
    special_ranges,
)

ADDRESSES = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)


def packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def by_inet_pton(text: str) -> bytes | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
    return None


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.1",
        "0.0.0.0",  # noqa: S104
        "255.255.255.255",
        "256.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        "1..2.3",
        "01.2.3.4",
        "1.2.3.4 ",
        "+1.2.3.4",
        "1.2.3.\u0664",
        "0x7f.0.0.1",
        "2130706433",
        "",
        "::",
        "::1",
        "2001:db8::192.0.2.1",
        "::ffff:192.0.2.1",
        "2001:db8::1::2",
        "12345::",
        "1:2:3:4:5:6:7:8:9",
        "fe80::1%eth0",
        "[::1]",
        "example.com",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
    ],
)
def test_literals_are_read_as_inet_pton_reads_them(text: str) -> None:
    assert parse_address(text) == by_inet_pton(text)


@given(st.text(st.sampled_from("0123456789abcdefF:./%x \u0661"), max_size=50))
def test_any_text_is_read_as_inet_pton_reads_it(text: str) -> None:
    assert parse_address(text) == by_inet_pton(text)


@given(ADDRESSES)
def test_text_of_an_address_reads_back(address: bytes) -> None:
    assert parse_address(format_address(address)) == address


def test_the_longest_literal_is_read_and_one_more_character_is_not() -> None:
    longest = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"
    assert len(longest) == LONGEST_LITERAL
    assert parse_address(longest) == b"\xff" * 16
    assert parse_address(longest + "0") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # RFC 1918, RFC 6598, RFC 1122, RFC 3927: both ends and the next address out
        ("9.255.255.255", "global"),
        ("10.0.0.0", "local"),
        ("10.255.255.255", "local"),
        ("11.0.0.0", "global"),
        ("100.63.255.255", "global"),
        ("100.64.0.0", "local"),
        ("100.127.255.255", "local"),
        ("100.128.0.0", "global"),
        ("127.0.0.1", "local"),
        ("169.253.255.255", "global"),
        ("169.254.0.0", "local"),
        ("169.255.0.0", "global"),
        ("172.15.255.255", "global"),
        ("172.16.0.0", "local"),
        ("172.31.255.255", "local"),
        ("172.32.0.0", "global"),
        ("192.167.255.255", "global"),
        ("192.168.0.0", "local"),
        ("192.168.255.255", "local"),
        ("192.169.0.0", "global"),
        # nobody's
        ("0.0.0.0", "special"),  # noqa: S104
        ("0.255.255.255", "special"),
        ("1.0.0.0", "global"),
        ("191.255.255.255", "global"),
        ("192.0.0.0", "special"),
        ("192.0.0.255", "special"),
        ("192.0.1.0", "global"),
        ("192.0.2.255", "special"),
        ("192.88.99.1", "special"),
        ("198.17.255.255", "global"),
        ("198.19.255.255", "special"),
        ("198.51.100.7", "special"),
        ("203.0.113.7", "special"),
        ("223.255.255.255", "global"),
        ("224.0.1.75", "special"),
        ("239.255.255.255", "special"),
        ("240.0.0.0", "special"),
        ("255.255.255.255", "special"),
        # IPv6
        ("::", "special"),
        ("::1", "local"),
        ("::2", "special"),
        ("100::1", "special"),
        ("1fff:ffff::", "special"),
        ("2000::", "global"),
        ("2001:2::1", "special"),
        ("2001:20::1", "special"),
        ("2001:200::", "global"),
        ("2001:240::1", "global"),
        ("2001:db7:ffff::", "global"),
        ("2001:db8::1", "special"),
        ("2001:db9::", "global"),
        ("3fff:fff::1", "special"),
        ("3fff:1000::", "global"),
        ("3fff:ffff::", "global"),
        ("4000::", "special"),
        ("fbff::", "special"),
        ("fc00::", "local"),
        ("fdff:ffff::1", "local"),
        ("fe00::", "special"),
        ("fe80::1", "local"),
        ("febf:ffff::1", "local"),
        ("fec0::1", "special"),
        ("ff02::1", "special"),
    ],
)
def test_scope(text: str, expected: str) -> None:
    assert scope(packed(text)) == expected


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("2002:cb00:7107::1", "203.0.113.7"),  # 6to4
        ("64:ff9b::203.0.113.7", "203.0.113.7"),  # NAT64
        ("64:ff9b:1::203.0.113.7", "203.0.113.7"),  # local-use, a /96 in it
        ("64:ff9b:1:42::203.0.113.7", "203.0.113.7"),
        ("64:ff9b:1:42:cb:71:700:0", "203.0.113.7"),  # the same, a /64 in it
        ("64:ff9b:1:c6:33:6407::", "0.0.0.0"),  # noqa: S104 - /56 or /48: cannot be told
        ("::ffff:203.0.113.7", "203.0.113.7"),  # mapped
        # Teredo: the example of RFC 4380 section 4 has server 65.54.227.120, client
        # 192.0.2.45 behind port 40000
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"),
        ("2001:240::1", None),
        ("2003::1", None),
        ("64:ff9b:0:0:1::1", None),
        ("64:ff9b:2::1", None),
        ("::fffe:203.0.113.7", None),
        ("::203.0.113.7", None),
        ("2001:1::1", None),
    ],
)
def test_embedded_ipv4(text: str, inner: str | None) -> None:
    found = embedded_ipv4(packed(text))
    assert found == (None if inner is None else packed(inner))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2002:808:808::1", "global"),
        ("64:ff9b::8.8.8.8", "global"),
        ("64:ff9b:1::8.8.8.8", "global"),
        ("::ffff:8.8.8.8", "global"),
        ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", "global"),
        ("2002:cb00:7107::1", "special"),
        ("::ffff:203.0.113.7", "special"),
        # written for what it is, or by a translator on our side
        ("::ffff:10.0.0.1", "local"),
        ("64:ff9b:1::10.0.0.1", "local"),
        # what crosses the Internet in IPv6 cannot claim to be from our side
        ("2002:a00:1::1", "special"),
        ("2002:7f00:1::1", "special"),
        ("64:ff9b::10.0.0.1", "special"),
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", "special"),
    ],
)
def test_scope_of_embedded_addresses(text: str, expected: str) -> None:
    assert scope(packed(text)) == expected


@given(ADDRESSES)
def test_every_address_has_a_scope(address: bytes) -> None:
    assert scope(address) in ("local", "special", "global")


@given(ADDRESSES)
def test_what_is_global_is_outside_the_special_ranges(address: bytes) -> None:
    value = int.from_bytes(address)
    ranges = special_ranges(len(address) * 8)
    listed = any(first <= value <= last for first, last in ranges)
    if len(address) == 16 and embedded_ipv4(address) is not None:
        assert listed
    else:
        assert listed == (scope(address) != "global")


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("::/0", "::/0"),
    ],
)
def test_networks_are_read_and_written(text: str, network: str) -> None:
    assert str(parse_network(text, "x")) == network
    expected = ipaddress.ip_network(network)
    assert parse_network(text, "x") == Network(
        expected.max_prefixlen,
        int(expected.network_address),
        int(expected.broadcast_address),
    )


def test_every_bad_network_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        NetworkSet.parse(
            [
                "192.168.1.5/24",
                "10.0.0.0/8",
                "2001:db8::5/64",
                "10.0.0.0/33",
                "2001:db8::/129",
                "10.0.0.0/",
                "10.0.0.0/-1",
                "10.0.0.0/255.0.0.0",
                "010.0.0.0/8",
                "router.example",
                "",
            ],
            "network.inside",
        )
    shape = "expected an address or a network such as 192.0.2.0/24 or 2001:db8::/32"
    assert caught.value.problems == [
        'network.inside[0] = "192.168.1.5/24": host bits are set; expected '
        "192.168.1.0/24 for the network or 192.168.1.5 for the one address",
        'network.inside[2] = "2001:db8::5/64": host bits are set; expected '
        "2001:db8::/64 for the network or 2001:db8::5 for the one address",
        'network.inside[3] = "10.0.0.0/33": expected a length from 0 to 32 after "/"',
        'network.inside[4] = "2001:db8::/129": expected a length from 0 to 128 '
        'after "/"',
        'network.inside[5] = "10.0.0.0/": expected a length from 0 to 32 after "/"',
        'network.inside[6] = "10.0.0.0/-1": expected a length from 0 to 32 after "/"',
        'network.inside[7] = "10.0.0.0/255.0.0.0": expected a length from 0 to 32 '
        'after "/"',
        f'network.inside[8] = "010.0.0.0/8": {shape}',
        f'network.inside[9] = "router.example": {shape}',
        f'network.inside[10] = "": {shape}',
    ]


def test_borders_of_a_network_set() -> None:
    inside = NetworkSet.parse(
        ["192.0.2.0/25", "192.0.2.128/25", "192.0.2.64/26", "10.0.0.1", "fd00::/8"],
        "x",
    )
    assert bool(inside)
    for text in ("192.0.2.0", "192.0.2.255", "10.0.0.1", "fd00::", "fdff:ffff::"):
        assert packed(text) in inside
    for text in (
        "192.0.1.255",
        "192.0.3.0",
        "10.0.0.0",
        "10.0.0.2",
        "fcff::",
        "fe00::",
    ):
        assert packed(text) not in inside


def test_the_empty_set_and_the_whole_space() -> None:
    assert not NetworkSet()
    assert packed("192.0.2.1") not in NetworkSet()
    assert packed("::") not in NetworkSet()
    everything = NetworkSet.parse(["0.0.0.0/0"], "x")
    assert bytes(4) in everything
    assert packed("255.255.255.255") in everything
    assert packed("::") not in everything


def test_sets_of_the_same_networks_are_equal() -> None:
    one = NetworkSet.parse(["10.0.0.0/8", "::1"], "x")
    other = NetworkSet.parse(["::1/128", "10.0.0.0/8", "10.0.0.0/8"], "y")
    assert one == other
    assert hash(one) == hash(other)
    assert one != NetworkSet.parse(["10.0.0.0/9"], "x")
    assert repr(one) == "NetworkSet(10.0.0.0/8, ::1/128)"


@st.composite
def networks(draw: st.DrawFn) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    address = draw(ADDRESSES)
    # Few distinct bits, so that networks nest and touch often.
    address = bytes([octet & 0x81 for octet in address])
    length = draw(st.integers(0, len(address) * 8))
    return ipaddress.ip_network((address, length), strict=False)


@given(st.lists(networks(), max_size=8), ADDRESSES)
def test_a_network_set_agrees_with_ipaddress(
    members: list[ipaddress.IPv4Network | ipaddress.IPv6Network], address: bytes
) -> None:
    address = bytes([octet & 0x81 for octet in address])
    inside = NetworkSet.parse(map(str, members), "x")
    expected = any(ipaddress.ip_address(address) in member for member in members)
    assert (address in inside) == expected


@given(st.lists(networks(), max_size=8), st.binary(min_size=4, max_size=4))
def test_the_innermost_range_wins(
    members: list[ipaddress.IPv4Network | ipaddress.IPv6Network], address: bytes
) -> None:
    mine = {str(member): member for member in members if member.version == 4}
    starts, labels = flatten(
        (int(member.network_address), int(member.broadcast_address), text)
        for text, member in mine.items()
    )
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert all(a != b for a, b in pairwise(labels))
    value = int.from_bytes(bytes([octet & 0x81 for octet in address]))
    holding = [m for m in mine.values() if ipaddress.ip_address(value) in m]
    expected = max(holding, key=lambda m: m.prefixlen, default=None)
    found = [
        label for start, label in zip(starts, labels, strict=True) if start <= value
    ][-1]
    assert found == (None if expected is None else str(expected))
