"""No trick gets a refused request through to a receiver that records.

Each trick is first played without the agent, where it does deliver: else it would
show nothing. The receiver is a kernel's TCP, or a UDP socket; whether a request is
complete is asked there, not of the agent.
"""

import contextlib
import itertools
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from lab.addresses import PBX, PHONE_ABROAD, PHONE_JP, SIP_PORT
from lab.agent import Agent, Config
from lab.handmade import PSH_ACK, RST, SYN, URG, Bytes, Connection, Hand, fragments
from lab.messages import request
from lab.namespaces import wait_until
from lab.network import Lab

pytestmark = pytest.mark.netns

LISTED = "01023276123456"
HARMLESS = request("OPTIONS", PHONE_ABROAD, PBX, call_id="harmless", transport="TCP")
UNLIMITED: Config = {"offload": {"source_rate": 0}}
"""So that nothing but the agent's judgement can be what stops a trick."""

_LOSS = f"""
table ip loss {{
    chain prerouting {{
        type filter hook prerouting priority -400
        iifname "wan" tcp dport {SIP_PORT} ip length > 100 numgen inc mod 5 == 0 drop
    }}
}}
"""

_ports = itertools.count(20_000)


def refused(method: str, call_id: str, transport: str) -> bytes:
    """A registration from abroad, or a call from there to a listed number."""
    number = LISTED if method == "INVITE" else ""
    return request(
        method, PHONE_ABROAD, PBX, number=number, call_id=call_id, transport=transport
    )


def pieces(text: bytes, size: int) -> list[tuple[int, bytes]]:
    return [(at, text[at : at + size]) for at in range(0, len(text), size)]


# TCP ------------------------------------------------------------------------------

Trick = Callable[[Connection, bytes], None]


def one_byte_a_segment(line: Connection, text: bytes) -> None:
    for at, piece in pieces(text, 1):
        line.send(piece, at)


def out_of_order(line: Connection, text: bytes) -> None:
    for at, piece in reversed(pieces(text, 40)):
        line.send(piece, at)


def odd_ones_first(line: Connection, text: bytes) -> None:
    parts = pieces(text, 23)
    for at, piece in parts[1::2] + parts[::2]:
        line.send(piece, at)


def other_bytes_first(line: Connection, text: bytes) -> None:
    """What comes in order replaces what waited."""
    line.send(b"x" * 60, 60)
    line.send(text[:200], 0)
    line.send(text[200:], 200)


def other_bytes_second(line: Connection, text: bytes) -> None:
    """What waits is not replaced by what comes later."""
    line.send(text[60:], 60)
    line.send(b"x" * len(text[60:]), 60)
    line.send(text[:60], 0)


def other_bytes_that_never_arrive(line: Connection, text: bytes) -> None:
    line.send(b"\n" * len(text), 0, arrives=False)
    line.send(text, 0)


def keep_alives(line: Connection, text: bytes) -> None:
    for at, piece in pieces(text, 1):
        line.send(b"\n", at, arrives=False)
        line.send(piece, at)


def behind_a_harmless_one(line: Connection, text: bytes) -> None:
    line.send(HARMLESS + text, 0)


def across_harmless_ones(line: Connection, text: bytes) -> None:
    half = len(text) // 2
    line.send(HARMLESS + text[:half], 0)
    line.send(text[half:] + HARMLESS, len(HARMLESS) + half)


def behind_noise(line: Connection, text: bytes) -> None:
    line.send(b"noise\r\n\r\n" + text, 0)


def header_split_everywhere(line: Connection, text: bytes) -> None:
    # One connection for each place is in a test of its own.
    for at, piece in pieces(text, 2):
        line.send(piece, at)
        line.send(text[: at + 1], 0)


def a_reset_that_never_arrives(line: Connection, text: bytes) -> None:
    line.send(text[:99], 0)
    line.send(b"", 99, RST, arrives=False)
    line.send(text[99:], 99)


def a_syn_away_and_a_syn_back(line: Connection, text: bytes) -> None:
    line.send(text[:99], 0)
    line.send(b"", (1 << 20) - 1, SYN)
    line.send(b"\n", 1 << 20)
    line.send(b"", 98, SYN)
    line.send(text[99:], 99)


def insisting(line: Connection, text: bytes) -> None:
    line.send(text[:60], 0)
    for _ in range(9):
        line.send(text[99:], 99)
    line.send(text[60:99], 60)


def an_urgent_byte(line: Connection, text: bytes) -> None:
    """The receiver takes it out of the stream (RFC 6093 section 3.1)."""
    line.send(text[:22] + b"9", 0, PSH_ACK | URG, urgent=23)
    line.send(text[22:], 23)


def announced_as_urgent(line: Connection, text: bytes) -> None:
    """By a segment without data, before the byte itself is sent."""
    line.send(b"", 0, PSH_ACK | URG, urgent=23)
    line.send(text[:22] + b"9" + text[22:], 0)


TCP_TRICKS: tuple[Trick, ...] = (
    one_byte_a_segment,
    out_of_order,
    odd_ones_first,
    other_bytes_first,
    other_bytes_second,
    other_bytes_that_never_arrive,
    keep_alives,
    behind_a_harmless_one,
    across_harmless_ones,
    behind_noise,
    header_split_everywhere,
    a_reset_that_never_arrives,
    a_syn_away_and_a_syn_back,
    insisting,
    an_urgent_byte,
    announced_as_urgent,
)


@pytest.fixture
def hand(lab: Lab) -> Iterator[Hand]:
    with Hand(lab.outside, PHONE_ABROAD, PBX) as hand:
        yield hand


@pytest.fixture
def receiver(lab: Lab) -> Iterator[Bytes]:
    with Bytes(lab.inside, PBX) as receiver:
        yield receiver


def play(hand: Hand, receiver: Bytes, method: str) -> dict[str, tuple[bool, int]]:
    """Play every trick; tell of each whether it delivered, and how many bytes."""
    lines = hand.connect(*itertools.islice(_ports, len(TCP_TRICKS)))
    texts = []
    for trick, line in zip(TCP_TRICKS, lines, strict=True):
        texts.append(refused(method, trick.__name__, "TCP"))
        trick(line, texts[-1])
    time.sleep(0.3)
    for trick, line, text in zip(TCP_TRICKS, lines, texts, strict=True):
        trick(line, text)  # whatever was dropped, again
    [last] = hand.connect(next(_ports))
    last.send(HARMLESS, 0)
    # The queue is first in, first out: what can arrive has arrived with this.
    wait_until(lambda: receiver.of(last.sport) == HARMLESS, 5, "an honest request")
    time.sleep(0.1)
    return {
        trick.__name__: (text in (read := receiver.of(line.sport)), len(read))
        for trick, line, text in zip(TCP_TRICKS, lines, texts, strict=True)
    }


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_over_tcp(lab: Lab, hand: Hand, receiver: Bytes, method: str) -> None:
    delivered = play(hand, receiver, method)
    assert {name for name, (whole, _) in delivered.items() if not whole} == set()

    with Agent(lab, UNLIMITED) as agent:
        stopped = play(hand, receiver, method)

        assert {name for name, (whole, _) in stopped.items() if whole} == set()
        # Parts of some came through, so that it was not some rule before the agent.
        assert stopped["one_byte_a_segment"][1] > 300
        assert agent.events("ban") == []
        drops = agent.stop()["drops"]
    assert drops["early-segment"] > 0
    assert drops["contradicting-flow"] > 0
    assert drops["refused-flow"] > 0
    assert drops["stale-segment"] > 0
    assert drops["urgent-segment"] == 4


@pytest.mark.parametrize("swapped", [False, True], ids=["in-order", "swapped"])
def test_split_at_every_position(
    lab: Lab, hand: Hand, receiver: Bytes, swapped: bool
) -> None:
    text = refused("INVITE", "split", "TCP")

    def parts_of(line: Connection, at: int) -> None:
        parts = [(text[:at], 0), (text[at:], at)]
        for payload, offset in parts[::-1] if swapped else parts:
            line.send(payload, offset)
        if swapped:
            line.send(text[at:], at)  # as an honest sender would, in the end

    def splits() -> int:
        """Return how many of them came through."""
        lines = hand.connect(*itertools.islice(_ports, len(text) - 1))
        for at, line in enumerate(lines, 1):
            parts_of(line, at)
        [last] = hand.connect(next(_ports))
        last.send(HARMLESS, 0)
        wait_until(lambda: receiver.of(last.sport) == HARMLESS, 9, "an honest request")
        time.sleep(0.1)
        for at, line in enumerate(lines, 1):
            read = receiver.of(line.sport)
            assert read in (text, text[:at])
        return sum(receiver.of(line.sport) == text for line in lines)

    assert splits() == len(text) - 1
    with Agent(lab, UNLIMITED) as agent:
        assert splits() == 0
        counters = agent.stop()
    assert counters["dropped"] == len(text) - 1
    assert counters["drops"].get("early-segment", 0) == (swapped * (len(text) - 1))


# Honest connections ---------------------------------------------------------------


class Phone:
    """An honest phone in Japan with one kernel TCP connection."""

    def __init__(self, lab: Lab, receiver: Bytes) -> None:
        self._receiver = receiver
        self._count = itertools.count()
        self.sent = b""
        self._socket = lab.outside.bound(
            socket.AF_INET, socket.SOCK_STREAM, PHONE_JP, 0
        )
        self._socket.connect((PBX, SIP_PORT))
        self.port = self._socket.getsockname()[1]

    def __enter__(self) -> "Phone":
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def send(self, text: bytes = b"") -> None:
        """Send some bytes, else an honest request."""
        text = text or request(
            "REGISTER",
            PHONE_JP,
            PBX,
            call_id=f"phone-{next(self._count)}",
            transport="TCP",
        )
        self._socket.sendall(text)
        self.sent += text

    def arrived(self) -> bool:
        """Tell whether all it sent came through."""
        return self._receiver.of(self.port) == self.sent

    def wait_arrival(self, timeout: float = 8) -> None:
        """Wait until all it sent came through."""
        wait_until(self.arrived, timeout, "everything the phone has sent")


def test_a_connection_outlives_the_agent(lab: Lab, receiver: Bytes) -> None:
    call = request(
        "INVITE", PHONE_JP, PBX, number=LISTED, call_id="call", transport="TCP"
    )
    with Phone(lab, receiver) as phone:
        with Agent(lab) as agent:
            phone.send()
            phone.wait_arrival()
            phone.send(HARMLESS[:100])
            phone.wait_arrival()
            agent.process.signal(signal.SIGKILL)
            agent.process.wait(5)
        phone.send(HARMLESS[100:])
        phone.send()
        phone.send(HARMLESS[:200])
        phone.wait_arrival()
        with Agent(lab) as agent:
            # The message in the making cannot be judged; it passes.
            phone.send(HARMLESS[200:])
            phone.send()
            phone.send()
            phone.wait_arrival()
            assert agent.decisions() == []

            phone.send(call)
            agent.wait_event("decision", src=PHONE_JP, rule="blocked-destination")
            phone.send()
            time.sleep(0.5)
            assert phone.sent.startswith(receiver.of(phone.port))
            assert call not in receiver.of(phone.port)
            assert not phone.arrived()


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "unheard"])
def test_a_connection_outlives_a_full_queue(
    lab: Lab, receiver: Bytes, heard: bool
) -> None:
    """What passes a full queue is missing here, and its sender never repeats it."""
    config: Config = {"kernel": {"queue_length": 16}}
    with Agent(lab, config) as agent, Phone(lab, receiver) as phone:
        agent.wait_offload()
        phone.send()
        phone.wait_arrival()
        time.sleep(0.3)  # for the acknowledgement
        agent.process.signal(signal.SIGSTOP)
        try:
            with lab.outside.udp(PHONE_JP) as filler:
                for number in range(50):
                    text = request("OPTIONS", PHONE_JP, PBX, call_id=f"fill-{number}")
                    filler.sendto(text, (PBX, SIP_PORT))
            time.sleep(0.1)
            phone.send()
            phone.wait_arrival()  # nobody has looked at it
            time.sleep(0.3)  # nor at its acknowledgement, which may take 40 ms
        finally:
            agent.process.signal(signal.SIGCONT)
        agent.status()  # it answers when it has read the queue
        lab.settle()
        if heard:
            # The receiver says something of its own, and with it how far it has got.
            receiver.say(phone.port, b"\r\n\r\n")
            time.sleep(0.2)
        phone.send()
        phone.wait_arrival()
        phone.send()
        phone.wait_arrival()
        counters = agent.stop()
    assert counters["queue_full"] > 0
    # Heard it goes on at once, unheard with the fifth try of the same segment.
    assert counters["drops"] == ({} if heard else {"early-segment": 4})
    assert counters["dropped"] == 0


def test_a_lossy_wire(lab: Lab, receiver: Bytes) -> None:
    """What follows a lost segment is dropped too, and all of it comes again."""
    with Agent(lab) as agent, Phone(lab, receiver) as phone:
        phone.send()
        phone.wait_arrival()
        lab.router.run("nft", "-f", "-", stdin=_LOSS)
        for _ in range(15):
            phone.send(HARMLESS[:150])
            phone.send(HARMLESS[150:])
            time.sleep(0.01)
        phone.wait_arrival(20)
        counters = agent.stop()
    assert counters["drops"]["early-segment"] > 0
    assert set(counters["drops"]) == {"early-segment"}
    assert counters["dropped"] == 0


# UDP ------------------------------------------------------------------------------


def datagram(text: bytes) -> bytes:
    """Put a UDP header in front, without a checksum."""
    return struct.pack(">HHHH", SIP_PORT, SIP_PORT, 8 + len(text), 0) + text


def whole(hand: Hand, text: bytes, ident: int) -> None:
    hand.packet(datagram(text), 17)


def in_fragments(*order: int, edges: tuple[int, ...]) -> Callable[..., None]:
    def play_fragments(hand: Hand, text: bytes, ident: int) -> None:
        parts = list(fragments(datagram(text), *edges))
        for at in order:
            flags, piece = parts[at]
            hand.packet(piece, 17, flags=flags, ident=ident)

    return play_fragments


def behind(junk: bytes) -> Callable[..., None]:
    def play_junk(hand: Hand, text: bytes, ident: int) -> None:
        hand.packet(datagram(junk + text), 17)

    return play_junk


def overlapping(hand: Hand, text: bytes, ident: int) -> None:
    body = datagram(text)
    other = datagram(b"x" * len(text))
    for source, start, end in ((body, 0, 64), (other, 32, 96), (body, 64, len(body))):
        more = 0x2000 if end < len(body) else 0
        hand.packet(source[start:end], 17, flags=more | start // 8, ident=ident)


UDP_TRICKS: Mapping[str, Callable[..., None]] = {
    "whole": whole,
    "first fragment small": in_fragments(0, 1, edges=(8,)),
    "fragments backwards": in_fragments(2, 1, 0, edges=(16, 120)),
    "last fragment first": in_fragments(2, 0, 1, edges=(80, 160)),
    "fragment twice": in_fragments(0, 0, 2, 1, edges=(80, 160)),
    "CRLF": behind(b"\r\n\r\n"),
    "many CRLF": behind(b"\r\n" * 200),
    "blanks": behind(b" \t\r\n"),
    "NUL": behind(b"\0\0\0\0"),
    "junk": behind(b"junk\r\n"),
    "junk and blank line": behind(b"junk\r\n\r\n"),
    "HTTP": behind(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "unreadable": behind(b"SIP/2.0 x\r\n\r\n"),
    "overlapping": overlapping,
}
UNDELIVERED = {"overlapping"}
"""What the receiver's kernel throws away by itself."""


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_over_udp(lab: Lab, hand: Hand, method: str) -> None:
    receiver = lab.udp(lab.inside, PBX, SIP_PORT)
    idents = itertools.count(100)

    def delivered() -> set[str]:
        texts = {}
        for number, (name, trick) in enumerate(UDP_TRICKS.items()):
            texts[name] = refused(method, f"trick-{number}-end", "UDP")
            trick(hand, texts[name], next(idents))
        lab.settle()
        came = []
        receiver.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                came.append(receiver.recv(65_535))
        return {name for name, text in texts.items() if text in b"".join(came)}

    assert delivered() == set(UDP_TRICKS) - UNDELIVERED
    with Agent(lab, UNLIMITED) as agent:
        assert delivered() == set()
        assert agent.events("ban") == []
    # And with the home networks in the kernel, as it goes on.
    with Agent(lab, UNLIMITED) as agent:
        agent.wait_offload()
        assert delivered() == set()
