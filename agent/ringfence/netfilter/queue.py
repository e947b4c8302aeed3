"""The queue that packets wait in for their verdict, by one of two bindings.

Knows who has a queue and what the kernel counts of it, and nothing of SIP. It gives
no verdict: the callback does. `netlinkqueue` needs nothing but Python; where the
netfilterqueue library is installed that one serves, which is faster.
"""

import errno
import importlib
import socket
from collections.abc import Callable
from typing import Final, Literal, Protocol

from ringfence.errors import KernelError
from ringfence.netfilter.netlink import NETLINK_NETFILTER
from ringfence.netfilter.netlinkqueue import (
    BATCH,
    BUFFER,
    NetlinkQueue,
    config_message,
    make_room,
)

BindingName = Literal["netfilterqueue", "python"]

_STATE: Final = "/proc/net/netfilter/nfnetlink_queue"


class QueuedPacket(Protocol):
    """What a packet from the queue can be asked and told, whatever the binding.

    The payload is to be had until the callback returns.
    """

    @property
    def indev(self) -> int:
        """Index of the interface that it came in by; 0 for none."""

    def get_payload(self) -> bytes:
        """Return it from its IP header on."""

    def get_mark(self) -> int:
        """Return its mark, the new one once that is set."""

    def set_mark(self, mark: int, /) -> None:
        """Have it go on with this mark."""

    def accept(self) -> None:
        """Let it go on behind the queue: the one verdict that the agent gives."""


Callback = Callable[[QueuedPacket], None]


class _Binding(Protocol):
    """A bound queue; its constructor raises OSError when that is refused."""

    @property
    def socket(self) -> socket.socket: ...

    @property
    def overruns(self) -> int: ...

    def read(self) -> None: ...

    def close(self) -> None: ...


class _LibraryQueue:
    """A queue by way of netfilterqueue; ImportError where that is not installed.

    The library caps what it copies at about 4 KiB and reads into a buffer of that
    size, so a large reassembled INVITE would arrive cut. Its `run_socket` takes any
    object with `recv`, and its descriptor takes configuration messages: with the two,
    whole datagrams come through.
    """

    def __init__(
        self, number: int, length: int, callback: Callback, *, fail_open: bool
    ) -> None:
        from netfilterqueue import NetfilterQueue

        self.overruns = 0
        self._left = BATCH
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._queue = NetfilterQueue()
        self._queue.bind(number, callback, max_len=length)
        self.socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW,
            NETLINK_NETFILTER,
            fileno=socket.dup(self._queue.get_fd()),
        )
        make_room(self.socket, length)
        self.socket.send(config_message(number, length, fail_open=fail_open))

    def read(self) -> None:
        self._left = BATCH
        self._queue.run_socket(self)  # type: ignore[arg-type] # only recv is used

    def recv(self, size: int) -> bytes:
        """Give the library one netlink message; it calls this from `read`."""
        if self._left == 0:
            raise BlockingIOError(errno.EAGAIN, "batch is full")
        self._left -= 1
        try:
            got = self.socket.recv_into(self._buffer, 0, socket.MSG_DONTWAIT)
        except OSError as error:
            self.overruns += error.errno == errno.ENOBUFS
            raise
        return bytes(self._view[:got])

    def close(self) -> None:
        self.socket.close()
        self._queue.unbind()


def _choose(wanted: str) -> type[_LibraryQueue] | type[NetlinkQueue]:
    if wanted == "python":
        return NetlinkQueue
    try:
        importlib.import_module("netfilterqueue")
    except ImportError as error:
        if wanted == "auto":
            return NetlinkQueue
        raise KernelError(
            f'kernel.binding = "{wanted}" cannot be had: {error}; expected "auto", '
            '"python", or the library installed'
        ) from error
    return _LibraryQueue


class Queue:
    """One bound queue."""

    def __init__(
        self,
        number: int,
        length: int,
        callback: Callback,
        *,
        fail_open: bool = True,
        binding: str = "auto",
    ) -> None:
        """Bind, or raise `KernelError` when the queue is taken or not to be had.

        `length` is the number of packets that may wait. `callback` gets each packet
        and must give it its verdict. `binding` is a `BindingName`, or "auto" for the
        fastest that is installed.
        """
        self.number = number
        chosen = _choose(binding)
        self.binding: BindingName = (
            "python" if chosen is NetlinkQueue else "netfilterqueue"
        )
        """The binding in use."""
        try:
            self._binding: _Binding = chosen(
                number, length, callback, fail_open=fail_open
            )
        except OSError as error:
            taken = owner_of(number)
            reason = (
                f"another program (netlink port {taken}) has it; set kernel.queue to "
                "a free number"
                if taken is not None
                else f"{error.strerror or error}; the agent needs CAP_NET_ADMIN and "
                "the kernel nfnetlink_queue"
            )
            raise KernelError(f"queue {number} cannot be bound: {reason}") from error

    @property
    def overruns(self) -> int:
        """Times the kernel said that it could not hand packets over (ENOBUFS)."""
        return self._binding.overruns

    def configure(self, length: int, *, fail_open: bool) -> None:
        """Set how many packets may wait, and whether more are accepted unseen."""
        make_room(self._binding.socket, length)
        self._binding.socket.send(
            config_message(self.number, length, fail_open=fail_open)
        )

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._binding.socket.fileno()

    def read(self) -> None:
        """Hand waiting packets to the callback, at most `BATCH` of them."""
        self._binding.read()

    def close(self) -> None:
        """Unbind; packets that still wait are lost, so empty the queue first."""
        self._binding.close()


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
