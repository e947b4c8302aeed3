"""Elements of sets in the kernel, changed without nft: above all many intervals.

Knows nf_tables' messages for set elements (linux/netfilter/nf_tables.h) and nothing of
what the intervals mean. nft would take the whole set into its memory, 23 MB for the
home networks of Japan, and the kernel as much again for one transaction of that size.
Here each is small, so the set grows while it is filled: no rule may ask for it yet.
"""

import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from ringfence.errors import KernelError
from ringfence.netfilter import netlink
from ringfence.netfilter.origins import Range

AT_ONCE: Final = 256
"""Intervals in a transaction: two elements each, for which the kernel takes half a
kilobyte, and eight more while anybody listens to nf_tables (`nft monitor`): 4 MB."""

PATIENCE: Final = 20.0
"""Seconds for one transaction; it takes milliseconds."""

_NFTABLES: Final = 10  # NFNL_SUBSYS_NFTABLES
NEW_ELEMENTS: Final = _NFTABLES << 8 | 12  # NFT_MSG_NEWSETELEM
DELETED_ELEMENTS: Final = _NFTABLES << 8 | 14  # NFT_MSG_DELSETELEM
_BEGIN, _END = 16, 17  # NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END
_INET: Final = 1  # NFPROTO_INET
_CREATE: Final = 0x400  # NLM_F_CREATE
_TABLE, _SET, _ELEMENTS = 1, 2, 3  # NFTA_SET_ELEM_LIST_*
_ELEMENT: Final = 1  # NFTA_LIST_ELEM
_KEY, _FLAGS, _TIMEOUT = 1, 3, 4  # NFTA_SET_ELEM_*
_VALUE: Final = 1  # NFTA_DATA_VALUE
_INTERVAL_END: Final = struct.pack("!I", 1)  # NFT_SET_ELEM_INTERVAL_END


def fill(
    table: str,
    name: str,
    ranges: Sequence[Range],
    width: int,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Add ranges to a set of a table of family inet; `KernelError` if it cannot be.

    The ranges must be sorted and must not touch (`origins.Ranges`); `width` is the
    number of bytes of an address. `before` is called ahead of each transaction. What
    was added before an error, its own or one of `before`, stays.
    """
    try:
        with netlink.open_netfilter() as kernel:
            kernel.settimeout(PATIENCE)
            for sequence, part in enumerate(_parts(ranges), 1):
                before()
                kernel.send(transaction(table, name, part, width, sequence))
                _expect_acknowledgement(kernel, sequence)
    except OSError as error:
        raise KernelError(
            f"the kernel did not take the networks of {name}: {error.strerror or error}"
        ) from error


def transaction(
    table: str, name: str, ranges: Iterable[Range], width: int, sequence: int
) -> bytes:
    """Build the messages that add some ranges, all or none of them."""
    beyond = 1 << 8 * width
    elements = b"".join(
        _element(first, width)
        # The last address of all has no next one: such an interval stays open.
        + (_element(last + 1, width, _INTERVAL_END) if last + 1 < beyond else b"")
        for first, last in ranges
    )
    return in_one(change(NEW_ELEMENTS, table, name, elements, sequence))


def in_one(*changes: bytes) -> bytes:
    """Put changes into one transaction: all of them or none."""
    begin = netlink.netfilter_message(_BEGIN, resource=_NFTABLES)
    return (
        begin + b"".join(changes) + netlink.netfilter_message(_END, resource=_NFTABLES)
    )


def change(kind: int, table: str, name: str, elements: bytes, sequence: int) -> bytes:
    """Build the message that adds or deletes elements of a set, to be acknowledged."""
    return netlink.netfilter_message(
        kind,
        netlink.attribute(_TABLE, table.encode() + b"\0"),
        netlink.attribute(_SET, name.encode() + b"\0"),
        netlink.nested(_ELEMENTS, elements),
        family=_INET,
        flags=netlink.REQUEST | netlink.ACK | (_CREATE if kind == NEW_ELEMENTS else 0),
        sequence=sequence,
    )


def element(key: bytes, seconds: int = 0) -> bytes:
    """Build one element that is no interval, with a timeout or none."""
    written = netlink.nested(_KEY, netlink.attribute(_VALUE, key))
    if seconds:
        written += netlink.attribute(_TIMEOUT, (seconds * 1000).to_bytes(8))
    return netlink.nested(_ELEMENT, written)


def perform(*changes: bytes) -> None:
    """Have a transaction done whose changes are numbered from 1; raises OSError."""
    with netlink.open_netfilter() as kernel:
        kernel.settimeout(PATIENCE)
        kernel.send(in_one(*changes))
        _expect_acknowledgement(kernel, len(changes))


def _element(value: int, width: int, flags: bytes = b"") -> bytes:
    key = netlink.nested(_KEY, netlink.attribute(_VALUE, value.to_bytes(width)))
    if flags:
        return netlink.nested(_ELEMENT, key, netlink.attribute(_FLAGS, flags))
    return netlink.nested(_ELEMENT, key)


def _parts(ranges: Sequence[Range]) -> Iterator[list[Range]]:
    rest = iter(ranges)
    while part := list(islice(rest, AT_ONCE)):
        yield part


def _expect_acknowledgement(kernel: socket.socket, sequence: int) -> None:
    """Wait until the kernel has taken a transaction; raises OSError if it has not."""
    while True:
        for answer in netlink.messages(kernel.recv(netlink.LARGEST)):
            if answer.kind != netlink.ERROR:
                continue
            refusal = netlink.error_in(answer.body)
            if refusal is not None:
                raise refusal
            if answer.sequence == sequence:
                return
