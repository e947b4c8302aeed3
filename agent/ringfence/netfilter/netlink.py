"""The small part of netlink that the agent speaks: messages and their attributes.

Knows lengths, padding and byte orders (netlink(7), linux/netfilter/nfnetlink.h), not
what is said. Headers are in the machine's byte order; what nfnetlink carries inside
is big endian. Only the kernel may write to these sockets, so what is read here is
bounded by the datagram; a message or attribute that does not fit ends the reading.
"""

import os
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

NETLINK_NETFILTER: Final = 12

REQUEST: Final = 0x1
ACK: Final = 0x4
DUMP: Final = 0x300  # NLM_F_ROOT | NLM_F_MATCH
DUMP_INTR: Final = 0x10
"""Flag of a dump whose table changed meanwhile: it may lack entries."""

ERROR: Final = 2
"""Type of an answer: an error, or with number 0 that all is well."""
DONE: Final = 3
"""Type of the message that ends a dump."""

LARGEST: Final = 65_536
"""Bytes to read at once; the kernel's dumps and notices come in at most 32 KiB."""

HEADER: Final = 16
"""Bytes ahead of a message's body."""
FAMILY_HEADER: Final = 4
"""Bytes ahead of the attributes in an nfnetlink body: family, version, resource."""

_MESSAGE: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_FAMILY: Final = struct.Struct("!BBH")
_ERROR: Final = struct.Struct("=i")
_NESTED: Final = 0x8000
_KIND: Final = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER


class Message(NamedTuple):
    """One message that the kernel sent."""

    kind: int
    """Subsystem << 8 | message for nfnetlink, else `ERROR`, `DONE`, …"""
    flags: int
    sequence: int
    body: bytes


def attribute(kind: int, payload: bytes) -> bytes:
    """Write one attribute, padded."""
    size = _ATTRIBUTE.size + len(payload)
    return _ATTRIBUTE.pack(size, kind) + payload + bytes(-size % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """Write an attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(parts))


def message(kind: int, body: bytes, flags: int = REQUEST, sequence: int = 0) -> bytes:
    """Write one message to the kernel."""
    return _MESSAGE.pack(HEADER + len(body), kind, flags, sequence, 0) + body


def netfilter_message(
    kind: int,
    *attributes: bytes,
    family: int = socket.AF_UNSPEC,
    resource: int = 0,
    flags: int = REQUEST,
    sequence: int = 0,
) -> bytes:
    """Write one message to a subsystem of nfnetlink; `resource` is the queue's number.

    `kind` is the subsystem << 8 | its message.
    """
    body = _FAMILY.pack(family, 0, resource) + b"".join(attributes)
    return message(kind, body, flags, sequence)


def messages(data: bytes) -> Iterator[Message]:
    """Give the messages of one datagram."""
    at = 0
    while at + HEADER <= len(data):
        size, kind, flags, sequence, _ = _MESSAGE.unpack_from(data, at)
        if not HEADER <= size <= len(data) - at:
            return
        yield Message(kind, flags, sequence, data[at + HEADER : at + size])
        at += (size + 3) & ~3


def attributes(data: bytes, at: int = 0) -> dict[int, bytes]:
    """Read the attributes from `at` to the end: payload by kind, the last one counts.

    For a nested one: the payload's own attributes, to be read in the same way.
    """
    found: dict[int, bytes] = {}
    while at + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= size <= len(data) - at:
            break
        found[kind & _KIND] = data[at + _ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
    return found


def error_in(body: bytes) -> OSError | None:
    """Read the body of `ERROR` or `DONE`: what went wrong, None for nothing."""
    number = -_ERROR.unpack_from(body)[0] if len(body) >= _ERROR.size else 0
    return OSError(number, os.strerror(number)) if number else None


def open_netfilter() -> socket.socket:
    """Open a socket to nfnetlink with an address of its own; OSError without one."""
    made = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER
    )
    try:
        made.bind((0, 0))
    except BaseException:
        made.close()
        raise
    return made
