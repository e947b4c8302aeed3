"""What lies below IP: link layers, VLAN tags, PPPoE, PPP and GRE.

Every function answers with an EtherType and the offset where that protocol starts.
Knows nothing of IP itself. Bridges and providers stack tags, hence a bound.
"""

from struct import Struct

from ringfence.errors import Malformed
from ringfence.packet import LINKTYPE_RAW

# https://www.tcpdump.org/linktypes.html
NULL = 0
ETHERNET = 1
PPP = 9
LOOP = 108
LINUX_SLL = 113
IPV4 = 228
IPV6 = 229
LINUX_SLL2 = 276
RAW = frozenset({12, 14, LINKTYPE_RAW})
"""12 and 14 are DLT_RAW as some systems wrote it into files."""

LINK_TYPES = RAW | {
    NULL,
    ETHERNET,
    PPP,
    LOOP,
    LINUX_SLL,
    IPV4,
    IPV6,
    LINUX_SLL2,
}
"""The link types that can be read; a packet with another one decodes to None."""

# https://www.iana.org/assignments/ieee-802-numbers
ETHERTYPE_NONE = 0
"""Our answer for "nothing here that could be IP"."""
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_BRIDGED = 0x6558
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_PPPOE = 0x8864
ETHERTYPE_PPP = 0x880B
ETHERTYPE_VLAN = frozenset({0x8100, 0x88A8, 0x9100})
"""802.1Q, 802.1ad, and what switches used for stacked tags before 802.1ad."""

MAX_TAGS = 8
"""Tags and PPP headers in a row. A provider's PPPoE in QinQ has four."""

# PF_INET6 of the BSDs (24, 28), Darwin (30) and Linux (10); AF_INET is 2 everywhere.
_FAMILIES = {2: ETHERTYPE_IPV4} | dict.fromkeys((10, 24, 28, 30), ETHERTYPE_IPV6)
_VERSIONS = {4: ETHERTYPE_IPV4, 6: ETHERTYPE_IPV6}
_PPP_PROTOCOLS = {0x0021: ETHERTYPE_IPV4, 0x0057: ETHERTYPE_IPV6}
_SHORT = Struct(">H").unpack_from

# GRE flags, RFC 2784, RFC 2890 and (acknowledgement, version 1) RFC 2637.
_GRE_CHECKSUM = 0x8000
_GRE_ROUTING = 0x4000
_GRE_KEY = 0x2000
_GRE_SEQUENCE = 0x1000
_GRE_ACKNOWLEDGEMENT = 0x0080
_GRE_VERSION = 0x0007


def network(link: int, data: bytes) -> tuple[int, int]:
    """Find the network layer of a frame of link type `link`.

    Raises `Malformed` (link.short, link.nesting, pppoe.version, ip.short,
    ip.version).
    """
    if link == ETHERNET:
        if len(data) < 14:
            raise Malformed("link.short")
        ethertype = data[12] << 8 | data[13]
        if ethertype == ETHERTYPE_IPV4:
            return ethertype, 14
        return untag(ethertype, data, 14)
    if link in RAW:
        if not data:
            raise Malformed("ip.short")
        version = _VERSIONS.get(data[0] >> 4)
        if version is None:
            raise Malformed("ip.version")
        return version, 0
    if link == LINUX_SLL:
        return _cooked(data, 14, 16)
    if link == LINUX_SLL2:
        return _cooked(data, 0, 20)
    if link in (NULL, LOOP):
        return _loopback(data)
    if link == PPP:
        return untag(ETHERTYPE_PPP, data, 0)
    if link == IPV4:
        return ETHERTYPE_IPV4, 0
    if link == IPV6:
        return ETHERTYPE_IPV6, 0
    return ETHERTYPE_NONE, 0


def untag(ethertype: int, data: bytes, offset: int) -> tuple[int, int]:
    """Skip VLAN tags, PPPoE and PPP until another protocol begins.

    Raises `Malformed` (link.short, link.nesting, pppoe.version).
    """
    for _ in range(MAX_TAGS + 1):
        if ethertype in ETHERTYPE_VLAN:
            if len(data) < offset + 4:
                raise Malformed("link.short")
            (ethertype,) = _SHORT(data, offset + 2)
            offset += 4
        elif ethertype == ETHERTYPE_PPP:
            ethertype, offset = _ppp(data, offset)
        elif ethertype == ETHERTYPE_PPPOE:
            if len(data) < offset + 6:
                raise Malformed("link.short")
            if data[offset] != 0x11 or data[offset + 1] != 0:
                raise Malformed("pppoe.version")
            ethertype = ETHERTYPE_PPP
            offset += 6
        else:
            return ethertype, offset
    raise Malformed("link.nesting")


def gre(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """Find what a GRE packet carries; version 1 (PPTP) carries PPP.

    Raises `Malformed` (gre.short, gre.flags, gre.version).
    """
    if end - offset < 4:
        raise Malformed("gre.short")
    (flags,) = _SHORT(data, offset)
    (ethertype,) = _SHORT(data, offset + 2)
    version = flags & _GRE_VERSION
    # "the packet SHOULD be discarded" unless RFC 1701 routing is implemented:
    # RFC 2784 section 2.3; Linux and the BSDs do not implement it.
    if version > 1:
        raise Malformed("gre.version")
    if flags & _GRE_ROUTING:
        raise Malformed("gre.flags")
    offset += 4
    if version == 1:
        # RFC 2637 section 4.1: the key is always there, and without a sequence
        # number the packet only acknowledges.
        if not flags & _GRE_KEY:
            raise Malformed("gre.flags")
        if not flags & _GRE_SEQUENCE:
            return ETHERTYPE_NONE, offset
        offset += 12 if flags & _GRE_ACKNOWLEDGEMENT else 8
    else:
        for flag in (_GRE_CHECKSUM, _GRE_KEY, _GRE_SEQUENCE):
            if flags & flag:
                offset += 4
    if offset > end:
        raise Malformed("gre.short")
    return ethertype, offset


def _ppp(data: bytes, offset: int) -> tuple[int, int]:
    """Read a PPP header, address and control bytes compressed away or not.

    RFC 1661 section 6.5 and 6.6: both may be missing, and a protocol number whose
    first byte is odd has only that byte.
    """
    if data[offset : offset + 2] == b"\xff\x03":
        offset += 2
    if len(data) <= offset:
        raise Malformed("link.short")
    protocol = data[offset]
    offset += 1
    if not protocol & 1:
        if len(data) <= offset:
            raise Malformed("link.short")
        protocol = protocol << 8 | data[offset]
        offset += 1
    return _PPP_PROTOCOLS.get(protocol, ETHERTYPE_NONE), offset


def _cooked(data: bytes, protocol: int, size: int) -> tuple[int, int]:
    """Linux cooked capture, both versions: an EtherType somewhere in a header."""
    if len(data) < size:
        raise Malformed("link.short")
    return untag(data[protocol] << 8 | data[protocol + 1], data, size)


def _loopback(data: bytes) -> tuple[int, int]:
    """BSD loopback: an address family in the byte order of whoever captured it."""
    if len(data) < 4:
        raise Malformed("link.short")
    family = int.from_bytes(data[:4], "little")
    if family > 0xFFFF:
        family = int.from_bytes(data[:4], "big")
    return _FAMILIES.get(family, ETHERTYPE_NONE), 4
