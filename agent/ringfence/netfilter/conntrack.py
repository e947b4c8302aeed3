"""Ends the tracked connections of banned addresses. A program of its own.

A flow that hardware or software offload has taken passes by every chain until its
connection tracking entry is gone. The table may hold as many entries as a router has
memory for, and no packet may wait while it is read: so the agent starts
`python -m ringfence.netfilter.conntrack ADDRESS...` (`severing.py`). Knows
linux/netfilter/nfnetlink_conntrack.h, and imports next to nothing.
"""

import errno
import socket
import sys
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ringfence.errors import KernelError
from ringfence.netfilter import netlink

MAX_FOUND: Final = 4_096
"""Entries to delete that are kept at once, 1 MB of them; then the table is read again,
which is slower and ends just so."""

MAX_READINGS: Final = 64
"""Times that the table is read at most: 262,144 entries, more than routers track."""

PATIENCE: Final = 10.0
"""Seconds that the kernel gets for one piece of an answer."""

_SUBSYSTEM: Final = 1 << 8  # NFNL_SUBSYS_CTNETLINK
_NEW, _GET, _DELETE = _SUBSYSTEM, _SUBSYSTEM | 1, _SUBSYSTEM | 2
_ORIG, _REPLY, _ID, _ZONE = 1, 2, 12, 18  # CTA_TUPLE_ORIG, …
_TUPLE_IP: Final = 1
_SOURCE: Final[dict[int, int]] = {
    socket.AF_INET: 1,
    socket.AF_INET6: 3,
}  # CTA_IP_V4_SRC, CTA_IP_V6_SRC
_SIZE: Final[dict[int, int]] = {socket.AF_INET: 4, socket.AF_INET6: 16}


class Entry(NamedTuple):
    """What the kernel needs in order to find one entry again, as it wrote it."""

    original: bytes
    """CTA_TUPLE_ORIG: who began the connection, and to whom."""
    number: bytes | None
    """CTA_ID: so that a new connection between the same two is not taken for it."""
    zone: bytes | None


def _covered(address: bytes) -> bytes:
    """Return what stands for an address: itself, or its /64."""
    return address[:8] if len(address) == 16 else address


def entry_of(body: bytes, family: int, banned: frozenset[bytes]) -> Entry | None:
    """Read one entry of a dump; None unless a banned address takes part in it.

    `banned` holds IPv4 addresses, and the first eight bytes of IPv6 networks. Whoever
    is at an end of a connection is the source of one of its directions, whatever was
    translated.
    """
    if not body or body[0] != family:
        return None
    found = netlink.attributes(body, netlink.FAMILY_HEADER)
    for way in (_ORIG, _REPLY):
        ends = netlink.attributes(found.get(way, b"")).get(_TUPLE_IP, b"")
        source = netlink.attributes(ends).get(_SOURCE[family], b"")
        if _covered(source) in banned and _ORIG in found:
            return Entry(found[_ORIG], found.get(_ID), found.get(_ZONE))
    return None


def dump_message(family: int, sequence: int) -> bytes:
    """Ask for every entry of an address family."""
    return netlink.netfilter_message(
        _GET,
        family=family,
        flags=netlink.REQUEST | netlink.DUMP,
        sequence=sequence,
    )


def delete_message(entry: Entry, family: int, sequence: int) -> bytes:
    """Ask that an entry be deleted, and for word of it."""
    named = [netlink.nested(_ORIG, entry.original)]
    if entry.number is not None:
        named.append(netlink.attribute(_ID, entry.number))
    if entry.zone is not None:
        named.append(netlink.attribute(_ZONE, entry.zone))
    return netlink.netfilter_message(
        _DELETE,
        *named,
        family=family,
        flags=netlink.REQUEST | netlink.ACK,
        sequence=sequence,
    )


class _Table:
    """The kernel's table, asked one question after another."""

    def __init__(self) -> None:
        self._socket = netlink.open_netfilter()
        self._socket.settimeout(PATIENCE)
        self._asked = 0
        self.interrupted = False
        """The last dump may lack entries."""

    def close(self) -> None:
        self._socket.close()

    def _answers(self) -> Iterator[netlink.Message]:
        """Give the answers to the last question, up to the end of them."""
        while True:
            for answer in netlink.messages(self._socket.recv(netlink.LARGEST)):
                if answer.sequence != self._asked:
                    continue
                self.interrupted |= bool(answer.flags & netlink.DUMP_INTR)
                if answer.kind in (netlink.ERROR, netlink.DONE):
                    error = netlink.error_in(answer.body)
                    if error is not None:
                        raise error
                    return
                yield answer

    def entries(self, family: int, banned: frozenset[bytes]) -> list[Entry]:
        """Find the entries of banned addresses, `MAX_FOUND` of them at most."""
        self._asked += 1
        self.interrupted = False
        self._socket.send(dump_message(family, self._asked))
        found: list[Entry] = []
        for answer in self._answers():
            if answer.kind == _NEW and len(found) < MAX_FOUND:
                entry = entry_of(answer.body, family, banned)
                if entry is not None:
                    found.append(entry)
        return found

    def delete(self, entry: Entry, family: int) -> bool:
        """Delete an entry; False if it was gone already."""
        self._asked += 1
        self._socket.send(delete_message(entry, family, self._asked))
        try:
            for _ in self._answers():
                pass
        except FileNotFoundError:
            return False
        return True


def end_connections(addresses: Iterable[bytes]) -> int:
    """Delete every entry that a banned address takes part in; returns how many.

    An IPv6 address stands for its /64. Raises `KernelError` when this machine cannot,
    or would not delete one of them; the others are gone then all the same.
    """
    asked = list(addresses)
    try:
        table = _Table()
    except OSError as error:
        raise _unable(error) from error
    try:
        return sum(
            _end(table, family, frozenset(map(_covered, banned)))
            for family, size in _SIZE.items()
            if (banned := [address for address in asked if len(address) == size])
        )
    except OSError as error:
        raise _unable(error) from error
    finally:
        table.close()


def _end(table: _Table, family: int, banned: frozenset[bytes]) -> int:
    ended = 0
    refused: OSError | None = None
    for _ in range(MAX_READINGS):
        found = table.entries(family, banned)
        again = table.interrupted or len(found) == MAX_FOUND
        for entry in found:
            try:
                ended += table.delete(entry, family)
            except OSError as error:  # kernels that keep offloaded flows: EBUSY
                refused = error
        if refused is not None:
            raise refused
        if not again:
            break
    return ended


def _unable(error: OSError) -> KernelError:
    reasons = {
        errno.EPERM: "this needs the capability CAP_NET_ADMIN",
        errno.EINVAL: "the kernel has no nf_conntrack_netlink",
        errno.EPROTONOSUPPORT: "the kernel has no nfnetlink",
    }
    said = reasons.get(error.errno or 0, error.strerror or str(error))
    return KernelError(f"tracked connections cannot be ended: {said}")


def _address(literal: str) -> bytes | None:
    family = socket.AF_INET6 if ":" in literal else socket.AF_INET
    try:
        return socket.inet_pton(family, literal)
    except OSError:
        return None


def main(literals: list[str]) -> int:
    """End the connections of some addresses; the exit code is 0 when that worked."""
    addresses = [_address(literal) for literal in literals]
    try:
        end_connections(address for address in addresses if address is not None)
    except KernelError as error:
        sys.stderr.write(f"ringfence: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
