"""UDP and TCP headers."""

import pytest
import wire
from ringfence.decode import transport
from ringfence.errors import Malformed
from ringfence.packet import Datagram, Segment

BODY = b"a SIP message"


def udp(data: bytes, cut: bool = False, v6: bool = False) -> Datagram:
    ends = (wire.SRC6, wire.DST6) if v6 else (wire.SRC, wire.DST)
    return transport.udp(*ends, data, 0, len(data), cut)


def tcp(data: bytes, cut: bool = False) -> Segment:
    return transport.tcp(wire.SRC, wire.DST, data, 0, len(data), cut)


@pytest.mark.parametrize("cut", [False, True])
def test_udp(cut: bool) -> None:
    """A capture that lacks bytes, but none of this datagram, has it whole."""
    expected = Datagram(wire.SRC, wire.DST, wire.SPORT, wire.DPORT, BODY, False)
    assert udp(wire.udp(BODY), cut) == expected


def test_udp_within_a_larger_packet() -> None:
    data = b"before" + wire.udp(BODY) + b"after"
    got = transport.udp(wire.SRC, wire.DST, data, 6, len(data) - 5, False)
    assert got == udp(wire.udp(BODY))


def test_udp_trims_to_its_length() -> None:
    assert udp(wire.udp(BODY, length=10)).payload == BODY[:2]
    assert udp(wire.udp(BODY, length=8)).payload == b""


def test_udp_cut_at_every_byte() -> None:
    whole = wire.udp(BODY)
    for size in range(len(whole)):
        reason = "udp.short" if size < 8 else "udp.length"
        with pytest.raises(Malformed) as caught:
            udp(whole[:size])
        assert caught.value.reason == reason
        if size >= 8:
            got = udp(whole[:size], cut=True)
            assert (got.payload, got.cut) == (BODY[: size - 8], True)


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("length", [0, 1, 7])
def test_udp_length_below_its_header(length: int, cut: bool) -> None:
    with pytest.raises(Malformed, match=r"^udp\.length$"):
        udp(wire.udp(BODY, length=length), cut)


def test_udp_length_zero_in_ipv6_means_to_the_end() -> None:
    """As Linux reads it, jumbogram or not."""
    assert udp(wire.udp(BODY, length=0), v6=True).payload == BODY
    assert udp(wire.udp(BODY, length=0), cut=True, v6=True).cut
    with pytest.raises(Malformed, match=r"^udp\.length$"):
        udp(wire.udp(BODY, length=7), v6=True)


@pytest.mark.parametrize("options", [b"", bytes(4), bytes(40)], ids=["0", "4", "40"])
@pytest.mark.parametrize("cut", [False, True])
def test_tcp(options: bytes, cut: bool) -> None:
    got = tcp(wire.tcp(BODY, options), cut)
    ends = (wire.SRC, wire.DST, wire.SPORT, wire.DPORT)
    assert got == Segment(*ends, BODY, cut, wire.SEQ, 0x18, wire.ACK)


def test_tcp_cut_at_every_byte() -> None:
    whole = wire.tcp(BODY, bytes(8))
    for size in range(len(whole)):
        part = whole[:size]
        if size < 20:
            reasons = ("tcp.short", "tcp.short")
        elif size < 28:
            reasons = ("tcp.offset", "tcp.short")
        else:
            assert tcp(part, cut=True).payload == BODY[: size - 28]
            continue
        for cut, reason in zip((False, True), reasons, strict=True):
            with pytest.raises(Malformed) as caught:
                tcp(part, cut)
            assert caught.value.reason == reason


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("offset", [0, 4])
def test_tcp_offset_below_its_header(offset: int, cut: bool) -> None:
    with pytest.raises(Malformed, match=r"^tcp\.offset$"):
        tcp(wire.tcp(BODY, offset=offset), cut)
