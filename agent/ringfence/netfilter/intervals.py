"""Filling a set of intervals in the kernel, a few at a time, without nft.

Knows nf_tables' messages for set elements (linux/netfilter/nf_tables.h) and nothing of
what the intervals mean. nft would take the whole set into its memory, 23 MB for the
home networks of Japan, and the kernel as much again for one transaction of that size.
Here each is small, so the set grows while it is filled: no rule may ask for it yet.
"""

import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
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
_NEW_ELEMENTS: Final = _NFTABLES << 8 | 12  # NFT_MSG_NEWSETELEM
_BEGIN, _END = 16, 17  # NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END
_INET: Final = 1  # NFPROTO_INET
_CREATE: Final = 0x400  # NLM_F_CREATE
_TABLE, _SET, _ELEMENTS = 1, 2, 3  # NFTA_SET_ELEM_LIST_*
_ELEMENT: Final = 1  # NFTA_LIST_ELEM
_KEY, _FLAGS = 1, 3  # NFTA_SET_ELEM_*
_VALUE: Final = 1  # NFTA_DATA_VALUE
_INTERVAL_END: Final = struct.pack("!I", 1)  # NFT_SET_ELEM_INTERVAL_END


def fill(table: str, name: str, ranges: Sequence[Range], width: int) -> None:
    """Add ranges to a set of a table of family inet; `KernelError` if it cannot be.

    The ranges must be sorted and must not touch (`origins.Ranges`); `width` is the
    number of bytes of an address. What was added before an error stays.
    """
    try:
        with netlink.open_netfilter() as kernel:
            kernel.settimeout(PATIENCE)
            for sequence, part in enumerate(_parts(ranges), 1):
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
    return b"".join(
        (
            netlink.netfilter_message(_BEGIN, resource=_NFTABLES),
            netlink.netfilter_message(
                _NEW_ELEMENTS,
                netlink.attribute(_TABLE, table.encode() + b"\0"),
                netlink.attribute(_SET, name.encode() + b"\0"),
                netlink.nested(_ELEMENTS, elements),
                family=_INET,
                flags=netlink.REQUEST | netlink.ACK | _CREATE,
                sequence=sequence,
            ),
            netlink.netfilter_message(_END, resource=_NFTABLES),
        )
    )


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
