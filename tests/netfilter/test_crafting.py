"""What we send in a server's name, read again by our own decoder and by dpkt."""

import struct

import dpkt  # type: ignore[import-untyped]
import pytest
import wire
from builders import ACK, FIN, INSIDE, PSH, ROUTER, ip, octets, tcp, udp
from hypothesis import given
from hypothesis import strategies as st
from ringfence.decode import Decoder
from ringfence.netfilter import crafting
from ringfence.packet import Datagram, Instant, Packet, Segment

NOW = Instant(0.0, 0.0)
PAIRS = [(INSIDE, ROUTER), ("2001:db8:50::20", "2001:db8:81::50")]
STAMPS = b"\x08\x0a" + struct.pack(">II", 0x11223344, 0x55667788)
ECHOED = struct.pack(">II", 0x55667788, 0x11223344)


def unit(packet: Packet) -> Datagram | Segment:
    found = Decoder().decode(packet, NOW)
    assert found is not None
    return found


def sound(text: bytes, src: str, dst: str, protocol: int) -> bool:
    """Hold a checksum against dpkt's: over a sound packet it is zero."""
    pseudo = octets(src) + octets(dst) + struct.pack(">II", len(text), protocol)
    return bool(dpkt.dpkt.in_cksum(pseudo + text) == 0)


@given(st.binary(max_size=300), st.sampled_from(PAIRS), st.integers(1, 65_535))
def test_a_datagram_goes_back_to_where_a_request_came_from(
    payload: bytes, ends: tuple[str, str], port: int
) -> None:
    request = unit(udp(b"OPTIONS", *ends, sport=40_000, dport=5070))
    assert isinstance(request, Datagram)
    text = crafting.datagram(request, port, payload)
    back = unit(Packet(ip(text, 17, ends[1], ends[0])))
    assert isinstance(back, Datagram)
    assert back[:5] == (request.dst, request.src, 5070, port, payload)
    assert sound(text, ends[1], ends[0], 17)
    assert text[6:8] != b"\0\0"


def test_a_sum_of_zero_is_sent_as_all_ones() -> None:
    request = unit(udp(b"OPTIONS"))
    assert isinstance(request, Datagram)
    found = [
        crafting.datagram(request, 5060, struct.pack(">H", number))[6:8]
        for number in range(65_536)
    ]
    assert b"\0\0" not in found
    assert b"\xff\xff" in found


@given(
    st.binary(max_size=300),
    st.sampled_from(PAIRS),
    st.integers(0, 1 << 33),
    st.integers(0, 1 << 33),
    st.sampled_from([b"", ECHOED]),
)
def test_a_segment(
    payload: bytes, ends: tuple[str, str], seq: int, ack: int, stamps: bytes
) -> None:
    text = crafting.segment_bytes(
        (octets(ends[0]), octets(ends[1]), 5060, 40_000),
        seq,
        ack,
        ACK | FIN,
        payload,
        stamps=stamps,
    )
    found = unit(Packet(ip(text, 6, *ends)))
    assert isinstance(found, Segment)
    assert found[2:5] == (5060, 40_000, payload)
    assert (found.seq, found.ack) == (seq % (1 << 32), ack % (1 << 32))
    assert found.flags == ACK | FIN
    assert sound(text, *ends, 6)
    header = dpkt.tcp.TCP(text)
    options = dpkt.tcp.parse_opts(header.opts)
    assert [value for kind, value in options if kind == dpkt.tcp.TCP_OPT_TIMESTAMP] == (
        [stamps] if stamps else []
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (b"", b""),
        (b"\x01\x01" + STAMPS, ECHOED),
        (b"\x05\x0a" + bytes(8) + STAMPS, ECHOED),  # behind SACK blocks
        (b"\x00\x00" + STAMPS, b""),  # behind the end of the list
        (b"\x08\x0a" + bytes(2), b""),  # cut short
        (b"\x08\x02\x01\x01", b""),  # of another size
        (b"\x09\x00\x01\x01", b""),  # no size at all
        (b"\x01\x01\x01\x09", b""),
    ],
)
@pytest.mark.parametrize("v6", [False, True])
def test_timestamps_are_sent_back(options: bytes, expected: bytes, v6: bool) -> None:
    text = wire.tcp(b"payload", options)
    packet = wire.ipv6(text, 6) if v6 else wire.ipv4(text, 6)
    assert crafting.stamps_for(packet) == expected


def test_a_header_is_read_where_there_is_one() -> None:
    packet = tcp(b"x", 7, ACK | PSH).data
    found = crafting.tcp_header(packet)
    assert found is not None
    assert found.ends == (octets(INSIDE), octets(ROUTER), 40_000, 5060)
    assert found.flags == ACK | PSH
    assert crafting.tcp_header(packet[:39]) is None
    assert crafting.tcp_header(udp(b"x" * 40).data) is None
    assert crafting.tcp_header(wire.ipv4(wire.tcp(b""), 6, flags=0x2000)) is None
    assert crafting.tcp_header(wire.ipv4(wire.tcp(b""), 6, flags=0x0001)) is None
    assert crafting.tcp_header(wire.ipv4(wire.tcp(b""), 6, flags=0x4000)) is not None


@pytest.mark.parametrize("ends", PAIRS)
def test_what_is_in_a_tunnel_is_not_the_packet_s_own(ends: tuple[str, str]) -> None:
    inner = udp(b"OPTIONS sip:x SIP/2.0\r\n\r\n", *ends)
    outer = Packet(ip(inner.data, 4 if "." in ends[0] else 41, "10.0.0.1", "10.0.0.2"))
    assert unit(outer) == unit(inner)
    assert crafting.carries(inner.data, unit(inner))
    assert not crafting.carries(outer.data, unit(outer))
