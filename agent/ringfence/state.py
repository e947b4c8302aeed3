"""The only place that remembers: tables bounded in number and in age.

Knows nothing of what it stores. A stranger decides what goes in, so every table has
a capacity and a time to live; what is pushed out is counted, never silently lost.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedTable(Generic[K, V]):
    """A mapping that holds at most `capacity` entries, each at most `age` seconds.

    The age counts from the last `put`. The oldest entry is evicted first; dicts keep
    insertion order and `put` re-inserts, so both bounds cost O(1) a call.
    """

    def __init__(
        self,
        capacity: int,
        age: float,
        on_drop: Callable[[K, V], None] | None = None,
    ) -> None:
        """Set both bounds; `on_drop` sees each entry that ages out or is evicted."""
        self.capacity = capacity
        self.age = age
        self.evicted = 0
        self.expired = 0
        self._on_drop = on_drop
        self._entries: dict[K, tuple[float, V]] = {}

    def __len__(self) -> int:
        """Entries held, expired ones that no call has met yet included."""
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        """Keys, oldest first."""
        return iter(self._entries)

    def get(self, key: K, mono: float) -> V | None:
        """Return the value if present and not older than `age` at `mono`."""
        entry = self._entries.get(key)
        if entry is None or mono - entry[0] > self.age:
            return None
        return entry[1]

    def put(self, key: K, value: V, mono: float) -> None:
        """Store or refresh an entry, then drop what is too old or too many."""
        entries = self._entries
        entries.pop(key, None)
        entries[key] = (mono, value)
        self.expire(mono)
        while len(entries) > self.capacity:
            oldest = next(iter(entries))
            self.evicted += 1
            self._drop(oldest)

    def pop(self, key: K) -> V | None:
        """Remove and return a value, without calling `on_drop`."""
        entry = self._entries.pop(key, None)
        return None if entry is None else entry[1]

    def expire(self, mono: float) -> None:
        """Drop every entry older than `age` at `mono`."""
        while self._entries:
            oldest = next(iter(self._entries))
            if mono - self._entries[oldest][0] <= self.age:
                return
            self.expired += 1
            self._drop(oldest)

    def _drop(self, key: K) -> None:
        _, value = self._entries.pop(key)
        if self._on_drop is not None:
            self._on_drop(key, value)


class Event(NamedTuple):
    """One thing that was counted."""

    at: float
    item: Hashable
    """What makes it different from others where only different ones count."""
    pair: int
    """By what `Recent.clear` finds it again; 0 when nothing clears it."""


class Recent:
    """How many events each key had within the last seconds, to the event.

    Holds the newest `most` events of each of the newest `capacity` keys, so that it
    can tell up to `most` and no more.
    """

    def __init__(self, capacity: int, within: float, most: int) -> None:
        """Set all three bounds; `within` in seconds."""
        self.most = most
        self.within = within
        self.table: BoundedTable[Hashable, list[Event]] = BoundedTable(capacity, within)

    def add(self, key: Hashable, item: Hashable, pair: int, mono: float) -> int:
        """Count an event, return how many there are with it.

        Of events with the same item only the newest counts; None is no item.
        """
        events = [
            event
            for event in self.table.get(key, mono) or ()
            if mono - event.at <= self.within and (item is None or event.item != item)
        ]
        events.append(Event(mono, item, pair))
        del events[: -self.most]
        self.table.put(key, events, mono)
        return len(events)

    def count(self, key: Hashable, mono: float) -> int:
        """Return how many events a key has."""
        events = self.table.get(key, mono)
        if not events:
            return 0
        return sum(mono - event.at <= self.within for event in events)

    def clear(self, key: Hashable, pair: int, mono: float) -> None:
        """Forget the events of one pair."""
        events = self.table.get(key, mono)
        if events:
            events[:] = [event for event in events if event.pair != pair]

    def forget(self, key: Hashable) -> None:
        """Forget all events of a key."""
        self.table.pop(key)


class Rate:
    """About how many events each key had within the last seconds, in little memory.

    Two buckets a key: this window's events and, in the share that still reaches into
    it, the last one's.
    """

    def __init__(self, capacity: int, within: float) -> None:
        """Set both bounds; `within` in seconds."""
        self.within = within
        self.table: BoundedTable[Hashable, tuple[float, int, int]] = BoundedTable(
            capacity, 2 * within
        )

    def add(self, key: Hashable, item: Hashable, pair: int, mono: float) -> int:
        """Count an event, return about how many there are with it."""
        begun, now, before = self._buckets(key, mono)
        self.table.put(key, (begun, now + 1, before), mono)
        return now + 1 + self._rest(begun, before, mono)

    def count(self, key: Hashable, mono: float) -> int:
        """Return about how many events a key has."""
        begun, now, before = self._buckets(key, mono)
        return now + self._rest(begun, before, mono)

    def clear(self, key: Hashable, pair: int, mono: float) -> None:
        """Do nothing: single events are not told apart here."""

    def forget(self, key: Hashable) -> None:
        """Forget all events of a key."""
        self.table.pop(key)

    def _buckets(self, key: Hashable, mono: float) -> tuple[float, int, int]:
        begun, now, before = self.table.get(key, mono) or (mono, 0, 0)
        windows = int((mono - begun) / self.within)
        if windows == 1:
            return begun + self.within, 0, now
        if windows > 1:
            return mono, 0, 0
        return begun, now, before

    def _rest(self, begun: float, before: int, mono: float) -> int:
        return int(before * max(0.0, 1 - (mono - begun) / self.within))
