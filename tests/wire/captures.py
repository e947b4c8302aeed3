"""Capture files byte by byte, for tests: both formats, every order and resolution."""

from struct import pack

MICRO = 0xA1B2C3D4
NANO = 0xA1B23C4D
MODIFIED = 0xA1B2CD34


def pcap_header(
    order: str = "<", magic: int = MICRO, link: int = 1, version: int = 2
) -> bytes:
    return pack(order + "IHHiIII", magic, version, 4, 0, 0, 262_144, link)


def pcap_record(
    data: bytes,
    order: str = "<",
    *,
    seconds: int = 1_700_000_000,
    fraction: int = 0,
    length: int | None = None,
    kept: int | None = None,
    modified: bool = False,
) -> bytes:
    """Build a record; `length` is the one on the wire, `kept` the one claimed."""
    if kept is None:
        kept = len(data)
    if length is None:
        length = len(data)
    head = pack(order + "IIII", seconds, fraction, kept, length)
    if modified:
        head += pack(order + "IHBB", 3, 0x0800, 0, 0)
    return head + data


def block(
    kind: int,
    body: bytes,
    order: str = "<",
    *,
    length: int | None = None,
    again: int | None = None,
) -> bytes:
    """Build a pcapng block; `length` and `again` are the lengths it claims."""
    body += bytes(-len(body) % 4)
    if length is None:
        length = 12 + len(body)
    if again is None:
        again = length
    return pack(order + "II", kind, length) + body + pack(order + "I", again)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<", *, major: int = 1, options: bytes = b"") -> bytes:
    body = pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1)
    return block(0x0A0D0D0A, body + options, order)


def interface(
    link: int = 1, order: str = "<", *, snaplen: int = 0, options: bytes = b""
) -> bytes:
    return block(1, pack(order + "HHI", link, 0, snaplen) + options, order)


def enhanced(
    data: bytes,
    order: str = "<",
    *,
    number: int = 0,
    ticks: int = 0,
    length: int | None = None,
    kept: int | None = None,
    options: bytes = b"",
) -> bytes:
    """Build an Enhanced Packet Block of interface `number`, at `ticks`."""
    if kept is None:
        kept = len(data)
    if length is None:
        length = len(data)
    head = pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, kept, length)
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


def old_packet(data: bytes, order: str = "<", *, number: int = 0) -> bytes:
    """Build a Packet Block, as tools wrote before the Enhanced one."""
    size = len(data)
    return block(2, pack(order + "HHIIII", number, 7, 0, 5, size, size) + data, order)


def simple(data: bytes, order: str = "<", *, length: int | None = None) -> bytes:
    """Build a Simple Packet Block; `length` is the one on the wire."""
    if length is None:
        length = len(data)
    return block(3, pack(order + "I", length) + data, order)
