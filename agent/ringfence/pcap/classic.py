"""The pcap container.

Six variants share one layout: either byte order, microseconds or nanoseconds, and
the "modified" record header with an interface number in it.
Format: draft-ietf-opsawg-pcap.
"""

from struct import Struct
from typing import Final, NamedTuple

from ringfence.packet import Packet
from ringfence.pcap.source import MAX_RECORD, Records, Source

FILE_HEADER: Final = 24
"""Bytes."""


class _Variant(NamedTuple):
    """How the numbers in a file are written, as its first four bytes say."""

    order: str
    """`struct`'s name for the byte order."""
    record: str
    """A record's header: seconds, fraction, bytes kept, bytes on the wire, …"""
    unit: float
    """Fractions in a second."""


_PLAIN: Final = "IIII"
_MODIFIED: Final = "IIIIIHBB"
"""… interface number, protocol, packet type, padding: of a patched libpcap."""
_VARIANTS: Final = {
    magic.to_bytes(4, "big" if order == ">" else "little"): _Variant(
        order, order + record, unit
    )
    for magic, record, unit in (
        (0xA1B2C3D4, _PLAIN, 1e6),
        (0xA1B23C4D, _PLAIN, 1e9),
        (0xA1B2CD34, _MODIFIED, 1e6),
    )
    for order in "<>"
}
_HEADER: Final = "4xHH12xI"
"""Magic, version, time zone, accuracy and longest record (all unused), link type."""
_MAJOR: Final = 2

_LOOKALIKES = (
    (b"\x28\xb5\x2f\xfd", "zstd-compressed; unpack it with `zstd -d`"),
    (b"\xfd7zXZ\x00", "xz-compressed; unpack it with `xz -d`"),
    (b"BZh", "bzip2-compressed; unpack it with `bzip2 -d`"),
    (b"\x04\x22\x4d\x18", "lz4-compressed; unpack it with `lz4 -d`"),
    (b"PK\x03\x04", "a zip archive; unpack it first"),
    (b"\x1f\x8b", "gzip-compressed twice; unpack it with `gzip -d`"),
    (b"snoop\x00\x00\x00", "a snoop capture; convert it with `editcap -F pcap`"),
    (b"GMBU", "a Network Monitor capture; convert it with `editcap -F pcap`"),
    (b"RTSS", "a Network Monitor capture; convert it with `editcap -F pcap`"),
)
_TEXT = frozenset(b"\t\n\r\x0b\x0c" + bytes(range(0x20, 0x7F)))


def open_pcap(source: Source, head: bytes) -> Records:
    """Read the file header, whose first 24 bytes or fewer are `head`.

    Raises `CaptureError`, also while iterating.
    """
    if not head:
        raise source.fault("the file is empty; expected a pcap or pcapng file")
    variant = _VARIANTS.get(head[:4])
    if variant is None:
        raise source.fault(f"not a capture but {_describe(head)}")
    if len(head) < FILE_HEADER:
        raise source.cut("its header", FILE_HEADER - len(head))
    major, minor, link = Struct(variant.order + _HEADER).unpack(head)
    if major != _MAJOR:
        raise source.fault(f"pcap version {major}.{minor}; expected {_MAJOR}.4")
    # The upper half says how long a frame check sequence is, not what the link is.
    link &= 0xFFFF
    return _records(source, Struct(variant.record), variant.unit, link)


def _records(source: Source, layout: Struct, unit: float, link: int) -> Records:
    size = layout.size
    unpack = layout.unpack
    while True:
        source.record = source.offset
        head = source.read(size)
        if not head:
            return
        if len(head) < size:
            raise source.cut("a record header", size - len(head))
        # The modified variant has more fields behind these.
        seconds, fraction, kept, length = unpack(head)[:4]
        if kept > MAX_RECORD:
            raise source.fault(
                f"the record claims {kept} bytes; expected at most {MAX_RECORD}"
            )
        data = source.exactly(kept, "a record")
        yield seconds + fraction / unit, Packet(data, link, length)


def _describe(head: bytes) -> str:
    """Name what a file that is no capture seems to be."""
    for magic, name in _LOOKALIKES:
        if head.startswith(magic):
            return name
    if _TEXT.issuperset(head):
        return "a text file; expected pcap or pcapng"
    return f"something that starts with {head[:4].hex()}; expected pcap or pcapng"
