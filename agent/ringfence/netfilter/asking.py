"""Questions to nf_tables that nft answers only with every set in its memory.

Knows nf_tables' messages for named counters and for rules (linux/netfilter/nf_tables.h),
and the names that `nft.py` gives. `nft list` loads the elements of all sets of the
machine first, also with `--terse` and for a single chain: 23 MB with the home networks
of Japan, which a small router does not have. Here the kernel writes what was asked for.
"""

import errno
from typing import Final

from ringfence.netfilter import netlink
from ringfence.netfilter.nft import HOME_MARK, TABLE, Home

PATIENCE: Final = 5.0
"""Seconds for one piece of an answer; the kernel writes it while it is asked."""

READINGS: Final = 5
"""Times that a table is read at most, when it changes meanwhile."""

_NFTABLES: Final = 10 << 8  # NFNL_SUBSYS_NFTABLES
_NEW_RULE, _GET_RULE = _NFTABLES | 6, _NFTABLES | 7  # NFT_MSG_NEWRULE, …
_NEW_OBJECT, _GET_OBJECT = _NFTABLES | 18, _NFTABLES | 19  # NFT_MSG_NEWOBJ, …
_INET: Final = 1  # NFPROTO_INET
_OF_TABLE: Final = 1  # NFTA_OBJ_TABLE, NFTA_RULE_TABLE
_NAME, _TYPE, _DATA = 2, 3, 4  # NFTA_OBJ_*
_CHAIN, _HANDLE, _USERDATA = 2, 3, 7  # NFTA_RULE_*
_COMMENT: Final = 0  # NFTNL_UDATA_RULE_COMMENT
_COUNTER: Final = (1).to_bytes(4)  # NFT_OBJECT_COUNTER
_PACKETS: Final = 2  # NFTA_COUNTER_PACKETS


def counters(table: str = TABLE) -> dict[str, int]:
    """Return packets by counter name of a table of family inet; none without one.

    Raises OSError.
    """
    counted = {}
    for body in _dump(_GET_OBJECT, _NEW_OBJECT, table):
        found = netlink.attributes(body, netlink.FAMILY_HEADER)
        if found.get(_TYPE) != _COUNTER:
            continue
        packets = netlink.attributes(found.get(_DATA, b"")).get(_PACKETS, b"")
        counted[_text(found.get(_NAME, b""))] = int.from_bytes(packets)
    return counted


def home(table: str = TABLE) -> Home | None:
    """Return what is told of the home networks in the kernel; None for nothing.

    Raises OSError.
    """
    chain = netlink.attribute(_CHAIN, HOME_MARK.encode() + b"\0")
    for body in _dump(_GET_RULE, _NEW_RULE, table, chain):
        rule = netlink.attributes(body, netlink.FAMILY_HEADER)
        if _text(rule.get(_CHAIN, b"")) == HOME_MARK:
            handle = int.from_bytes(rule.get(_HANDLE, b""))
            return Home(handle, _comment(rule.get(_USERDATA, b"")))
    return None


def _dump(question: int, answer: int, table: str, only: bytes = b"") -> list[bytes]:
    """Ask for everything of one kind in a table; the bodies of the answers.

    `only` is an attribute that says of what, for kernels that choose.
    Raises OSError, EINTR when the table has changed each time.
    """
    name = table.encode() + b"\0"
    with netlink.open_netfilter() as kernel:
        kernel.settimeout(PATIENCE)
        for sequence in range(1, READINGS + 1):
            kernel.send(
                netlink.netfilter_message(
                    question,
                    netlink.attribute(_OF_TABLE, name),
                    only,
                    family=_INET,
                    flags=netlink.REQUEST | netlink.DUMP,
                    sequence=sequence,
                )
            )
            found: list[bytes] = []
            changed = False
            over = False
            while not over:
                for one in netlink.messages(kernel.recv(netlink.LARGEST)):
                    if one.sequence != sequence:
                        continue
                    changed |= bool(one.flags & netlink.DUMP_INTR)
                    if one.kind == answer and _is_of(one.body, name):
                        found.append(one.body)
                    elif one.kind in (netlink.ERROR, netlink.DONE):
                        error = netlink.error_in(one.body)
                        if error is not None and error.errno != errno.EINTR:
                            raise error
                        over = True
            if not changed:
                return found
    raise InterruptedError(errno.EINTR, "the table changes all the time")


def _is_of(body: bytes, name: bytes) -> bool:
    """Tell whether this is of that table: old kernels do not choose."""
    found = netlink.attributes(body, netlink.FAMILY_HEADER)
    return body[:1] == bytes([_INET]) and found.get(_OF_TABLE) == name


def _comment(data: bytes) -> str:
    """Read what nft keeps with a rule: kind, length and value, one after another."""
    at = 0
    while at + 2 <= len(data):
        kind, size = data[at], data[at + 1]
        if kind == _COMMENT:
            return _text(data[at + 2 : at + 2 + size])
        at += 2 + size
    return ""


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("ascii", "replace")
