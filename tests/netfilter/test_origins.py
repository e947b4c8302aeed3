"""Ranges for the kernel agree with what the agent would say, or leave it to it."""

import itertools

from ringfence.config import assemble, parse_config
from ringfence.facts import World
from ringfence.facts.network import parse_address
from ringfence.netfilter.origins import Range, exempt_of, networks_of


def world(text: str = "") -> World:
    return assemble(parse_config(text, "test")).world


def holds(ranges: tuple[tuple[Range, ...], tuple[Range, ...]], literal: str) -> bool:
    address = parse_address(literal)
    assert address is not None
    value = int.from_bytes(address)
    return any(a <= value <= b for a, b in ranges[len(address) == 16])


def test_ranges_are_sorted_and_apart() -> None:
    for ranges in (*networks_of(world()).not_foreign, *exempt_of(world()).exempt):
        assert ranges
        assert all(first <= last for first, last in ranges)
        assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(ranges))


def test_everything_certainly_foreign_is_foreign_to_the_agent() -> None:
    japan = world()
    ranges = networks_of(japan).not_foreign
    bits = {0: 32, 1: 128}
    checked = 0
    for index, family in enumerate(ranges):
        size = bits[index] // 8
        gaps = [(a[1] + 1, b[0] - 1) for a, b in itertools.pairwise(family)]
        for first, last in gaps[:: max(1, len(gaps) // 2_000)]:
            for value in (first, (first + last) // 2, last):
                assert not japan.origin(value.to_bytes(size)).home
                checked += 1
    assert checked > 5_000


def test_home_is_not_foreign() -> None:
    japan = world()
    home4, home6 = japan.countries.home_ranges({"JP"})
    ranges = networks_of(japan).not_foreign
    for first, last in home4[::50]:
        assert any(a <= first and last <= b for a, b in ranges.ipv4)
    for first, last in home6[::50]:
        assert any(a <= first and last <= b for a, b in ranges.ipv6)


def test_what_only_the_agent_can_tell_is_not_foreign() -> None:
    ranges = networks_of(world()).not_foreign
    for literal in ("2002:c000:201::1", "2001:0:1::1", "64:ff9b::c000:201"):
        assert holds(ranges, literal)
    assert holds(ranges, "100.64.0.1")
    assert not holds(ranges, "2001:db8:9::1")


def test_who_is_exempt() -> None:
    text = (
        '[network]\ninside = ["192.0.2.0/24", "2001:db8:1::/48"]\n'
        '[origin]\nallow = ["198.51.100.7", "2001:db8:2::1"]\n'
    )
    for networks in (exempt_of(world(text)), networks_of(world(text))):
        for literal in ("10.1.2.3", "192.0.2.255", "198.51.100.7", "fe80::1"):
            assert holds(networks.exempt, literal)
        for literal in ("2001:db8:1:ffff::", "2001:db8:2::1"):
            assert holds(networks.exempt, literal)
        for literal in ("192.0.3.0", "198.51.100.8", "2001:db8:2::2"):
            assert not holds(networks.exempt, literal)
    assert exempt_of(world(text)).not_foreign == ((), ())


def test_an_allowed_country_is_exempt_whole() -> None:
    dutch = world('[origin]\nallow = ["NL"]\n')
    first, last = dutch.countries.home_ranges({"NL"})[0][10]
    exempt = exempt_of(dutch).exempt.ipv4
    assert any(a <= first and last <= b for a, b in exempt)
    plain = exempt_of(world()).exempt.ipv4
    assert not any(a <= first and last <= b for a, b in plain)
