"""The only place that remembers: tables bounded in number and in age.

Knows nothing of what it stores. A stranger decides what goes in, so every table has
a capacity and a time to live; what is pushed out is counted, never silently lost.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from itertools import starmap
from struct import Struct
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedTable(Generic[K, V]):
    """A mapping that holds at most `capacity` entries, each at most `age` seconds.

    The age counts from the last `put`; the oldest entry is evicted first. Both bounds
    cost O(1) a call. (A plain dict keeps the order too, but finds its first entry only
    by walking over the room of all that were first before.)
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
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._oldest = 0.0
        """No entry is older than this, so that most calls need not look."""

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
        if not entries:
            self._oldest = mono
        entries[key] = (mono, value)
        entries.move_to_end(key)
        if mono - self._oldest > self.age:
            self.expire(mono)
        if len(entries) > self.capacity:
            self.evicted += 1
            self._drop(next(iter(entries)))

    def replace(self, key: K, value: V) -> None:
        """Exchange the value of an entry, which stays as old as it is."""
        self._entries[key] = (self._entries[key][0], value)

    def pop(self, key: K) -> V | None:
        """Remove and return a value, without calling `on_drop`."""
        entry = self._entries.pop(key, None)
        return None if entry is None else entry[1]

    def expire(self, mono: float) -> None:
        """Drop every entry older than `age` at `mono`."""
        while self._entries:
            oldest = next(iter(self._entries))
            self._oldest = self._entries[oldest][0]
            if mono - self._oldest <= self.age:
                return
            self.expired += 1
            self._drop(oldest)

    def _drop(self, key: K) -> None:
        _, value = self._entries.pop(key)
        if self._on_drop is not None:
            self._on_drop(key, value)


_EVENT: Final = Struct("dqq")
"""One thing that was counted: when; what makes it different from others, where only
different ones count; by what `Recent.clear` finds it again."""


class Recent:
    """How many events each key had within the last seconds, to the event.

    Holds the newest `most` events of each of the newest `capacity` keys, so that it
    can tell up to `most` and no more; 24 bytes an event, 350 a key.
    """

    def __init__(self, capacity: int, within: float, most: int) -> None:
        """Set all three bounds; `within` in seconds."""
        self.most = most
        self.within = within
        self.table: BoundedTable[Hashable, bytes] = BoundedTable(capacity, within)

    def add(self, key: Hashable, item: int | None, pair: int, mono: float) -> int:
        """Count an event, return how many there are with it.

        Of events with the same item only the newest counts; None is no item. Item and
        pair are numbers of 64 bits with sign, such as a hash.
        """
        events = [
            event
            for event in _EVENT.iter_unpack(self.table.get(key, mono) or b"")
            if mono - event[0] <= self.within and (item is None or event[1] != item)
        ]
        events.append((mono, item or 0, pair))
        del events[: -self.most]
        self.table.put(key, b"".join(starmap(_EVENT.pack, events)), mono)
        return len(events)

    def count(self, key: Hashable, mono: float) -> int:
        """Return how many events a key has."""
        events = self.table.get(key, mono)
        if not events:
            return 0
        return sum(mono - at <= self.within for at, _, _ in _EVENT.iter_unpack(events))

    def clear(self, key: Hashable, pair: int, mono: float) -> None:
        """Forget the events of one pair."""
        events = self.table.get(key, mono)
        if events:
            others = (one for one in _EVENT.iter_unpack(events) if one[2] != pair)
            self.table.replace(key, b"".join(starmap(_EVENT.pack, others)))

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

    def add(self, key: Hashable, item: int | None, pair: int, mono: float) -> int:
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
        found = self.table.get(key, mono)
        if found is None:
            return mono, 0, 0
        begun, now, _ = found
        if mono - begun < self.within:
            return found
        if mono - begun < 2 * self.within:
            return begun + self.within, 0, now
        return mono, 0, 0

    def _rest(self, begun: float, before: int, mono: float) -> int:
        if not before:
            return 0
        return int(before * max(0.0, 1 - (mono - begun) / self.within))
