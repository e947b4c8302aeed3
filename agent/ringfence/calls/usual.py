"""From where an account signs in, as a short text: `JP:0-41,c633:0-41,cb00:12-30`.

Knows how a source is written: a country, or the first half of a network address, with
the days on which it was seen first and last. It must not know what is made of it.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

MAX_USUAL: Final = 8
"""Sources of an account that count as usual: a desk has two, a network and a country; a
mobile phone some more."""

MAX_NEW: Final = 4
"""Sources of an account that may become usual. Apart from the others, so that nobody
who signs in from everywhere in one day can push out what is usual."""

MAX_DAY: Final = 99_999
"""Days counted to: 270 years."""

_SOURCE: Final = re.compile(
    r"([A-Z]{2}|[0-9a-f]{4}|[0-9a-f]{8}):([0-9]{1,5})-([0-9]{1,5})", re.ASCII
)


class Source(NamedTuple):
    """A country or network that an account was seen from."""

    key: str
    """ISO 3166-1 alpha-2, or see `source_key`."""
    first: int
    """Day watched."""
    last: int


def source_key(address: bytes) -> str:
    """Return the part of an address that a phone's provider keeps: /16, for IPv6 /32.

    Access lines get another address at every start, mostly from the same block; RIRs
    allocate IPv6 by /32 and more.
    """
    return address[:2].hex() if len(address) == 4 else address[:4].hex()


def read_sources(text: object) -> list[Source] | None:
    """Read what `write_sources` wrote; None for anything else."""
    if not isinstance(text, str):
        return None
    if not text:
        return []
    parts = text.split(",", MAX_USUAL + MAX_NEW)
    found: list[Source] = []
    for part in parts:
        match = _SOURCE.fullmatch(part)
        if match is None or int(match[2]) > int(match[3]):
            return None
        found.append(Source(match[1], int(match[2]), int(match[3])))
    if len(found) > MAX_USUAL + MAX_NEW or len({one.key for one in found}) < len(found):
        return None
    return found


def write_sources(sources: Iterable[Source]) -> str:
    """Write sources down, at most `MAX_USUAL` and `MAX_NEW` of them."""
    return ",".join(f"{key}:{first}-{last}" for key, first, last in sources)
