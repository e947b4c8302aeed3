"""What a site knows before any packet comes: its home, its networks, its numbers.

Immutable and built whole from the configuration and the rules; a reload makes a new
one. Knows no message. It must not read files: its tables are given to it.
"""

from typing import Final, NamedTuple

from ringfence.facts.country import CountryTable, NetworkSet, scope
from ringfence.facts.numbers import NumberPolicy, NumberReader

INSIDE_ALWAYS: Final = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)
"""Networks that are on our side whatever the configuration says: nobody across the
Internet can answer from them. 100.64.0.0/10 (RFC 6598) is not one: it is the
provider's side of a shared NAT, so strangers live there."""


class Origin(NamedTuple):
    """Where an address is, as far as rules care."""

    country: str | None
    """ISO 3166-1 alpha-2; None when the table has none."""
    home: bool
    """True when registrations may come from there."""


class World(NamedTuple):
    """Everything that facts are measured against."""

    countries: CountryTable
    home: frozenset[str]
    inside: NetworkSet
    """`INSIDE_ALWAYS` and the configured networks."""
    reader: NumberReader
    numbers: NumberPolicy
    allow_networks: NetworkSet
    allow_countries: frozenset[str]
    block_networks: NetworkSet
    block_countries: frozenset[str]

    def origin(self, address: bytes) -> Origin:
        """Find the country of an address and whether it counts as home.

        An address from which nobody across the Internet can answer is home; one
        that the table does not know is not.
        """
        country = self.countries.country(address)
        if country is not None:
            return Origin(country, country in self.home or self.allowed(address))
        return Origin(None, scope(address) == "local" or self.allowed(address))

    def allowed(self, address: bytes) -> bool:
        """Tell whether the site's own list allows an address (`origin.allow`)."""
        if address in self.allow_networks:
            return True
        return bool(self.allow_countries) and (
            self.countries.country(address) in self.allow_countries
        )

    def blocked(self, address: bytes) -> bool:
        """Tell whether the site's own list blocks an address (`origin.block`)."""
        if address in self.block_networks:
            return True
        return bool(self.block_countries) and (
            self.countries.country(address) in self.block_countries
        )

    def abroad(self, address: bytes) -> bool:
        """Tell whether an address named inside a message is known to be abroad.

        Stricter than `not origin().home`: phones write private, unspecified and
        stale addresses into Contact and Via, and only a known foreign country says
        something about the sender.
        """
        country = self.countries.country(address)
        return (
            country is not None
            and country not in self.home
            and not self.allowed(address)
        )
