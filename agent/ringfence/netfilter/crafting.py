"""Datagrams and segments as bytes, as the server that was dialled would write them.

Pure: knows UDP, TCP and their checksums, and reads of a packet what an answer to it
needs; the IP header is the kernel's to write.
"""

from struct import Struct, pack, unpack
from typing import Final, NamedTuple

from ringfence.packet import Datagram, Segment

FIN, RST, PSH, ACK = 0x01, 0x04, 0x08, 0x10

_TCP, _UDP = 6, 17
_HEADER: Final = Struct(">HHIIBB").unpack_from
_WINDOW: Final = 65_535


def carries(data: bytes, packet: Datagram | Segment) -> bool:
    """Tell whether the outermost header of `data` has a packet's own addresses."""
    ends = packet.src + packet.dst
    return data[12:20] == ends if len(ends) == 8 else data[8:40] == ends


def _checksum(src: bytes, dst: bytes, protocol: int, text: bytes) -> int:
    """RFC 1071, over the pseudo-header too (RFC 768, RFC 9293, RFC 8200 section 8.1).

    The pseudo-headers of both families have the same sum.
    """
    whole = src + dst + pack(">II", len(text), protocol) + text
    if len(whole) % 2:
        whole += b"\0"
    total: int = sum(unpack(f">{len(whole) // 2}H", whole))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def datagram(request: Datagram, port: int, payload: bytes) -> bytes:
    """Write a datagram from where a request went to, to a port of its sender."""
    size = 8 + len(payload)
    text = pack(">HHHH", request.dport, port, size, 0) + payload
    # RFC 768: a sum of zero is sent as all ones, zero says that there is none.
    found = _checksum(request.dst, request.src, _UDP, text) or 0xFFFF
    return text[:6] + found.to_bytes(2) + payload


def segment_bytes(
    ends: tuple[bytes, bytes, int, int],
    seq: int,
    ack: int,
    flags: int,
    payload: bytes = b"",
    *,
    stamps: bytes = b"",
) -> bytes:
    """Write a segment; `ends` are source, destination and their ports."""
    src, dst, sport, dport = ends
    options = b"\x01\x01\x08\x0a" + stamps if stamps else b""
    start = pack(">HHII", sport, dport, seq % (1 << 32), ack % (1 << 32))
    offset = 5 + len(options) // 4
    head = start + pack(">BBHHH", offset << 4, flags, _WINDOW, 0, 0) + options
    found = _checksum(src, dst, _TCP, head + payload)
    return head[:16] + found.to_bytes(2) + head[18:] + payload


class Header(NamedTuple):
    """What a reset and an answer need of a segment as it came."""

    ends: tuple[bytes, bytes, int, int]
    ack: int
    flags: int
    options: bytes


def tcp_header(data: bytes) -> Header | None:
    """Read a TCP header right behind an IP header; None where there is none."""
    if data[0] >> 4 == 4:
        start, protocol = (data[0] & 15) << 2, data[9]
        src, dst = data[12:16], data[16:20]
        if data[6] & 0x3F or data[7]:
            return None  # a fragment
    else:
        start, protocol = 40, data[6]
        src, dst = data[8:24], data[24:40]
    if protocol != _TCP or len(data) < start + 20:
        return None
    sport, dport, _, ack, offset, flags = _HEADER(data, start)
    options = data[start + 20 : start + (offset >> 4 << 2)]
    return Header((src, dst, sport, dport), ack, flags, options)


def stamps_for(data: bytes) -> bytes:
    """Return the two timestamps that answer a segment's, b"" when it has none.

    RFC 7323 section 3.2: where they are in use, a segment without them is dropped.
    The server's own clock is not known; the sender has seen the value it repeats, and
    takes that once more.
    """
    header = tcp_header(data)
    options = b"" if header is None else header.options
    at = 0
    while at < len(options) and options[at]:
        if options[at] == 1:
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if options[at] == 8 and size == 10 and at + 10 <= len(options):
            return options[at + 6 : at + 10] + options[at + 2 : at + 6]
        at += max(size, 2)
    return b""
