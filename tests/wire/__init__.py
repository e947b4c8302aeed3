"""Packets byte by byte, for tests: every field can be set, rightly or wrongly."""

from collections.abc import Iterable
from struct import pack
from typing import NamedTuple

SRC = bytes((198, 51, 100, 7))
DST = bytes((203, 0, 113, 10))
SRC6 = bytes.fromhex("20010db8000000000000000000000007")
DST6 = bytes.fromhex("20010db8000000000000000000000010")
SPORT = 5062
DPORT = 5060
SEQ = 0x01020304
ACK = 0x89ABCDEF

IPV4 = 0x0800
IPV6 = 0x86DD
PPPOE = 0x8864
VLAN = 0x8100


def udp(payload: bytes, length: int | None = None) -> bytes:
    if length is None:
        length = 8 + len(payload)
    return pack(">HHHH", SPORT, DPORT, length, 0) + payload


def tcp(payload: bytes, options: bytes = b"", offset: int | None = None) -> bytes:
    if offset is None:
        offset = 5 + len(options) // 4
    head = pack(">HHIIBBHHH", SPORT, DPORT, SEQ, ACK, offset << 4, 0x18, 1024, 0, 0)
    return head + options + payload


def ipv4(
    payload: bytes,
    protocol: int = 17,
    *,
    ident: int = 1,
    flags: int = 0,
    options: bytes = b"",
    total: int | None = None,
    first: int | None = None,
) -> bytes:
    """Put an IPv4 header in front; `flags` is the flags and offset field."""
    if first is None:
        first = 0x45 + len(options) // 4
    if total is None:
        total = 20 + len(options) + len(payload)
    head = pack(">BBHHHBBH", first, 0, total, ident, flags, 64, protocol, 0)
    return head + SRC + DST + options + payload


def ipv6(
    payload: bytes, protocol: int = 17, *, length: int | None = None, version: int = 6
) -> bytes:
    if length is None:
        length = len(payload)
    return pack(">IHBB", version << 28, length, protocol, 64) + SRC6 + DST6 + payload


def extension(following: int, units: int = 0) -> bytes:
    """Build an IPv6 extension header of 8 + 8 * units bytes."""
    return bytes((following, units)) + bytes(6 + 8 * units)


def authentication(following: int) -> bytes:
    """Build an IPv6 authentication header with a 12-byte check value."""
    return bytes((following, 4)) + bytes(22)


def fragment6(
    payload: bytes, offset: int, more: bool, *, following: int = 17, ident: int = 1
) -> bytes:
    """Build an IPv6 packet that is one fragment."""
    head = pack(">BBHI", following, 0, offset | more, ident)
    return ipv6(head + payload, 44)


def gre(payload: bytes, ethertype: int, flags: int = 0, fields: bytes = b"") -> bytes:
    return pack(">HH", flags, ethertype) + fields + payload


def ethernet(payload: bytes, ethertype: int = IPV4) -> bytes:
    return bytes(12) + pack(">H", ethertype) + payload


def vlan(payload: bytes, ethertype: int = IPV4) -> bytes:
    """Build what follows an Ethernet header whose type is a VLAN tag."""
    return pack(">HH", 100, ethertype) + payload


def pppoe(payload: bytes, head: bytes = b"\x11\x00") -> bytes:
    return head + pack(">HH", 1, len(payload)) + payload


def sll(payload: bytes, ethertype: int = IPV4) -> bytes:
    return pack(">HHH8xH", 0, 1, 6, ethertype) + payload


def sll2(payload: bytes, ethertype: int = IPV4) -> bytes:
    return pack(">HHIHBB8x", ethertype, 0, 2, 1, 0, 6) + payload


class Piece(NamedTuple):
    """One fragment to be: where it goes and what it carries."""

    offset: int
    more: bool
    data: bytes


def split(payload: bytes, sizes: Iterable[int]) -> list[Piece]:
    """Cut a payload into pieces of these sizes and one of what is left."""
    pieces = []
    offset = 0
    for size in sizes:
        pieces.append(Piece(offset, True, payload[offset : offset + size]))
        offset += size
    pieces.append(Piece(offset, False, payload[offset:]))
    return pieces


def fragment4(piece: Piece, *, ident: int = 1, protocol: int = 17) -> bytes:
    flags = piece.offset >> 3 | (0x2000 if piece.more else 0)
    return ipv4(piece.data, protocol, ident=ident, flags=flags)
