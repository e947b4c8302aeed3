"""What the kernel tells without being asked: links and routes changed, a table went.

Knows which interfaces face strangers (those with a default route) and that some
programs delete every nft table, ours too. Reading /proc costs a millisecond and no
memory.
"""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ringfence.netfilter import netlink
from ringfence.netfilter.nft import TABLE

_RTMGRP: Final = 0x1 | 0x40 | 0x400  # LINK, IPV4_ROUTE, IPV6_ROUTE
_NFNLGRP_NFTABLES: Final = 7
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_DELTABLE: Final = (10 << 8) | 2  # NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE
_TABLE_NAME: Final = 1  # NFTA_TABLE_NAME
_RTF_UP, _RTF_REJECT = 0x1, 0x200


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


class TableNotices:
    """Readable when nft tables changed; tells whether ours was deleted."""

    def __init__(self) -> None:
        """Subscribe to nf_tables."""
        self._socket = netlink.open_netfilter()
        self._socket.setblocking(False)
        self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def deleted(self) -> bool:
        """Read all notices; True when our table was deleted by somebody."""
        name = TABLE.encode() + b"\0"
        ours = [
            notice.kind == _DELTABLE
            and netlink.attributes(notice.body, netlink.FAMILY_HEADER).get(_TABLE_NAME)
            == name
            for notice in _notices(self._socket)
        ]
        return any(ours)

    def close(self) -> None:
        """Unsubscribe."""
        self._socket.close()


def _notices(source: socket.socket) -> Iterator[netlink.Message]:
    """Read what is there, bounded a call.

    One by one: the sets of home networks alone are 2 MB of them.
    """
    for _ in range(256):
        try:
            data = source.recv(netlink.LARGEST)
        except BlockingIOError:
            return
        except OSError:  # ENOBUFS: some were lost, the rest can be read
            continue
        yield from netlink.messages(data)
