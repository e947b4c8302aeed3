"""Which addresses the kernel may judge by itself, as ranges for interval sets.

Knows a `World` and turns it into numbers; no ruleset text, no kernel. In doubt an
address is left to the agent: the sets say "certainly foreign" by what is not in them.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from ringfence.facts import World
from ringfence.facts.network import Network, parse_network

Range = tuple[int, int]
"""First and last address, as numbers."""

FOR_THE_AGENT: Final = (
    "100.64.0.0/10",  # shared address space: no country, counts as home (RFC 6598)
    # An address with an IPv4 address in it has that one's country: 6to4, Teredo,
    # mapped and the two NAT64 prefixes (see `facts.network.embedded_ipv4`).
    "2002::/16",
    "2001::/32",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
)
"""Networks whose origin takes more than a look into a table of ranges."""


class Ranges(NamedTuple):
    """Sorted ranges that neither overlap nor touch."""

    ipv4: tuple[Range, ...] = ()
    ipv6: tuple[Range, ...] = ()


class Networks(NamedTuple):
    """Whom the ruleset treats differently."""

    exempt: Ranges = Ranges()
    """Never banned, limited or foreign: our side and `origin.allow`."""
    not_foreign: Ranges = Ranges()
    """Home, the exempt, and those of whom only the agent can tell."""


NOBODY: Final = Networks()


def exempt_of(world: World) -> Networks:
    """List only the exempt: what a ruleset needs that judges no origin."""
    exempt4, exempt6 = _exempt(world)
    return Networks(exempt=Ranges(_merged(exempt4), _merged(exempt6)))


def networks_of(world: World) -> Networks:
    """List everybody; for Japan 11,000 ranges, 50 ms of work and 6 MB."""
    exempt4, exempt6 = _exempt(world)
    home4, home6 = world.countries.home_ranges(world.home)
    unsure4, unsure6 = _split(
        [parse_network(text, "for the agent") for text in FOR_THE_AGENT]
    )
    return Networks(
        exempt=Ranges(_merged(exempt4), _merged(exempt6)),
        not_foreign=Ranges(
            _merged([*home4, *exempt4, *unsure4]),
            _merged([*home6, *exempt6, *unsure6]),
        ),
    )


def _exempt(world: World) -> tuple[list[Range], list[Range]]:
    exempt4, exempt6 = _split([*world.inside.networks, *world.allow_networks.networks])
    # A look through the whole table for nothing would take as long.
    if world.allow_countries:
        allowed4, allowed6 = world.countries.home_ranges(world.allow_countries)
        exempt4 += allowed4
        exempt6 += allowed6
    return exempt4, exempt6


def _split(networks: Iterable[Network]) -> tuple[list[Range], list[Range]]:
    ranges: dict[int, list[Range]] = {32: [], 128: []}
    for network in networks:
        ranges[network.bits].append((network.first, network.last))
    return ranges[32], ranges[128]


def _merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)
