"""UDP (RFC 768) and TCP (RFC 9293) headers.

Knows one datagram or segment; TCP streams are put together further up. Checksums are
not verified (see the package).
"""

from struct import Struct

from ringfence.errors import Malformed
from ringfence.packet import Datagram, Segment

_UDP = Struct(">HHH").unpack_from
# Ports, sequence number, acknowledgement, data offset, flags.
_TCP = Struct(">HHIIBB").unpack_from


def udp(
    src: bytes, dst: bytes, data: bytes, start: int, end: int, cut: bool
) -> Datagram:
    """Read the UDP datagram in `data[start:end]`; `cut`: it should be longer.

    Raises `Malformed` (udp.short, udp.length).
    """
    there = end - start
    if there < 8:
        raise Malformed("udp.short")
    sport, dport, length = _UDP(data, start)
    if 8 <= length <= there:
        end = start + length
        cut = False
    elif length < 8:
        # RFC 2675 section 4: zero says "to the end of the packet" in a jumbogram.
        # Linux takes it in every IPv6 packet, so we must see what it sees.
        if length or len(src) == 4:
            raise Malformed("udp.length")
    elif not cut:
        raise Malformed("udp.length")
    return Datagram(src, dst, sport, dport, data[start + 8 : end], cut)


def tcp(
    src: bytes, dst: bytes, data: bytes, start: int, end: int, cut: bool
) -> Segment:
    """Read the TCP segment in `data[start:end]`; `cut`: it should be longer.

    Raises `Malformed` (tcp.short, tcp.offset).
    """
    there = end - start
    if there < 20:
        raise Malformed("tcp.short")
    sport, dport, seq, ack, offset, flags = _TCP(data, start)
    header = offset >> 4 << 2
    if header < 20 or (header > there and not cut):
        raise Malformed("tcp.offset")
    if header > there:
        raise Malformed("tcp.short")
    payload = data[start + header : end]
    return Segment(src, dst, sport, dport, payload, cut, seq, flags, ack)
