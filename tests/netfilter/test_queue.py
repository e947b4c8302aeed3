"""The queue: messages byte by byte, then real packets through a real queue."""

import errno
import select
import struct
from collections.abc import Iterator

import netfilterqueue
import pytest
from lab.namespaces import Namespace
from ringfence.errors import KernelError
from ringfence.netfilter.queue import (
    BATCH,
    Queue,
    config_message,
    losses,
    owner_of,
)

NUMBER = 4711
LARGEST = 65_531 - 28
"""Bytes of UDP payload up to which the kernel copies an IPv4 packet whole."""


@pytest.mark.parametrize("fail_open", [True, False])
def test_config_message(fail_open: bool) -> None:
    message = config_message(0x1234, 0x10000, fail_open=fail_open)
    size, kind, flags, _, _ = struct.unpack_from("=IHHII", message)
    assert size == len(message)
    assert kind == 0x0302, "NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG"
    assert flags == 1, "NLM_F_REQUEST"
    assert message[16:20] == b"\0\0\x12\x34", "family, version, queue number"
    attributes = {}
    rest = message[20:]
    while rest:
        length, name = struct.unpack_from("=HH", rest)
        attributes[name] = rest[4:length]
        rest = rest[(length + 3) & ~3 :]
    assert attributes == {
        2: b"\0\0\xff\xff\x02",  # NFQA_CFG_PARAMS: 65535 bytes, NFQNL_COPY_PACKET
        3: b"\0\x01\0\0",  # NFQA_CFG_QUEUE_MAXLEN
        4: b"\0\0\0\x01",  # NFQA_CFG_MASK: NFQA_CFG_F_FAIL_OPEN is what we set …
        5: b"\0\0\0\x01" if fail_open else b"\0\0\0\0",  # … to this
    }


def test_a_queue_that_nobody_has() -> None:
    assert owner_of(65_534) is None
    assert losses(65_534) == {"waiting": 0, "full": 0, "unsent": 0}


class Taken:
    """A queue on loopback whose packets are kept in a list, each accepted."""

    def __init__(self, namespace: Namespace) -> None:
        match = ("-A", "INPUT", "-p", "udp", "--dport", "5060")
        namespace.run("iptables", *match, "-j", "NFQUEUE", "--queue-num", str(NUMBER))
        self.payloads: list[bytes] = []
        self.queue = Queue(NUMBER, 1024, self.packet)
        self.receiver = namespace.udp("127.0.0.1", 5060)
        self.sender = namespace.udp("127.0.0.1")

    def packet(self, packet: netfilterqueue.Packet) -> None:
        self.payloads.append(packet.get_payload())
        packet.accept()

    def send(self, payload: bytes) -> None:
        self.sender.sendto(payload, ("127.0.0.1", 5060))

    def received(self) -> list[bytes]:
        self.receiver.setblocking(False)
        found = []
        while True:
            try:
                found.append(self.receiver.recv(65_535))
            except BlockingIOError:
                return found

    def wait(self) -> bool:
        return bool(select.select([self.queue], [], [], 5)[0])

    def close(self) -> None:
        self.queue.close()
        self.receiver.close()
        self.sender.close()

    def bind_again(self, length: int, *, fail_open: bool) -> None:
        self.queue.close()
        self.queue = Queue(NUMBER, length, self.packet, fail_open=fail_open)


@pytest.fixture
def taken(entered: Namespace) -> Iterator[Taken]:
    made = Taken(entered)
    yield made
    made.close()


@pytest.mark.netns
@pytest.mark.parametrize("size", [LARGEST, LARGEST + 1])
def test_the_largest_datagrams_arrive_whole(taken: Taken, size: int) -> None:
    payload = bytes(range(256)) * 256
    payload = payload[:size]
    taken.send(payload)
    assert taken.wait()
    taken.queue.read()
    packet = taken.payloads[0]
    assert len(packet) == 28 + LARGEST
    # The IP header tells when bytes are missing, and the decoder looks there.
    assert int.from_bytes(packet[2:4]) == 28 + size
    assert packet[28:] == payload[:LARGEST]
    assert taken.received() == [payload], "to its receiver it goes whole anyway"


@pytest.mark.netns
@pytest.mark.parametrize("sent", [BATCH, BATCH + 1])
def test_one_read_takes_at_most_a_batch(taken: Taken, sent: int) -> None:
    for number in range(sent):
        taken.send(b"%d" % number)
    taken.queue.read()
    assert len(taken.payloads) == BATCH
    taken.queue.read()
    assert [packet[28:] for packet in taken.payloads] == [
        b"%d" % number for number in range(sent)
    ]


@pytest.mark.netns
def test_reading_an_empty_queue_returns_at_once(taken: Taken) -> None:
    taken.queue.read()
    assert taken.payloads == []


@pytest.mark.netns
def test_a_full_queue_lets_packets_pass(taken: Taken) -> None:
    taken.queue.close()
    taken.queue = Queue(NUMBER, 16, taken.packet)  # as the agent binds it
    for number in range(100):
        taken.send(b"%d" % number)
    passed = len(taken.received())
    assert passed == 100 - 16, "what did not fit was accepted by the kernel"
    assert losses(NUMBER)["waiting"] == 16
    taken.queue.read()
    assert passed + len(taken.received()) == 100


@pytest.mark.netns
def test_without_fail_open_a_full_queue_drops(taken: Taken) -> None:
    taken.bind_again(16, fail_open=True)
    taken.bind_again(16, fail_open=False)
    for number in range(100):
        taken.send(b"%d" % number)
    assert taken.received() == []
    assert losses(NUMBER) == {"waiting": 16, "full": 84, "unsent": 0}


@pytest.mark.netns
def test_a_reload_changes_the_length(taken: Taken) -> None:
    taken.bind_again(16, fail_open=False)
    taken.queue.configure(32, fail_open=False)
    for number in range(100):
        taken.send(b"%d" % number)
    assert losses(NUMBER) == {"waiting": 32, "full": 68, "unsent": 0}


@pytest.mark.netns
def test_a_queue_holds_as_many_packets_as_it_is_long(taken: Taken) -> None:
    """The socket they come by has room for no fewer."""
    length = 4096
    taken.bind_again(length, fail_open=False)
    for _ in range(length + 10):
        taken.send(b"x" * 1400)
    assert losses(NUMBER) == {"waiting": length, "full": 10, "unsent": 0}


@pytest.mark.netns
def test_a_queue_already_taken(taken: Taken) -> None:
    owner = owner_of(NUMBER)
    with pytest.raises(KernelError) as refused:
        Queue(NUMBER, 16, taken.packet)
    assert str(refused.value) == (
        f"queue {NUMBER} cannot be bound: another program (netlink port {owner}) has "
        "it; set kernel.queue to a free number"
    )
    assert refused.value.exit_code == 3
    taken.bind_again(16, fail_open=True)
    assert owner_of(NUMBER) not in (None, owner), "closing had given it back"


@pytest.mark.netns
def test_what_the_kernel_lost_on_the_way_is_counted(
    taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:

    class Overrun:
        """A socket that says ENOBUFS once: a real one does when it likes."""

        def recv_into(self, *_: object) -> int:
            raise OSError(errno.ENOBUFS, "no buffer space available")

    monkeypatch.setattr(taken.queue, "_socket", Overrun())
    with pytest.raises(OSError, match="no buffer space"):
        taken.queue.recv(4096)
    assert taken.queue.overruns == 1
    monkeypatch.undo()
