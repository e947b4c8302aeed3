"""The queue: messages byte by byte, then real packets through a real queue."""

import os
import select
import socket
import struct
import sys
from collections.abc import Iterator

import pytest
from lab.namespaces import Namespace
from ringfence.errors import KernelError
from ringfence.netfilter.netlinkqueue import BATCH, config_message
from ringfence.netfilter.queue import Queue, QueuedPacket, losses, owner_of

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

    def __init__(self, namespace: Namespace, binding: str) -> None:
        self.binding = binding
        match = ("-A", "INPUT", "-p", "udp", "--dport", "5060")
        namespace.run("iptables", *match, "-j", "NFQUEUE", "--queue-num", str(NUMBER))
        self.payloads: list[bytes] = []
        self.queue = Queue(NUMBER, 1024, self.packet, binding=binding)
        self.receiver = namespace.udp("127.0.0.1", 5060)
        self.sender = namespace.udp("127.0.0.1")

    def packet(self, packet: QueuedPacket) -> None:
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
        self.queue = Queue(
            NUMBER, length, self.packet, fail_open=fail_open, binding=self.binding
        )


@pytest.fixture(params=["netfilterqueue", "python"])
def binding(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "netfilterqueue":
        pytest.importorskip(name)
    return name


@pytest.fixture
def taken(entered: Namespace, binding: str) -> Iterator[Taken]:
    made = Taken(entered, binding)
    assert made.queue.binding == binding
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
    taken.bind_again(16, fail_open=True)
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
        Queue(NUMBER, 16, taken.packet, binding=taken.binding)
    assert str(refused.value) == (
        f"queue {NUMBER} cannot be bound: another program (netlink port {owner}) has "
        "it; set kernel.queue to a free number"
    )
    assert refused.value.exit_code == 3
    taken.queue.close()
    assert owner_of(NUMBER) is None
    taken.bind_again(16, fail_open=True)
    assert owner_of(NUMBER) is not None


@pytest.mark.netns
def test_a_queue_that_may_not_be_had(entered: Namespace, binding: str) -> None:
    """Another network namespace's queues are for those who administer it."""
    code = (
        "import sys; from ringfence.errors import KernelError; "
        "from ringfence.netfilter.queue import Queue\n"
        f"try: Queue({NUMBER}, 16, print, binding={binding!r})\n"
        "except KernelError as error: print(error)"
    )
    bounded = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    said = entered.run(*bounded, sys.executable, "-c", code)
    assert said.startswith(f"queue {NUMBER} cannot be bound: ")
    assert said.endswith(
        "; the agent needs CAP_NET_ADMIN and the kernel nfnetlink_queue\n"
    )
    assert owner_of(NUMBER) is None


@pytest.mark.netns
def test_what_the_kernel_lost_on_the_way_is_counted(taken: Taken) -> None:
    taken.bind_again(1024, fail_open=False)
    with socket.socket(fileno=os.dup(taken.queue.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    for _ in range(100):
        taken.send(b"x" * 1400)
    waiting, full, unsent = losses(NUMBER).values()
    assert unsent > 0
    assert waiting + full + unsent == 100
    taken.queue.read()
    assert taken.queue.overruns > 0
    assert len(taken.payloads) == waiting
    assert losses(NUMBER)["waiting"] == 0


@pytest.mark.netns
def test_a_mark_is_read_and_set(entered: Namespace, taken: Taken) -> None:
    """The bits that others set come along, and both are there behind the queue."""
    entered.run(
        *("nft", "-f", "-"),
        stdin="""table inet t {
            counter both {}
            chain before { type filter hook output priority 0; meta mark set 0x11; }
            chain behind {
                type filter hook input priority 200
                meta mark 0x0f000011 counter name both
            }
        }""",
    )
    seen: list[tuple[int, int, int]] = []

    def marking(packet: QueuedPacket) -> None:
        before = packet.get_mark()
        packet.set_mark(before | 0x0F000000)
        seen.append((before, packet.get_mark(), packet.indev))
        packet.accept()
        with pytest.raises(RuntimeError):
            packet.accept()

    taken.queue.close()
    taken.queue = Queue(NUMBER, 16, marking, binding=taken.binding)
    for _ in range(3):
        taken.send(b"x")
    taken.queue.read()
    assert seen == [(0x11, 0x0F000011, socket.if_nametoindex("lo"))] * 3
    assert taken.received() == [b"x"] * 3
    assert "packets 3 " in entered.run("nft", "list", "counters")


@pytest.mark.netns
def test_verdicts_for_packets_that_are_gone_do_no_harm(
    entered: Namespace, taken: Taken
) -> None:
    """Somebody deletes a table with a hook: the kernel forgets all that waits."""
    entered.run(
        "nft", "table inet x { chain c { type filter hook input priority 0; }; }"
    )
    late: list[QueuedPacket] = []
    taken.queue.close()
    taken.queue = Queue(
        NUMBER, 16, lambda packet: late.append(packet), binding=taken.binding
    )
    taken.send(b"lost")
    taken.queue.read()
    entered.run("nft", "delete table inet x")
    assert losses(NUMBER)["waiting"] == 0
    late.pop().accept()
    taken.send(b"next")
    taken.queue.read()
    late.pop().accept()
    assert taken.received() == [b"next"]


@pytest.mark.netns
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_segmentation_and_checksums_are_done_before(
    taken: Taken, entered: Namespace, family: socket.AddressFamily
) -> None:
    """Loopback leaves both to the device; what is judged is as on the wire."""
    entered.ip("link set lo mtu 1500")
    host, table = (
        ("127.0.0.1", "iptables") if family == socket.AF_INET else ("::1", "ip6tables")
    )
    match = ("-A", "INPUT", "-p", "tcp", "--dport", "5061")
    entered.run(table, *match, "-j", "NFQUEUE", "--queue-num", str(NUMBER))
    listener = entered.bound(family, socket.SOCK_STREAM, host, 5061)
    listener.listen()
    caller = socket.socket(family, socket.SOCK_STREAM)
    caller.setblocking(False)
    caller.connect_ex((host, 5061))
    assert taken.wait()
    taken.queue.read()  # the SYN, and the ACK that it leads to
    callee, _ = listener.accept()
    mss = caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    taken.payloads.clear()
    assert caller.send(b"x" * (4 * mss)) > mss
    got = 0
    callee.settimeout(5)
    while got < 4 * mss and taken.wait():
        taken.queue.read()
        got += len(callee.recv(1 << 20))
    assert got == 4 * mss
    for packet in taken.payloads:
        assert len(packet) <= 1500
        assert checksum_holds(packet)
    for made in (listener, caller, callee):
        made.close()


def checksum_holds(packet: bytes) -> bool:
    """Whether the TCP checksum is right (RFC 9293 section 3.1, RFC 8200 section 8.1)."""
    if packet[0] >> 4 == 4:
        start, addresses = (packet[0] & 15) * 4, packet[12:20]
    else:
        start, addresses = 40, packet[8:40]
    segment = packet[start:]
    summed = addresses + struct.pack("!II", len(segment), 6) + segment
    summed += bytes(len(summed) % 2)
    total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    return int(total) % 0xFFFF == 0


def test_a_binding_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netfilterqueue", None)
    with pytest.raises(KernelError, match=r'kernel.binding = "netfilterqueue" cannot'):
        Queue(NUMBER, 16, lambda packet: None, binding="netfilterqueue")


@pytest.mark.netns
@pytest.mark.parametrize("installed", [True, False])
def test_auto_takes_what_there_is(
    entered: Namespace, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    if installed:
        pytest.importorskip("netfilterqueue")
    else:
        monkeypatch.setitem(sys.modules, "netfilterqueue", None)
    queue = Queue(NUMBER, 16, lambda packet: None)
    assert queue.binding == ("netfilterqueue" if installed else "python")
    assert owner_of(NUMBER) is not None
    queue.close()
    assert owner_of(NUMBER) is None
