"""Packets as the kernel writes them, and the verdicts on them, byte by byte.

What the kernel makes of it is tested in test_queue.py.
"""

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.namespaces import Namespace
from ringfence.netfilter.netlink import (
    attribute,
    attributes,
    messages,
    netfilter_message,
)
from ringfence.netfilter.netlinkqueue import BATCH, NetlinkQueue, Packet

NUMBER = 0x1234
HEADER = attribute(1, struct.pack("!IHB", 0xA0B0C0D0, 0x0800, 1))


def packet_message(*parts: bytes) -> bytes:
    return netfilter_message(0x0300, *parts, resource=NUMBER)


class Kernel:
    """The other end of a queue's socket: a pair of sockets in the kernel's place."""

    def __init__(self, queue: NetlinkQueue) -> None:
        self.packets: list[Packet] = []
        queue._callback = self.packets.append
        queue.socket.close()
        queue.socket, self._socket = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        self.queue = queue

    def say(self, *said: bytes) -> list[Packet]:
        """Send datagrams and have them read; return the packets that they held."""
        for one in said:
            self._socket.send(one)
        self.packets.clear()
        self.queue.read()
        return self.packets

    def heard(self) -> tuple[int, dict[int, bytes]]:
        """Return the resource and the attributes of one verdict."""
        (said,) = messages(self._socket.recv(4096))
        assert (said.kind, said.flags) == (0x0301, 1)
        return int.from_bytes(said.body[2:4]), attributes(said.body, 4)

    def close(self) -> None:
        self._socket.close()
        self.queue.socket.close()


@pytest.fixture
def kernel(entered: Namespace) -> Iterator[Kernel]:
    made = Kernel(NetlinkQueue(NUMBER, 16, lambda packet: None, fail_open=True))
    yield made
    made.close()


@pytest.mark.netns
def test_all_that_a_packet_says(kernel: Kernel) -> None:
    payload = b"the packet"
    (packet,) = kernel.say(
        packet_message(
            HEADER,
            attribute(5, struct.pack("!I", 3)),  # NFQA_IFINDEX_INDEV
            attribute(6, struct.pack("!I", 4)),  # NFQA_IFINDEX_OUTDEV
            attribute(7, struct.pack("!I", 5)),  # …PHYSINDEV: a bridge's, not asked
            attribute(3, struct.pack("!I", 0xF0000011)),  # NFQA_MARK
            attribute(9, struct.pack("!HH8s", 6, 0, b"hwaddr")),
            attribute(13, struct.pack("!I", 9000)),  # NFQA_CAP_LEN
            attribute(14, struct.pack("!I", 1)),  # NFQA_SKB_INFO
            attribute(10, payload),
        )
    )
    assert packet.id == 0xA0B0C0D0
    assert (packet.hw_protocol, packet.hook) == (0x0800, 1)
    assert (packet.indev, packet.outdev) == (3, 4)
    assert packet.get_mark() == 0xF0000011
    assert packet.get_payload() == payload


@pytest.mark.netns
def test_what_a_packet_may_lack(kernel: Kernel) -> None:
    (packet,) = kernel.say(packet_message(HEADER))
    assert (packet.indev, packet.outdev, packet.get_mark()) == (0, 0, 0)
    assert packet.get_payload() == b""


@pytest.mark.netns
def test_a_packet_stays_as_it_is_when_the_next_is_read(kernel: Kernel) -> None:
    first, second = kernel.say(
        packet_message(HEADER, attribute(10, b"first")),
        packet_message(HEADER, attribute(10, b"second packet")),
    )
    assert (first.get_payload(), second.get_payload()) == (b"first", b"second packet")


@pytest.mark.netns
@pytest.mark.parametrize(
    ("word", "number"), [("drop", 0), ("accept", 1), ("repeat", 4)]
)
def test_verdicts(kernel: Kernel, word: str, number: int) -> None:
    plain, marked = kernel.say(packet_message(HEADER), packet_message(HEADER))
    getattr(plain, word)()
    header = struct.pack("!II", number, 0xA0B0C0D0)
    assert kernel.heard() == (NUMBER, {2: header})
    marked.set_mark(0x0F000001)
    assert marked.get_mark() == 0x0F000001
    getattr(marked, word)()
    assert kernel.heard() == (NUMBER, {2: header, 3: b"\x0f\0\0\x01"})


@pytest.mark.netns
def test_a_packet_gets_one_verdict(kernel: Kernel) -> None:
    (packet,) = kernel.say(packet_message(HEADER))
    packet.accept()
    for again in (packet.accept, packet.drop, packet.repeat):
        with pytest.raises(RuntimeError, match="has its verdict already"):
            again()
    kernel.heard()
    kernel._socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        kernel.heard()


@pytest.mark.netns
def test_what_is_no_packet_is_passed_over(kernel: Kernel) -> None:
    late = struct.pack("=IHHIIi", 36, 2, 0, 0, 0, -2) + bytes(16)
    whole = packet_message(HEADER, attribute(10, b"x"))
    cut = [whole[:size] for size in range(16, 31)]
    assert len(kernel.say(late, *cut, whole)) == 1


@pytest.mark.netns
def test_a_batch_is_bounded_by_what_is_read_whatever_it_is(kernel: Kernel) -> None:
    late = struct.pack("=IHHIIi", 36, 2, 0, 0, 0, -2) + bytes(16)
    whole = packet_message(HEADER)
    assert len(kernel.say(late, *[whole] * BATCH)) == BATCH - 1
    assert len(kernel.say()) == 1


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_whatever_the_attributes_are(parts: list[bytes]) -> None:
    queue = object.__new__(NetlinkQueue)
    said = packet_message(HEADER, *parts)
    queue._buffer = bytearray(70_000)
    queue._buffer[: len(said)] = said
    queue._view = memoryview(queue._buffer)
    found = queue._packet(len(said))
    assert found is not None
    assert len(found.get_payload()) < len(said)
