"""The only place that remembers: tables bounded in number and in age.

Knows nothing of what it stores. A stranger decides what goes in, so every table has
a capacity and a time to live; what is pushed out is counted, never silently lost.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

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
