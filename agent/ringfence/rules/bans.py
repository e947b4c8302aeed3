"""Who is banned for how long: longer each time, and forgotten in time.

Knows networks (`facts.network_key`) and seconds on the monotonic clock. The kernel
enforces bans; what is held here is the history behind their length, and a mirror of
them: for what was already queued when a ban began, and for captures, which no kernel
guards. It must not know why somebody is banned.
"""

from typing import Final, NamedTuple

from ringfence.state import BoundedTable

STEPS: Final = (300, 1_800, 7_200, 43_200, 86_400)
"""Lengths of bans in seconds. The packet mark has room for these five."""

DECAY: Final = 86_400.0
"""Seconds after the end of a ban in which its owner comes down one step."""

MEMORY: Final = 604_800.0
"""Seconds for which a history is kept: all five steps down, and two days."""

MAX_SOURCES: Final = 16_384
"""Networks with a history, about 4 MB. The kernel's set holds more; a source that
falls out of this one begins again with the first step."""


class Length(NamedTuple):
    """How long a rule bans, in seconds of `STEPS`."""

    first: int
    longest: int


class _Past(NamedTuple):
    step: int
    until: float


class Bans:
    """All bans and their history."""

    def __init__(self) -> None:
        """Start with nobody banned."""
        self._past: BoundedTable[bytes, _Past] = BoundedTable(MAX_SOURCES, MEMORY)
        self._latest = 0.0
        """When the last of all bans ends, so that asking is free while none runs."""

    def __len__(self) -> int:
        """Networks with a history."""
        return len(self._past)

    @property
    def capacity(self) -> int:
        """Networks with a history at most."""
        return self._past.capacity

    def ban(self, network: bytes, length: Length, now: float) -> int:
        """Begin a ban; returns its length in seconds, one of `STEPS`."""
        step = STEPS.index(length.first)
        past = self._past.get(network, now)
        if past is not None:
            forgiven = max(0, int((now - past.until) / DECAY))
            step = max(step, past.step + 1 - forgiven)
        step = min(step, STEPS.index(length.longest))
        until = now + STEPS[step]
        self._past.put(network, _Past(step, until), now)
        self._latest = max(self._latest, until)
        return STEPS[step]

    def none(self, now: float) -> bool:
        """Tell, at no cost, that nobody is banned."""
        return now >= self._latest

    def left(self, network: bytes, now: float) -> float:
        """Return for how many seconds a network is still banned, 0 for none."""
        past = self._past.get(network, now)
        return 0.0 if past is None else max(0.0, past.until - now)

    def forget(self, network: bytes) -> bool:
        """Lift a ban and forget its history; tells whether there was one."""
        return self._past.pop(network) is not None

    def running(self, now: float) -> list[tuple[bytes, float]]:
        """List banned networks with the seconds left."""
        return [
            (network, left)
            for network in self._past
            if (left := self.left(network, now))
        ]
