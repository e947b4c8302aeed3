"""Putting fragments of both IP versions together again.

Knows offsets and bytes, nothing of what they carry. What counts as a duplicate, as
an overlap and as complete follows Linux to the letter (inet_frag_queue_insert in
net/ipv4/inet_fragment.c, after RFC 5722): we must see the datagram that the receiver
puts together, or fragments would be a way round us. So:

- Fragments that came in order, at the end, form a run. One that lies inside a run is
  a duplicate and ignored, whatever its bytes.
- One that lies across the edge of a run condemns the datagram: all is forgotten, and
  the next fragment begins anew.
- A duplicate never completes a datagram, even if only its "last" flag was missing.

A stranger decides what is held here. Datagrams, bytes and age are bounded; the
oldest goes first and is counted.
"""

from bisect import bisect_right
from typing import NamedTuple

from ringfence.errors import Malformed
from ringfence.state import BoundedTable

MAX_DATAGRAM = 65_535
"""RFC 791 section 3.1, RFC 8200 section 4.5: the length fields have 16 bits."""

MAX_DATAGRAMS = 128
"""Incomplete datagrams held. Honest phones send their fragments back to back, so
more than a few at a time is an attack or a lossy line."""

MAX_OCTETS = 1 << 19
"""Bytes held in all, overhead included: a router has 64 MB and better uses for it.
Enough for `MAX_DATAGRAMS` INVITEs of 3,000 bytes in three fragments each."""

AGE_V4 = 30.0
"""Seconds from the first fragment: Linux's net.ipv4.ipfrag_time. Neither less nor
more, or what is left of an older datagram makes ours another than the receiver's."""

AGE_V6 = 60.0
"""The same for IPv6: RFC 8200 section 4.5 and Linux's net.ipv6.ip6frag_time."""

OVERHEAD = 160
"""Bytes that one held fragment costs besides its own (objects, list slots), or
eight-byte fragments would cost twenty times their share of `MAX_OCTETS`."""


class Fragment(NamedTuple):
    """One fragment as the IP header describes it."""

    key: bytes
    """What the fragments of one datagram share: addresses, identification and, in
    IPv4, the protocol."""
    protocol: int
    """Next header; in IPv6 only the first fragment's counts (RFC 8200 section 4.5)."""
    header: int
    """Bytes that the length field counts before the fragmentable part."""
    offset: int
    """In bytes."""
    size: int
    """Bytes on the wire; more than `len(data)` when the capture was cut."""
    more: bool
    data: bytes


class Whole(NamedTuple):
    """What the fragments of a datagram carried."""

    protocol: int
    data: bytes
    cut: bool
    """True when a fragment was cut; then `data` ends where the first gap is."""


class FragmentTable:
    """Incomplete datagrams of one IP version, bounded in number, bytes and age."""

    __slots__ = ("_evicted", "_max_octets", "_table", "octets")

    def __init__(
        self, age: float, datagrams: int = MAX_DATAGRAMS, octets: int = MAX_OCTETS
    ) -> None:
        """Set the bounds: seconds each, datagrams, and bytes in all."""
        self._table: BoundedTable[bytes, _Parts] = BoundedTable(
            datagrams, age, self._dropped
        )
        self._max_octets = octets
        self._evicted = 0
        self.octets = 0
        """Bytes held now, `OVERHEAD` included."""

    def __len__(self) -> int:
        """Incomplete datagrams held."""
        return len(self._table)

    @property
    def evicted(self) -> int:
        """Incomplete datagrams given up because the table was full."""
        return self._evicted + self._table.evicted

    @property
    def expired(self) -> int:
        """Incomplete datagrams given up because of their age."""
        return self._table.expired

    def add(self, fragment: Fragment, mono: float) -> Whole | None:
        """Take one fragment; return the datagram if this one completes it.

        Raises `Malformed`: ip.fragment-size if the fragment alone is impossible, and
        ip.fragment-overlap, -end or -empty if it condemns its datagram.
        """
        if fragment.header + fragment.offset + fragment.size > MAX_DATAGRAM:
            raise Malformed("ip.fragment-size")
        table = self._table
        key = fragment.key
        table.expire(mono)
        parts = table.get(key, mono)
        if parts is None:
            parts = _Parts()
            # Only here: the age counts from the first fragment, as Linux has it.
            table.put(key, parts, mono)
        try:
            grown = parts.add(fragment)
        except Malformed:
            self._forget(key)
            raise
        self.octets += grown
        if grown and parts.complete():
            self._forget(key)
            return parts.join()
        while self.octets > self._max_octets:
            self._evicted += 1
            self._forget(next(iter(table)))
        return None

    def _forget(self, key: bytes) -> None:
        parts = self._table.pop(key)
        if parts is not None:
            self.octets -= parts.octets

    def _dropped(self, _key: bytes, parts: "_Parts") -> None:
        self.octets -= parts.octets


class _Parts:
    """The fragments of one datagram so far."""

    __slots__ = ("end", "ends", "last", "octets", "parts", "protocol", "size", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        """The runs, ascending; two may touch without being one."""
        self.parts: list[tuple[int, int, bytes]] = []
        self.size = 0
        """Bytes on the wire in all parts."""
        self.octets = 0
        """Bytes they take here."""
        self.protocol = 0
        self.end = 0
        self.last = False

    def add(self, fragment: Fragment) -> int:
        """Keep a fragment, or not if it is a duplicate; return what it costs."""
        start = fragment.offset
        end = start + fragment.size
        self._limit(end, fragment.more)
        if start == end:
            raise Malformed("ip.fragment-empty")
        if not self._claim(start, end):
            return 0
        if start == 0:
            self.protocol = fragment.protocol
        self.parts.append((start, end, fragment.data))
        self.size += end - start
        cost = len(fragment.data) + OVERHEAD
        self.octets += cost
        return cost

    def complete(self) -> bool:
        # No two parts share a byte and none lies beyond the end.
        return self.last and self.size == self.end

    def join(self) -> Whole:
        self.parts.sort()
        pieces: list[bytes] = []
        for start, end, data in self.parts:
            pieces.append(data)
            if len(data) < end - start:
                return Whole(self.protocol, b"".join(pieces), True)
        return Whole(self.protocol, b"".join(pieces), False)

    def _limit(self, end: int, more: bool) -> None:
        """Note where the datagram ends, or that two fragments disagree on it."""
        if not more:
            if end < self.end or (self.last and end != self.end):
                raise Malformed("ip.fragment-end")
            self.last = True
        elif self.last and end > self.end:
            raise Malformed("ip.fragment-end")
        self.end = max(self.end, end)

    def _claim(self, start: int, end: int) -> bool:
        """Take bytes; False if a run has them all, `Malformed` if it has some."""
        starts = self.starts
        ends = self.ends
        if not ends or end > ends[-1]:
            if ends and start < ends[-1]:
                raise Malformed("ip.fragment-overlap")
            if ends and start == ends[-1]:
                ends[-1] = end
            else:
                starts.append(start)
                ends.append(end)
            return True
        after = bisect_right(starts, start)
        if after and start < ends[after - 1]:
            if end <= ends[after - 1]:
                return False
            raise Malformed("ip.fragment-overlap")
        # There is a run after: from inside the last one we have returned.
        if end > starts[after]:
            raise Malformed("ip.fragment-overlap")
        starts.insert(after, start)
        ends.insert(after, end)
        return True
