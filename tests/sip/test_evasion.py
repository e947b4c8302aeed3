"""No way to send a refused call adds up to one at the receiver.

The sender knows how we work. It cuts its bytes where it likes, sends the pieces in
any order, more than once, puts noise around them and, between them, flags and other
bytes that the receiver ignores. What comes past the engine is put together as a
receiver would, whether what is early is dropped or, as in a capture, passes.
"""

from itertools import pairwise

import pytest
from builders import ABROAD, LISTED, NOW, engine, invite, sip, tcp, udp
from hypothesis import given
from hypothesis import strategies as st
from ringfence.decision import Verdict
from ringfence.decode.flow import MAX_REPEAT
from ringfence.packet import Packet

SYN, RST, FIN_ACK, ACK = 0x02, 0x04, 0x11, 0x10
CALL = invite(LISTED)
LINE, _, REST = CALL.partition(b"\r\n")
METHOD, URI, VERSION = LINE.split(b" ")

DISGUISES = [
    CALL,
    CALL.replace(b"\r\n", b"\n"),
    b"\t ".join((METHOD, URI, VERSION)) + b"\r\n" + REST,
    b"\r\n ".join((METHOD, URI, VERSION)) + b"\r\n" + REST,
    METHOD + b"\x01" + URI + b" SIP / 2.0 \r\n" + REST,
    METHOD + b" <" + URI + b":5060SIP/2.0\r\n" + REST,
    CALL.replace(b"INVITE", b"invite"),
    CALL.replace(b"Content-Length: 0", b"l: 0\r\nContent-Length : 9999"),
    LINE + b"\r\nX: %s\r\n" % (b"x" * 17_000) + REST,
]
NOISE = [
    b"",
    b"\r\n\r\n",
    b" \0\t",
    b"noise\r\n\r\n",
    b"x\r\nContent-Length: 0\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"SIP/2.0 no\r\nl: 0\r\n\r\n",
    b"INV[ITE sip:x SIP/2.0\r\n\r\n",
    sip(),
    sip(body=b"b" * 50),
    sip().replace(b"Content-Length: 0", b"Content-Length: 7\r\nl: 700"),
]


@pytest.mark.parametrize("call", DISGUISES, ids=range(len(DISGUISES)))
@pytest.mark.parametrize("before", [b"", b"\r\n\r\n", b" \0\t\x01"])
def test_no_disguise_passes_in_a_datagram(call: bytes, before: bytes) -> None:
    decision = engine().inspect(udp(before + call, ABROAD), NOW)
    assert decision.verdict is Verdict.DROP
    assert "SL" in decision.reason


class Receiver:
    """The bytes that came through, by offset; the first copy of each counts."""

    def __init__(self) -> None:
        self.octets: dict[int, int] = {}

    def take(self, offset: int, payload: bytes) -> None:
        for at, octet in enumerate(payload, offset):
            self.octets.setdefault(at, octet)

    @property
    def expected(self) -> int:
        at = 0
        while at in self.octets:
            at += 1
        return at

    @property
    def read(self) -> bytes:
        return bytes(self.octets[at] for at in range(self.expected))


@pytest.mark.parametrize("indev", [-1, 2], ids=["watched", "inline"])
@given(st.data())
def test_nothing_adds_up_to_a_refused_call(indev: int, data: st.DataObject) -> None:
    draw = data.draw
    call = draw(st.sampled_from(DISGUISES), "disguise")
    whole = draw(st.sampled_from(NOISE)) + call + draw(st.sampled_from(NOISE))
    isn = draw(st.sampled_from([7, 12_345, 2**31, 2**32 - 100]))
    cuts = draw(st.sets(st.integers(1, len(whole) - 1), max_size=6))
    edges = [0, *sorted(cuts), len(whole)]
    parts = list(pairwise(edges))
    judge = engine()
    receiver = Receiver()

    def packet(offset: int, payload: bytes, flags: int) -> Packet:
        return tcp(payload, (isn + 1 + offset) % 2**32, flags, ABROAD, indev=indev)

    judge.inspect(packet(-1, b"", SYN), NOW)
    for start, end in draw(st.permutations(parts * 3)):  # and what is lost, again
        odd = draw(st.sampled_from([0, 0, 0, SYN, RST, FIN_ACK]))
        if odd:
            offset = draw(st.sampled_from([start - 1, start + 1, 50, -500, 10**6]))
            # In order, the last two would end the connection for the receiver too.
            if odd == SYN or offset != receiver.expected:
                judge.inspect(packet(offset, b"", odd), NOW)
        if len(whole) <= MAX_REPEAT and draw(st.integers(0, 3)) == 0:
            # Other bytes in that place, with a wrong checksum: they never arrive.
            decoy = draw(st.sampled_from([b"y" * 40, sip()[:60], call[:30] + b"z"]))
            offset = draw(st.integers(max(0, start - 20), end))
            judge.inspect(packet(offset, decoy, ACK), NOW)
        payload = whole[start:end]
        if judge.inspect(packet(start, payload, ACK), NOW).verdict is Verdict.ACCEPT:
            receiver.take(start, payload)
    assert call not in receiver.read


def test_the_receiver_would_take_the_call() -> None:
    """The property above is about something: an honest call arrives in pieces."""
    honest = invite("0312345678")
    judge = engine()
    receiver = Receiver()
    for at in (100, 0, 200):
        payload = honest[at : at + 100] if at < 200 else honest[200:]
        packet = tcp(payload, 1 + at, ACK, ABROAD)
        if at == 100:
            judge.inspect(tcp(b"", 0, SYN, ABROAD), NOW)
        assert judge.inspect(packet, NOW).verdict is Verdict.ACCEPT
        receiver.take(at, payload)
    assert receiver.read == honest
