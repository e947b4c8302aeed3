"""Which addresses the kernel may judge by itself, as ranges for interval sets.

Knows a `World` and turns it into numbers; no ruleset text, no kernel. In doubt an
address is left to the agent: the sets say "certainly foreign" by what is not in them.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from ringfence.facts import World
from ringfence.facts.network import parse_network

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


NOBODY: Final = Ranges()


def exempt(world: World) -> Ranges:
    """List who is never banned, limited or foreign: our side and `origin.allow`."""
    networks = [*world.inside.networks, *world.allow_networks.networks]
    allowed4, allowed6 = world.countries.home_ranges(world.allow_countries)
    return Ranges(
        _merged([*allowed4, *((n.first, n.last) for n in networks if n.bits == 32)]),
        _merged([*allowed6, *((n.first, n.last) for n in networks if n.bits == 128)]),
    )


def not_foreign(world: World) -> Ranges:
    """List home, whoever is exempt, and what only the agent can tell."""
    home4, home6 = world.countries.home_ranges(world.home)
    others = exempt(world)
    unsure = [parse_network(text, "for the agent") for text in FOR_THE_AGENT]
    unsure4 = [(n.first, n.last) for n in unsure if n.bits == 32]
    unsure6 = [(n.first, n.last) for n in unsure if n.bits == 128]
    return Ranges(
        _merged([*home4, *others.ipv4, *unsure4]),
        _merged([*home6, *others.ipv6, *unsure6]),
    )


def _merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)
