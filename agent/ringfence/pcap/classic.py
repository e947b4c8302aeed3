"""The pcap container, with dpkt's knowledge of its headers.

Six variants share one layout: either byte order, microseconds or nanoseconds, and
the "modified" record header with an interface number in it.
Format: draft-ietf-opsawg-pcap.
"""

from struct import Struct

from ringfence.packet import Packet
from ringfence.pcap.source import MAX_RECORD, Records, Source

FILE_HEADER = 24
"""Bytes."""

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
    # Here and not above: it costs 6 MB that the live agent need not pay.
    from dpkt import pcap as dpkt_pcap  # type: ignore[import-untyped]

    magic = int.from_bytes(head[:4], "big")
    layout = dpkt_pcap.MAGIC_TO_PKT_HDR.get(magic)
    if layout is None:
        raise source.fault(f"not a capture but {_describe(head)}")
    if len(head) < FILE_HEADER:
        raise source.cut("its header", FILE_HEADER - len(head))
    record = Struct(layout.__hdr_fmt__)
    big = layout.__hdr_fmt__[0] == ">"
    header = (dpkt_pcap.FileHdr if big else dpkt_pcap.LEFileHdr)(head)
    if header.v_major != dpkt_pcap.PCAP_VERSION_MAJOR:
        raise source.fault(
            f"pcap version {header.v_major}.{header.v_minor}; expected "
            f"{dpkt_pcap.PCAP_VERSION_MAJOR}.{dpkt_pcap.PCAP_VERSION_MINOR}"
        )
    nano = magic in (dpkt_pcap.TCPDUMP_MAGIC_NANO, dpkt_pcap.PMUDPCT_MAGIC_NANO)
    # The upper half says how long a frame check sequence is, not what the link is.
    link = header.linktype & 0xFFFF
    return _records(source, record, 1e9 if nano else 1e6, link)


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
