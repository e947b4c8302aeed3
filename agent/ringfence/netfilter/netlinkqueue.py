"""A queue of packets straight over netlink (linux/netfilter/nfnetlink_queue.h).

Knows how packets come and verdicts go; gives none, and nothing of SIP. Serves where
the netfilterqueue library is not installed, in the words of that library as far as
`queue.Queue` and its callers use them. A packet comes whole and is one's own: it stays
as it is when the next one is read.
"""

import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from typing import Final

from ringfence.netfilter import netlink

COPY_RANGE: Final = 0xFFFF
"""Bytes of each packet to copy; the kernel makes it 65,531, room for its attribute."""

BATCH: Final = 64
"""Packets read before the caller gets a turn for its other descriptors."""

BUFFER: Final = COPY_RANGE + 4096
"""Bytes that one message of the kernel may take."""

_ROOM: Final = 2_304
"""Bytes that the kernel reckons for a packet of Ethernet's size in a socket."""
_SO_RCVBUFFORCE: Final = 33  # past net.core.rmem_max; the socket module lacks it
_SUBSYSTEM: Final = 3 << 8  # NFNL_SUBSYS_QUEUE
_PACKET, _VERDICT, _CONFIG = _SUBSYSTEM, _SUBSYSTEM | 1, _SUBSYSTEM | 2
_CFG_CMD, _CFG_PARAMS, _CFG_MAXLEN, _CFG_MASK, _CFG_FLAGS = 1, 2, 3, 4, 5
_BIND, _UNBIND = 1, 2
_COPY_PACKET: Final = 2
_FAIL_OPEN: Final = 1
_PACKET_HDR, _MARK, _INDEV, _OUTDEV, _PAYLOAD = 1, 3, 5, 6, 10
_VERDICT_HDR: Final = 2
_DROP, _ACCEPT, _REPEAT = 0, 1, 4

_ATTRIBUTES: Final = netlink.HEADER + netlink.FAMILY_HEADER
"""Where the attributes of the first message in a buffer begin."""
_message_at = struct.Struct("=IHH").unpack_from
_attribute_at = struct.Struct("=HH").unpack_from
_number_at = struct.Struct("!I").unpack_from
_header_at = struct.Struct("!IHB").unpack_from
_write_verdict = struct.Struct("!II").pack_into
_write_mark = struct.Struct("!I").pack_into


def _command(command: int) -> bytes:
    return netlink.attribute(_CFG_CMD, struct.pack("!BxH", command, 0))


def config_message(
    queue: int, length: int, *, fail_open: bool, bind: bool = False
) -> bytes:
    """Build the message that sets copy range, length and fail-open of a queue.

    Fail-open is for a full queue (NFQA_CFG_F_FAIL_OPEN): the kernel then accepts
    what it cannot queue. `bypass` in the ruleset is for no listener at all. With
    `bind` the queue is taken first: nothing comes by that it would hold otherwise.
    """
    return netlink.netfilter_message(
        _CONFIG,
        _command(_BIND) if bind else b"",
        netlink.attribute(_CFG_PARAMS, struct.pack("!IB", COPY_RANGE, _COPY_PACKET)),
        netlink.attribute(_CFG_MAXLEN, struct.pack("!I", length)),
        netlink.attribute(_CFG_MASK, struct.pack("!I", _FAIL_OPEN)),
        netlink.attribute(
            _CFG_FLAGS, struct.pack("!I", _FAIL_OPEN if fail_open else 0)
        ),
        resource=queue,
    )


def make_room(queue: socket.socket, length: int) -> None:
    """Let as many packets wait in the socket as in the queue that it belongs to.

    What finds no room there is handled like what finds a full queue. Memory is taken
    only for what waits.
    """
    room = length * _ROOM // 2  # the kernel doubles it
    with contextlib.suppress(PermissionError):  # in a container: as much as it is
        queue.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, room)


class Packet:
    """One packet that waits for its verdict. Attributes as netfilterqueue has them."""

    __slots__ = (
        "_given",
        "_mark",
        "_payload",
        "_queue",
        "hook",
        "hw_protocol",
        "id",
        "indev",
        "outdev",
    )

    def __init__(
        self,
        queue: "NetlinkQueue",
        header: tuple[int, int, int],
        indev: int,
        outdev: int,
        mark: int,
        payload: bytes,
    ) -> None:
        """Take what the kernel says of it; `header` is id, EtherType, hook."""
        self._queue = queue
        self.id, self.hw_protocol, self.hook = header
        self.indev = indev
        """Index of the interface that it came in by; 0 for none."""
        self.outdev = outdev
        self._mark = mark
        self._payload = payload
        self._given: int | None = None

    def get_payload(self) -> bytes:
        """Return it from its IP header on."""
        return self._payload

    def get_mark(self) -> int:
        """Return its mark, the new one once that is set."""
        return self._mark if self._given is None else self._given

    def set_mark(self, mark: int) -> None:
        """Have it go on with this mark."""
        self._given = mark

    def accept(self) -> None:
        """Let it go on behind the queue."""
        self._judge(_ACCEPT)

    def drop(self) -> None:
        """End it here."""
        self._judge(_DROP)

    def repeat(self) -> None:
        """Have the hook judge it again from its first rule on."""
        self._judge(_REPEAT)

    def _judge(self, verdict: int) -> None:
        queue = self._queue
        if queue is None:
            raise RuntimeError("this packet has its verdict already")
        self._queue = None  # type: ignore[assignment] # None marks it as judged
        queue.judge(self.id, verdict, self._given)


class NetlinkQueue:
    """One bound queue, with a socket of its own."""

    def __init__(
        self,
        number: int,
        length: int,
        callback: Callable[[Packet], None],
        *,
        fail_open: bool,
    ) -> None:
        """Bind; OSError with the kernel's number when that is refused."""
        self.overruns = 0
        """Times that the kernel had no room for a packet or for a verdict (ENOBUFS)."""
        self._number = number
        self._callback = callback
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        header = netlink.attribute(_VERDICT_HDR, bytes(8))
        mark = netlink.attribute(_MARK, bytes(4))
        say = netlink.netfilter_message
        self._plain = bytearray(say(_VERDICT, header, resource=number))
        self._marked = bytearray(say(_VERDICT, header, mark, resource=number))
        self.socket = netlink.open_netfilter()
        try:
            make_room(self.socket, length)
            self.socket.send(
                config_message(number, length, fail_open=fail_open, bind=True)
            )
            self._refused()
        except BaseException:
            self.socket.close()
            raise

    def _refused(self) -> None:
        """Raise if the kernel refused to bind.

        It has answered by the time that `send` returns, and nothing but that answer
        can be there then. Being bound it says nothing, and packets may wait already:
        they are left where they are.
        """
        with contextlib.suppress(BlockingIOError):
            peek = socket.MSG_DONTWAIT | socket.MSG_PEEK
            got = self.socket.recv_into(self._buffer, 0, peek)
            for answer in netlink.messages(bytes(self._view[:got])):
                error = netlink.error_in(answer.body)
                if answer.kind == netlink.ERROR and error is not None:
                    raise error

    def read(self) -> None:
        """Hand waiting packets to the callback, at most `BATCH` of them."""
        receive, buffer, packet = self.socket.recv_into, self._buffer, self._packet
        callback, flags = self._callback, socket.MSG_DONTWAIT
        for _ in range(BATCH):
            try:
                got = receive(buffer, 0, flags)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1
                continue
            # A datagram holds one message. Other kinds: a verdict came too late,
            # the packet went with somebody's table (NLMSG_ERROR).
            size, kind, _ = _message_at(buffer)
            if kind == _PACKET:
                found = packet(min(size, got))
                if found is not None:
                    callback(found)

    def _packet(self, end: int) -> Packet | None:
        """Read the packet in the buffer; None if it lacks what every packet has."""
        buffer = self._buffer
        header: tuple[int, int, int] | None = None
        payload = b""
        indev = outdev = mark = 0
        at = _ATTRIBUTES
        while at + 4 <= end:
            size, kind = _attribute_at(buffer, at)
            if not 4 <= size <= end - at:
                break
            if kind == _PAYLOAD:
                payload = bytes(self._view[at + 4 : at + size])
            elif kind == _PACKET_HDR:
                header = _header_at(buffer, at + 4)
            elif kind == _INDEV:
                (indev,) = _number_at(buffer, at + 4)
            elif kind == _OUTDEV:
                (outdev,) = _number_at(buffer, at + 4)
            elif kind == _MARK:
                (mark,) = _number_at(buffer, at + 4)
            at += (size + 3) & ~3
        if header is None:
            return None
        return Packet(self, header, indev, outdev, mark, payload)

    def judge(self, packet: int, verdict: int, mark: int | None) -> None:
        """Give a packet, by its id, the one verdict that it gets."""
        if mark is None:
            said = self._plain
        else:
            said = self._marked
            _write_mark(said, len(said) - 4, mark)
        _write_verdict(said, _ATTRIBUTES + 4, verdict, packet)
        try:
            self.socket.send(said)
        except OSError as error:
            if error.errno not in (errno.ENOBUFS, errno.ENOMEM):
                raise
            self.overruns += 1

    def close(self) -> None:
        """Unbind; packets that still wait are lost."""
        # Closing is not enough while a forked process still has the socket.
        with contextlib.suppress(OSError):
            unbind = _command(_UNBIND)
            self.socket.send(
                netlink.netfilter_message(_CONFIG, unbind, resource=self._number)
            )
        self.socket.close()
