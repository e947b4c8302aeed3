"""The pcapng container: sections, interfaces, packets.

Reads what draft-ietf-opsawg-pcapng defines for packets; every other block is passed
over. A file may hold several sections, each in its own byte order and with interfaces
of its own, and each interface has its own link type and time resolution.
"""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from ringfence.packet import Packet
from ringfence.pcap.source import MAX_RECORD, Records, Source

SECTION = b"\x0a\x0d\x0d\x0a"
"""The first four bytes of every section and so of every file, in any byte order."""

MAX_BLOCK = 16 * 1024 * 1024
"""Bytes of a block that we read: Wireshark's bound. Comments can be long."""

MAX_INTERFACES = 4096
"""Interfaces of one section; even hosts full of containers stay below."""

_INTERFACE = 1
_OLD_PACKET = 2
_SIMPLE = 3
_ENHANCED = 6
_IF_TSRESOL = 9
_IF_TSOFFSET = 14
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
"""The byte-order magic as it reads in a file, and `struct`'s name for the order."""


def open_pcapng(source: Source, head: bytes) -> Records:
    """Read the first section's header, whose first 24 bytes are `head`.

    Raises `CaptureError`, also while iterating.
    """
    return _Sections(source, head).records()


class _Interface(NamedTuple):
    """What an Interface Description Block says of its packets."""

    link: int
    snaplen: int
    """Bytes kept of each packet; 0: all."""
    ticks: int
    """Units of a time stamp in a second."""
    offset: int
    """Seconds to add to a time stamp."""


class _Sections:
    """The sections of a pcapng file, one after the other."""

    def __init__(self, source: Source, head: bytes) -> None:
        self._source = source
        self._interfaces: list[_Interface] = []
        self._wall = 0.0
        self._begin(head)

    def records(self) -> Records:
        source = self._source
        while True:
            source.record = source.offset
            head = source.read(8)
            if not head:
                return
            head += source.exactly(8 - len(head), "a block header")
            if head[:4] == SECTION:
                self._begin(head + source.exactly(16, "a section header"))
                continue
            kind, length = self._pair.unpack(head)
            self._check(length, 12)
            if kind == _ENHANCED:
                yield self._packet(self._block(head, length), self._enhanced)
            elif kind == _OLD_PACKET:
                yield self._packet(self._block(head, length), self._old)
            elif kind == _SIMPLE:
                yield self._simple(self._block(head, length))
            elif kind == _INTERFACE:
                self._describe(self._block(head, length))
            else:
                source.skip(length - 8, "a block")

    def _begin(self, head: bytes) -> None:
        """Start a section; `head` is the fixed part of its header, 24 bytes."""
        source = self._source
        head += source.exactly(24 - len(head), "a section header")
        order = _ORDERS.get(head[8:12])
        if order is None:
            raise source.fault("no byte-order magic in the section header")
        length, _, major, minor = Struct(order + "4xIIHH8x").unpack(head)
        self._check(length, 28)
        if major != 1:
            raise source.fault(f"pcapng version {major}.{minor}; expected 1.x")
        source.skip(length - 24, "a section header")
        self._interfaces = []
        self._pair = Struct(order + "II")
        self._enhanced = Struct(order + "IIIII")
        self._old = Struct(order + "H2xIIII")
        self._length = Struct(order + "I")
        self._interface = Struct(order + "HHI")
        self._option = Struct(order + "HH")
        self._seconds = Struct(order + "q")

    def _check(self, length: int, least: int) -> None:
        if length < least or length % 4:
            raise self._source.fault(
                f"a block of {length} bytes; expected a multiple of 4, at least {least}"
            )

    def _block(self, head: bytes, length: int) -> bytes:
        """Read the rest of a block, without the length that is repeated behind it."""
        source = self._source
        if length > MAX_BLOCK:
            raise source.fault(
                f"the block claims {length} bytes; expected at most {MAX_BLOCK}"
            )
        block = source.exactly(length - 8, "a block")
        if block[-4:] != head[4:]:
            (again,) = self._length.unpack(block[-4:])
            raise source.fault(
                f"the block says {length} bytes at its start and {again} at its end"
            )
        return block[:-4]

    def _packet(self, block: bytes, layout: Struct) -> tuple[float, Packet]:
        """Read an Enhanced Packet Block, or the Packet Block that came before it."""
        if len(block) < layout.size:
            raise self._source.fault("a packet block without room for its header")
        number, high, low, kept, length = layout.unpack_from(block)
        interface = self._of(number)
        data = block[layout.size : layout.size + kept]
        if kept > MAX_RECORD or len(data) < kept:
            most = min(MAX_RECORD, len(block) - layout.size)
            raise self._source.fault(
                f"the packet claims {kept} bytes; expected at most {most}"
            )
        self._wall = interface.offset + (high << 32 | low) / interface.ticks
        return self._wall, Packet(data, interface.link, length)

    def _simple(self, block: bytes) -> tuple[float, Packet]:
        """Read a Simple Packet Block: first interface, no time, length implied."""
        if len(block) < 4:
            raise self._source.fault("a packet block without room for its header")
        (length,) = self._length.unpack_from(block)
        interface = self._of(0)
        kept = min(length, len(block) - 4)
        if interface.snaplen:
            kept = min(kept, interface.snaplen)
        if kept > MAX_RECORD:
            raise self._source.fault(
                f"the packet claims {kept} bytes; expected at most {MAX_RECORD}"
            )
        return self._wall, Packet(block[4 : 4 + kept], interface.link, length)

    def _of(self, number: int) -> _Interface:
        if number >= len(self._interfaces):
            raise self._source.fault(
                f"a packet of interface {number}; expected one of the "
                f"{len(self._interfaces)} that the section has described"
            )
        return self._interfaces[number]

    def _describe(self, block: bytes) -> None:
        """Read an Interface Description Block."""
        if len(block) < 8:
            raise self._source.fault("an interface block without room for its header")
        if len(self._interfaces) == MAX_INTERFACES:
            raise self._source.fault(f"more than {MAX_INTERFACES} interfaces")
        link, _, snaplen = self._interface.unpack_from(block)
        ticks = 10**6
        offset = 0
        for code, value in self._options(block, 8):
            if code == _IF_TSRESOL and len(value) == 1:
                base = 2 if value[0] & 0x80 else 10
                ticks = base ** (value[0] & 0x7F)
            elif code == _IF_TSOFFSET and len(value) == 8:
                (offset,) = self._seconds.unpack(value)
        self._interfaces.append(_Interface(link, snaplen, ticks, offset))

    def _options(self, block: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        while at < len(block):
            if at + 4 > len(block):
                raise self._source.fault("an option without room for its header")
            code, size = self._option.unpack_from(block, at)
            if code == 0:
                return
            at += 4
            if at + size > len(block):
                raise self._source.fault(
                    f"an option of {size} bytes; expected at most {len(block) - at}"
                )
            yield code, block[at : at + size]
            at += size + -size % 4
