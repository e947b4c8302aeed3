"""IPv4 (RFC 791) and IPv6 (RFC 8200) headers, up to what they carry.

Knows one packet at a time; fragments are described here and put together in
`fragments`. The length on the wire decides where a packet ends: what a link layer
padded behind it is left off, and what a capture did not keep is marked as cut.
"""

from struct import Struct

from ringfence.decode.fragments import Fragment
from ringfence.errors import Malformed

TCP = 6
UDP = 17
IPIP = 4
IPV6_IN_IP = 41
GRE = 47
CARRIERS = frozenset({TCP, UDP, IPIP, IPV6_IN_IP, GRE})
"""Protocols that can bring us SIP. IPv4 fragments of others are not worth holding."""

HOP_BY_HOP = 0
ROUTING = 43
FRAGMENT = 44
AUTHENTICATION = 51
DESTINATION = 60
EXTENSIONS = frozenset({HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION})
"""Extension headers that something can follow in clear text (RFC 7045 section 3).

Their number has no bound but the packet's length (each takes 8 bytes): Linux follows
any number of them, so a bound of ours would be a way round us.
"""

_UPPER_HEADERS = {TCP: 20, UDP: 8}

Inner = tuple[bytes, bytes, int, int, int, bool, Fragment | None]
"""Source, destination, protocol, start and end of what is carried, whether it is
cut, and the fragment if it is only that."""

# Total length, identification, flags and offset, protocol, source, destination.
_V4 = Struct(">xxH2sHxBxx4s4s").unpack_from
# Payload length, next header, source, destination.
_V6 = Struct(">4xHBx16s16s").unpack_from


def v4(data: bytes, offset: int, cut: bool) -> Inner:
    """Read the IPv4 packet that starts at `offset`; `cut`: the capture lacks bytes.

    Raises `Malformed` (ip.short, ip.version, ip.header-length, ip.total-length).
    """
    there = len(data) - offset
    if there < 20:
        raise Malformed("ip.short")
    first = data[offset]
    if first >> 4 != 4:
        raise Malformed("ip.version")
    header = (first & 15) << 2
    if header < 20:
        raise Malformed("ip.header-length")
    total, ident, flags, protocol, src, dst = _V4(data, offset)
    if total == 0:
        # Segmentation is left to the network card: the length is not filled in yet.
        total = there
    elif total < header:
        raise Malformed("ip.total-length")
    else:
        cut = total > there
    start = offset + header
    end = offset + (there if cut else total)
    if start > end:
        raise Malformed("ip.short")
    if not flags & 0x3FFF:
        return src, dst, protocol, start, end, cut, None
    more = flags & 0x2000 != 0
    size = total - header
    if more:
        # RFC 791: all but the last are multiples of 8. Linux cuts the rest off.
        size &= ~7
    fragment = Fragment(
        src + dst + data[offset + 9 : offset + 10] + ident,
        protocol,
        header,
        (flags & 0x1FFF) << 3,
        size,
        more,
        data[start : min(end, start + size)],
    )
    return src, dst, protocol, start, end, cut, fragment


def v6(data: bytes, offset: int, cut: bool) -> Inner:
    """Read the IPv6 packet that starts at `offset`; `cut`: the capture lacks bytes.

    Raises `Malformed` (ip.short, ip.version, ip.fragment-length, ip6.extension,
    ip6.first-fragment).
    """
    there = len(data) - offset
    if there < 40:
        raise Malformed("ip.short")
    if data[offset] >> 4 != 6:
        raise Malformed("ip.version")
    length, protocol, src, dst = _V6(data, offset)
    start = offset + 40
    if length == 0:
        # A jumbogram, or segmentation left to the network card.
        length = there - 40
    else:
        cut = length > there - 40
    end = len(data) if cut else start + length
    if protocol not in EXTENSIONS:
        return src, dst, protocol, start, end, cut, None
    protocol, start, at = extensions(data, protocol, start, end)
    if at is None:
        return src, dst, protocol, start, end, cut, None
    flags = data[at + 2] << 8 | data[at + 3]
    if flags & 0xFFF8 == 0 and not cut:
        _require_upper_header(data, protocol, start, end)
    more = flags & 1 != 0
    # The header before the fragment header stays; RFC 8200 section 4.5.
    header = at - offset - 40
    size = length - header - 8
    if more and size & 7:
        raise Malformed("ip.fragment-length")
    fragment = Fragment(
        src + dst + data[at + 4 : at + 8],
        protocol,
        header,
        flags & 0xFFF8,
        size,
        more,
        data[start:end],
    )
    return src, dst, protocol, start, end, cut, fragment


def extensions(
    data: bytes, protocol: int, offset: int, end: int
) -> tuple[int, int, int | None]:
    """Walk IPv6 extension headers, to the first protocol that is none or to a fragment.

    Returns that protocol, where it starts, and where the fragment header is, if any.
    A fragment header of a whole packet ("atomic", RFC 6946) is walked past.
    Raises `Malformed` (ip6.extension).
    """
    while protocol in EXTENSIONS:
        if offset + 8 > end:
            raise Malformed("ip6.extension")
        following = data[offset]
        if protocol == FRAGMENT:
            if data[offset + 3] & 0xF9 or data[offset + 2]:
                return following, offset + 8, offset
            offset += 8
        elif protocol == AUTHENTICATION:
            # RFC 4302 section 2.2: in 4-byte units, minus 2; the others count in 8.
            offset += (data[offset + 1] + 2) << 2
        else:
            offset += (data[offset + 1] + 1) << 3
        if offset > end:
            raise Malformed("ip6.extension")
        protocol = following
    return protocol, offset, None


def _require_upper_header(data: bytes, protocol: int, offset: int, end: int) -> None:
    """Refuse a first fragment that stops before the UDP or TCP header does.

    RFC 8200 section 4.5: the receiver drops it, and keeps what it has of the
    datagram. Linux lets one pass that stops inside the extension headers.
    """
    try:
        protocol, offset, again = extensions(data, protocol, offset, end)
    except Malformed:
        return
    if again is None and offset + _UPPER_HEADERS.get(protocol, 1) > end:
        raise Malformed("ip6.first-fragment")
