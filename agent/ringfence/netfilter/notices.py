"""What changes in the kernel behind our back: links and routes, a table that went.

Knows which interfaces face strangers (those with a default route) and that some
programs delete every nft table, ours too. Reading /proc costs a millisecond and no
memory, asking for a table less.
"""

import contextlib
import errno
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ringfence.netfilter import netlink
from ringfence.netfilter.nft import TABLE

_RTMGRP: Final = 0x1 | 0x40 | 0x400  # LINK, IPV4_ROUTE, IPV6_ROUTE
_NEWTABLE, _GETTABLE = 10 << 8, 10 << 8 | 1  # NFNL_SUBSYS_NFTABLES, NFT_MSG_*
_TABLE_NAME, _TABLE_HANDLE = 1, 4  # NFTA_TABLE_*
_INET: Final = 1  # NFPROTO_INET
_RTF_UP, _RTF_REJECT = 0x1, 0x200

LOOK_EVERY: Final = 2.0
"""Seconds between two looks for our table: how long a router may be without it."""


def default_route_interfaces(proc: Path = Path("/proc/net")) -> list[str]:
    """Name the interfaces that a default route, IPv4 or IPv6, goes out by."""
    names: set[str] = set()
    with contextlib.suppress(OSError):
        for line in _lines(proc / "route")[1:]:
            fields = line.split()
            # iface destination gateway flags refcnt use metric mask …
            if len(fields) >= 8 and fields[1] == fields[7] == "00000000":
                flags = int(fields[3], 16)
                if flags & _RTF_UP and not flags & _RTF_REJECT:
                    names.add(fields[0])
    with contextlib.suppress(OSError):
        for line in _lines(proc / "ipv6_route"):
            fields = line.split()
            # destination length source length next-hop metric refcnt use flags iface
            if len(fields) >= 10 and fields[0] == "0" * 32 and fields[1] == "00":
                flags = int(fields[8], 16)
                if flags & _RTF_UP and not flags & _RTF_REJECT and fields[9] != "lo":
                    names.add(fields[9])
    return sorted(names)


def _lines(path: Path) -> list[str]:
    # A name is whatever bytes somebody gave it; one that is no text is not found later.
    return path.read_text(encoding="utf-8", errors="replace").split("\n")


def interface_indexes(names: list[str]) -> frozenset[int]:
    """Turn names into kernel indexes; names that do not exist (yet) are left out."""
    found: set[int] = set()
    for name in names:
        with contextlib.suppress(OSError):
            found.add(socket.if_nametoindex(name))
    return frozenset(found)


class LinkNotices:
    """Readable when an interface or a route changed."""

    def __init__(self) -> None:
        """Subscribe to rtnetlink."""
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_NONBLOCK,
            socket.NETLINK_ROUTE,
        )
        self._socket.bind((0, _RTMGRP))

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Throw the notices away: what changed is read from /proc."""
        for _ in _notices(self._socket):
            pass

    def close(self) -> None:
        """Unsubscribe."""
        self._socket.close()


class TableWatch:
    """Tells whether our table is still the one that we have made.

    It asks. To be told of changes in nf_tables costs too much: while anybody listens,
    the kernel takes 8 KB for every element of whatever set somebody loads, until the
    last one is in. The block lists of banIP alone would take a router down.
    """

    def __init__(self) -> None:
        """Open a socket; nothing is known of the table yet."""
        self._socket = netlink.open_netfilter()
        self._socket.setblocking(False)
        self._sequence = 0
        self._known: bytes | None = None
        self._due = 0.0

    def remember(self) -> None:
        """Take the table that is there now, or that there is none, for ours."""
        self._known = self._handle()

    def wait(self, mono: float) -> float:
        """Return the seconds until it is time to look."""
        return max(0.0, self._due - mono)

    def lost(self, mono: float) -> bool:
        """Look, if it is time: True when our table is gone, or another in its place."""
        if mono < self._due:
            return False
        self._due = mono + LOOK_EVERY
        return self._handle() != self._known

    def _handle(self) -> bytes | None:
        """Return what tells our table from a later one; None when there is none.

        When the kernel cannot say, nothing has changed.
        """
        self._sequence += 1
        name = netlink.attribute(_TABLE_NAME, TABLE.encode() + b"\0")
        question = netlink.netfilter_message(
            _GETTABLE, name, family=_INET, sequence=self._sequence
        )
        try:
            self._socket.send(question)
            for answer in _notices(self._socket):
                if answer.sequence != self._sequence:
                    continue
                if answer.kind == _NEWTABLE:
                    return netlink.attributes(answer.body, netlink.FAMILY_HEADER).get(
                        _TABLE_HANDLE
                    )
                refusal = netlink.error_in(answer.body)
                if refusal is not None and refusal.errno == errno.ENOENT:
                    return None
        except OSError:
            pass
        return self._known

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _notices(source: socket.socket) -> Iterator[netlink.Message]:
    """Read what is there, bounded a call."""
    for _ in range(256):
        try:
            data = source.recv(netlink.LARGEST)
        except BlockingIOError:
            return
        except OSError:  # ENOBUFS: some were lost, the rest can be read
            continue
        yield from netlink.messages(data)
