"""What files a bundle holds, by name: the same in an archive as in a folder.

Knows names, kinds and how large each may be. It must not know how they are read. A
bundle that was unpacked with `tar xf` is a folder that the agent takes as it is.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

MANIFEST: Final = "MANIFEST"
SIGNATURE: Final = "MANIFEST.sig"

DESTINATIONS: Final = "destinations.csv"
COUNTRIES: Final = "geo/country.tbl"
RATES: Final = "rates.csv"
VECTORS: Final = "vectors.jsonl"
DIALPLANS: Final = "dialplans/"
TOML: Final = ".toml"


class Kind(NamedTuple):
    """A kind of file."""

    name: str
    most: int
    """Bytes of one; about ten times what the largest of today takes."""
    needed: bool
    """A bundle without one is none."""


RULE: Final = Kind("rule", 64 << 10, True)
DIALPLAN: Final = Kind("dial plan", 128 << 10, True)
DESTINATION: Final = Kind("destinations", 512 << 10, True)
COUNTRY: Final = Kind("country table", 2 << 20, True)
VECTOR: Final = Kind("vectors", 256 << 10, True)

RATE: Final = Kind("rates", 512 << 10, False)

KINDS: Final = (RULE, DIALPLAN, DESTINATION, COUNTRY, VECTOR, RATE)

_SINGLE: Final = {
    DESTINATIONS: DESTINATION,
    COUNTRIES: COUNTRY,
    VECTORS: VECTOR,
    RATES: RATE,
}


def kind_of(name: str) -> Kind | None:
    """Return what kind of file has that name; None for no kind of ours."""
    if name in _SINGLE:
        return _SINGLE[name]
    stem = name.removesuffix(TOML)
    if stem in (name, ""):
        return None
    folder, slash, plan = stem.rpartition("/")
    if not slash:
        return RULE
    return DIALPLAN if folder + slash == DIALPLANS and plan else None


def lacking(names: Iterable[str]) -> list[str]:
    """Return the kinds that a bundle needs and those names have none of."""
    there = {kind_of(name) for name in names}
    return [kind.name for kind in KINDS if kind.needed and kind not in there]
