"""Ends the tracked connections of banned addresses. A program of its own.

A flow that hardware or software offload has taken passes by every chain until its
connection tracking entry is gone. pyroute2 is worth 24 MB, so the agent never imports
it: it starts `python -m ringfence.netfilter.conntrack ADDRESS...` (`severing.py`).
"""

import socket
import sys
from collections.abc import Iterable

from ringfence.facts.network import parse_address
from ringfence.netfilter.bans import network


def end_connections(addresses: Iterable[bytes]) -> int:
    """Delete every entry that a banned address takes part in; returns how many.

    An IPv6 address stands for its /64. Needs CAP_NET_ADMIN; OSError from netlink and
    ImportError without pyroute2 go to the caller.
    """
    from pyroute2.netlink.nfnetlink.nfctsocket import (  # type: ignore[import-untyped]
        NFCTAttrTuple,
        NFCTSocket,
    )

    banned = {network(address) for address in addresses}
    ended = 0
    for family in (socket.AF_INET, socket.AF_INET6):
        size = 4 if family == socket.AF_INET else 16
        if not any(len(address) == size for address in banned):
            continue
        with NFCTSocket(nfgen_family=family) as table:
            doomed = []
            for entry in table.dump():
                if entry["nfgen_family"] != family:
                    continue
                tuples = [
                    entry.get_attr(f"CTA_TUPLE_{way}") for way in ("ORIG", "REPLY")
                ]
                ways = [NFCTAttrTuple.from_netlink(family, way) for way in tuples]
                if any(_packed(way.saddr) in banned for way in ways):
                    doomed.append(ways[0])
            for way in doomed:
                try:
                    table.entry("del", tuple_orig=way)
                    ended += 1
                except Exception as error:  # its class differs between versions
                    if getattr(error, "code", None) != 2:  # ENOENT: ran out meanwhile
                        raise
    return ended


def _packed(literal: str) -> bytes:
    address = parse_address(literal)
    return b"" if address is None else network(address)


def main(literals: list[str]) -> int:
    """End the connections of some addresses; the exit code is 0 when that worked."""
    addresses = [parse_address(literal) for literal in literals]
    end_connections(address for address in addresses if address is not None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
