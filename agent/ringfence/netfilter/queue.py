"""The NFQUEUE binding, around the netfilterqueue library.

Knows netlink messages of the queue's configuration (linux/netfilter/
nfnetlink_queue.h) and nothing of SIP. It gives no verdict: the callback does.

The library caps what it copies at about 4 KiB and reads into a buffer of that size,
so a large reassembled INVITE would arrive cut. Its `run_socket` takes any object
with `recv`, and its descriptor takes configuration messages: with the two, whole
datagrams come through.
"""

import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from typing import Final

import netfilterqueue

from ringfence.errors import KernelError

COPY_RANGE: Final = 0xFFFF
"""Bytes of each packet to copy; the kernel makes it 65,531, room for its attribute."""

BATCH: Final = 64
"""Packets read before the caller gets a turn for its other descriptors."""

_BUFFER: Final = COPY_RANGE + 4096
_ROOM: Final = 2_304
"""Bytes that the kernel reckons for a packet of Ethernet's size in a socket."""
_SO_RCVBUFFORCE: Final = 33  # past net.core.rmem_max; the socket module lacks it
_NETLINK_NETFILTER: Final = 12
_CONFIG: Final = (3 << 8) | 2  # NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG
_NLM_F_REQUEST: Final = 1
_CFG_PARAMS, _CFG_MAXLEN, _CFG_MASK, _CFG_FLAGS = 2, 3, 4, 5
_COPY_PACKET: Final = 2
_FAIL_OPEN: Final = 1
_STATE: Final = "/proc/net/netfilter/nfnetlink_queue"


def _attribute(kind: int, payload: bytes) -> bytes:
    size = 4 + len(payload)
    return struct.pack("=HH", size, kind) + payload + b"\0" * (-size % 4)


def config_message(queue: int, length: int, *, fail_open: bool) -> bytes:
    """Build the message that sets copy range, length and fail-open of a queue.

    Fail-open is for a full queue (NFQA_CFG_F_FAIL_OPEN): the kernel then accepts
    what it cannot queue. `bypass` in the ruleset is for no listener at all.
    """
    body = struct.pack("!BBH", socket.AF_UNSPEC, 0, queue)
    body += _attribute(_CFG_PARAMS, struct.pack("!IB", COPY_RANGE, _COPY_PACKET))
    body += _attribute(_CFG_MAXLEN, struct.pack("!I", length))
    body += _attribute(_CFG_MASK, struct.pack("!I", _FAIL_OPEN))
    body += _attribute(_CFG_FLAGS, struct.pack("!I", _FAIL_OPEN if fail_open else 0))
    header = struct.pack("=IHHII", 16 + len(body), _CONFIG, _NLM_F_REQUEST, 0, 0)
    return header + body


class Queue:
    """One bound queue."""

    def __init__(
        self,
        number: int,
        length: int,
        callback: Callable[[netfilterqueue.Packet], None],
        *,
        fail_open: bool = True,
    ) -> None:
        """Bind, or raise `KernelError` when the queue is taken or not to be had.

        `length` is the number of packets that may wait. `callback` gets each packet
        and must give it its verdict.
        """
        self.number = number
        self.overruns = 0
        """Times the kernel said that it could not hand packets over (ENOBUFS)."""
        self._left = BATCH
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        try:
            self._queue = netfilterqueue.NetfilterQueue()
            self._queue.bind(number, callback, max_len=length)
        except OSError as error:
            taken = owner_of(number)
            reason = (
                f"another program (netlink port {taken}) has it; set kernel.queue to "
                "a free number"
                if taken is not None
                else f"{error}; the agent needs CAP_NET_ADMIN and the kernel "
                "nfnetlink_queue"
            )
            raise KernelError(f"queue {number} cannot be bound: {reason}") from error
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW,
            _NETLINK_NETFILTER,
            fileno=socket.dup(self._queue.get_fd()),
        )
        self.configure(length, fail_open=fail_open)

    def configure(self, length: int, *, fail_open: bool) -> None:
        """Set how many packets may wait, and whether more are accepted unseen.

        They wait in the socket too: what finds no room there is handled like what
        finds a full queue. Memory is taken only for what waits.
        """
        room = length * _ROOM // 2  # the kernel doubles it
        with contextlib.suppress(PermissionError):  # in a container: as much as it is
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, room)
        self._socket.send(config_message(self.number, length, fail_open=fail_open))

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def read(self) -> None:
        """Hand waiting packets to the callback, at most `BATCH` of them."""
        self._left = BATCH
        self._queue.run_socket(self)  # type: ignore[arg-type] # only recv is used

    def recv(self, size: int) -> bytes:
        """Give the library one netlink message; it calls this from `read`."""
        if self._left == 0:
            raise BlockingIOError(errno.EAGAIN, "batch is full")
        self._left -= 1
        try:
            got = self._socket.recv_into(self._buffer, 0, socket.MSG_DONTWAIT)
        except OSError as error:
            self.overruns += error.errno == errno.ENOBUFS
            raise
        return bytes(self._view[:got])

    def close(self) -> None:
        """Unbind; packets that still wait are lost, so empty the queue first."""
        self._socket.close()
        self._queue.unbind()


def _state(number: int) -> list[int] | None:
    """Read the kernel's line about a queue: number, port, waiting, mode, range, …"""
    try:
        with open(_STATE, encoding="ascii") as lines:
            for line in lines:
                fields = [int(field) for field in line.split()]
                if fields[0] == number:
                    return fields
    except (OSError, ValueError, IndexError):
        return None
    return None


def owner_of(number: int) -> int | None:
    """Return the netlink port of the program that has a queue, None if nobody."""
    state = _state(number)
    return None if state is None else state[1]


def losses(number: int) -> dict[str, int]:
    """Return what the kernel counted for a queue: `waiting`, `full`, `unsent`."""
    state = _state(number)
    if state is None or len(state) < 7:
        return {"waiting": 0, "full": 0, "unsent": 0}
    return {"waiting": state[2], "full": state[5], "unsent": state[6]}
