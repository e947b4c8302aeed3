"""What goes into the engine, and what decoding makes of it.

Addresses are `bytes` in network order, 4 for IPv4 and 16 for IPv6: comparing,
hashing and slicing them needs no object per packet. Turning them into text is left
to whoever shows them to a person.
"""

from typing import NamedTuple

LINKTYPE_RAW = 101
"""Packets start with the IP header, as NFQUEUE delivers them."""


class Instant(NamedTuple):
    """One moment on two clocks; the core never reads either.

    `mono` (seconds, any origin) never goes back: windows, ages and bans use it.
    `wall` (seconds since 1970) may jump by decades when a router without a clock
    chip meets NTP: only stamps and schedules use it.
    """

    mono: float
    wall: float


class Packet(NamedTuple):
    """One packet as the queue or a capture holds it."""

    data: bytes
    """From the link-layer header on; from the IP header with `LINKTYPE_RAW`."""
    link: int = LINKTYPE_RAW
    """LINKTYPE_ value (https://www.tcpdump.org/linktypes.html)."""
    length: int = 0
    """Bytes on the wire; more than `len(data)` when the capture was cut; 0: unknown."""
    indev: int = -1
    """Kernel index of the interface it came in on; 0 when this machine sent it
    itself; -1 when nobody knows, as in a capture."""


class Datagram(NamedTuple):
    """One whole UDP datagram."""

    src: bytes
    dst: bytes
    sport: int
    dport: int
    payload: bytes
    cut: bool
    """True when the capture or the queue holds less than was on the wire."""


class Segment(NamedTuple):
    """One TCP segment."""

    src: bytes
    dst: bytes
    sport: int
    dport: int
    payload: bytes
    cut: bool
    seq: int
    """Sequence number of the first payload byte (of the SYN itself when SYN is set)."""
    flags: int
    """The flags byte: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32."""
    ack: int = 0
    """With ACK, the number of the byte that its sender expects next from the other."""
