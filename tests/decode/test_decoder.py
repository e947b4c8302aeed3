"""One packet through all layers: links, tunnels, fragments; and noise."""

from collections.abc import Callable
from itertools import permutations
from struct import pack

import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st
from ringfence.decode import LINK_TYPES, MAX_TUNNELS, REASONS, Decoder
from ringfence.decode.link import MAX_TAGS
from ringfence.errors import Malformed
from ringfence.packet import Datagram, Instant, Packet, Segment

NOW = Instant(0.0, 0.0)
BODY = b"OPTIONS sip:pbx.example SIP/2.0\r\n\r\n"
UDP4 = wire.ipv4(wire.udp(BODY))
UDP6 = wire.ipv6(wire.udp(BODY))
TCP4 = wire.ipv4(wire.tcp(BODY), 6)
TCP6 = wire.ipv6(wire.tcp(BODY), 6)

PORTS = (wire.SPORT, wire.DPORT)
DATAGRAM4 = Datagram(wire.SRC, wire.DST, *PORTS, BODY, False)
DATAGRAM6 = Datagram(wire.SRC6, wire.DST6, *PORTS, BODY, False)
SEGMENT4 = Segment(wire.SRC, wire.DST, *PORTS, BODY, False, wire.SEQ, 0x18, wire.ACK)
SEGMENT6 = Segment(wire.SRC6, wire.DST6, *PORTS, BODY, False, wire.SEQ, 0x18, wire.ACK)


def decode(data: bytes, link: int = 101, length: int = 0) -> Datagram | Segment | None:
    return Decoder().decode(Packet(data, link, length), NOW)


def reason(data: bytes, link: int = 101) -> str:
    with pytest.raises(Malformed) as caught:
        decode(data, link)
    return caught.value.reason


SAMPLES = {
    "raw-udp": (101, UDP4, DATAGRAM4),
    "raw-udp-options": (
        101,
        wire.ipv4(wire.udp(BODY), options=b"\x94\x04\0\0"),
        DATAGRAM4,
    ),
    "raw-tcp": (101, TCP4, SEGMENT4),
    "raw-udp6": (101, UDP6, DATAGRAM6),
    "raw-tcp6": (101, TCP6, SEGMENT6),
    "ipv4": (228, UDP4, DATAGRAM4),
    "ipv6": (229, TCP6, SEGMENT6),
    "ethernet": (1, wire.ethernet(UDP4), DATAGRAM4),
    "ethernet-tcp6": (1, wire.ethernet(TCP6, wire.IPV6), SEGMENT6),
    "vlan": (1, wire.ethernet(wire.vlan(TCP4), wire.VLAN), SEGMENT4),
    "pppoe": (1, wire.ethernet(wire.pppoe(b"\0\x21" + UDP4), wire.PPPOE), DATAGRAM4),
    "sll": (113, wire.sll(UDP4), DATAGRAM4),
    "sll2": (276, wire.sll2(UDP6, wire.IPV6), DATAGRAM6),
    "null": (0, b"\x02\0\0\0" + UDP4, DATAGRAM4),
    "loop": (108, b"\0\0\0\x02" + UDP4, DATAGRAM4),
    "ppp": (9, b"\xff\x03\0\x57" + UDP6, DATAGRAM6),
    "extensions": (
        101,
        wire.ipv6(wire.extension(60) + wire.extension(17) + wire.udp(BODY), 0),
        DATAGRAM6,
    ),
    "ip-in-ip": (101, wire.ipv4(UDP4, 4), DATAGRAM4),
    "6in4": (101, wire.ipv4(UDP6, 41), DATAGRAM6),
    "4in6": (101, wire.ipv6(TCP4, 4), SEGMENT4),
    "6in6": (101, wire.ipv6(UDP6, 41), DATAGRAM6),
    "gre": (101, wire.ipv4(wire.gre(UDP4, wire.IPV4), 47), DATAGRAM4),
    "gre-key-v6": (
        101,
        wire.ipv6(wire.gre(UDP6, wire.IPV6, 0x2000, bytes(4)), 47),
        DATAGRAM6,
    ),
    "gre-bridged": (
        101,
        wire.ipv4(
            wire.gre(
                wire.ethernet(wire.vlan(UDP4), wire.VLAN), 0x6558, 0x1000, bytes(4)
            ),
            47,
        ),
        DATAGRAM4,
    ),
    "gre-vlan": (101, wire.ipv4(wire.gre(wire.vlan(TCP4), wire.VLAN), 47), SEGMENT4),
    "pptp": (
        101,
        wire.ipv4(wire.gre(b"\xff\x03\0\x21" + UDP4, 0x880B, 0x3001, bytes(8)), 47),
        DATAGRAM4,
    ),
}

NOTHING = {
    "arp": (1, wire.ethernet(bytes(28), 0x0806)),
    "icmp": (101, wire.ipv4(b"\x08\0" + bytes(30), 1)),
    "icmp-quotes-invite": (101, wire.ipv4(b"\x03\x03" + bytes(6) + UDP4, 1)),
    "icmp6-quotes-invite": (101, wire.ipv6(b"\x01\x04" + bytes(6) + UDP6, 58)),
    "icmp6-behind-extension": (101, wire.ipv6(wire.extension(58) + bytes(8), 0)),
    "icmp-fragment": (101, wire.ipv4(bytes(16), 1, flags=0x2000)),
    "esp": (101, wire.ipv4(bytes(40), 50)),
    "sctp": (101, wire.ipv4(bytes(40), 132)),
    "udp-lite": (101, wire.ipv4(wire.udp(BODY), 136)),
    "no-next-header": (101, wire.ipv6(b"", 59)),
    "gre-arp": (101, wire.ipv4(wire.gre(bytes(28), 0x0806), 47)),
    "pptp-acknowledgement": (
        101,
        wire.ipv4(wire.gre(b"", 0x880B, 0x2081, bytes(8)), 47),
    ),
    "pptp-lcp": (
        101,
        wire.ipv4(wire.gre(b"\xff\x03\xc0\x21" + UDP4, 0x880B, 0x3001, bytes(8)), 47),
    ),
    "other-link": (105, UDP4),
    "first-fragment": (101, wire.ipv4(wire.udp(BODY), flags=0x2000)),
    "last-fragment": (101, wire.ipv4(BODY, flags=4)),
    "ipv6-fragment": (101, wire.fragment6(wire.udp(BODY[:8]), 0, True)),
}


@pytest.mark.parametrize("case", SAMPLES.values(), ids=SAMPLES)
def test_decodes(case: tuple[int, bytes, Datagram | Segment]) -> None:
    link, data, expected = case
    for length in (0, len(data)):
        assert decode(data, link, length) == expected


@pytest.mark.parametrize("case", SAMPLES.values(), ids=SAMPLES)
def test_padding_is_left_off(case: tuple[int, bytes, Datagram | Segment]) -> None:
    """What a link layer adds behind the packet, kept or not, changes nothing."""
    link, data, expected = case
    assert decode(data + bytes(10), link) == expected
    assert decode(data, link, len(data) + 10) == expected


@pytest.mark.parametrize("case", SAMPLES.values(), ids=SAMPLES)
def test_cut_at_every_byte(case: tuple[int, bytes, Datagram | Segment]) -> None:
    link, data, expected = case
    payload_at = len(data) - len(BODY)
    for size in range(len(data)):
        for length in (0, len(data)):
            try:
                got = decode(data[:size], link, length)
            except Malformed as error:
                assert error.reason in REASONS  # noqa: PT017 - not always raised
                assert size < payload_at
            else:
                if size >= payload_at:
                    part = data[payload_at:size]
                    assert got == expected._replace(payload=part, cut=True)
                else:
                    assert got is None or got.payload == b""


@pytest.mark.parametrize("case", NOTHING.values(), ids=NOTHING)
def test_nothing_for_us(case: tuple[int, bytes]) -> None:
    link, data = case
    assert decode(data, link) is None


def _nested(count: int) -> bytes:
    data = UDP4
    for _ in range(count):
        data = wire.ipv4(data, 4)
    return data


def _tagged(count: int) -> bytes:
    data, ethertype = UDP4, wire.IPV4
    for _ in range(count):
        data, ethertype = wire.vlan(data, ethertype), wire.VLAN
    return wire.ethernet(data, ethertype)


FRAGMENT_AGAIN = pack(">BBHI", 17, 0, 1, 2)
"""A fragment header, to be found inside a reassembled packet."""

# What to feed for each reason; the last packet is the one that raises.
WRONG: dict[str, list[tuple[int, bytes]]] = {
    "link.short": [(1, bytes(13))],
    "link.nesting": [(1, _tagged(MAX_TAGS + 1))],
    "pppoe.version": [(1, wire.ethernet(wire.pppoe(UDP4, b"\x12\0"), wire.PPPOE))],
    "ip.short": [(101, UDP4[:19])],
    "ip.version": [(101, wire.ipv4(UDP6, 4))],
    "ip.header-length": [(101, wire.ipv4(wire.udp(BODY), first=0x44))],
    "ip.total-length": [(101, wire.ipv4(wire.udp(BODY), total=19))],
    "ip.nesting": [(101, _nested(MAX_TUNNELS + 1))],
    "ip.fragment-overlap": [
        (101, wire.fragment4(wire.Piece(0, True, bytes(16)))),
        (101, wire.fragment4(wire.Piece(8, True, bytes(16)))),
    ],
    "ip.fragment-end": [
        (101, wire.fragment4(wire.Piece(0, True, bytes(16)))),
        (101, wire.fragment4(wire.Piece(8, False, bytes(4)))),
    ],
    "ip.fragment-empty": [(101, wire.fragment4(wire.Piece(8, False, b"")))],
    "ip.fragment-length": [(101, wire.fragment6(bytes(15), 0, True))],
    "ip.fragment-size": [(101, wire.fragment4(wire.Piece(65_528, False, bytes(8))))],
    "ip.fragment-nested": [
        (101, wire.fragment6(FRAGMENT_AGAIN, 0, True, following=44)),
        (101, wire.fragment6(bytes(8), 8, False)),
    ],
    "ip6.extension": [(101, wire.ipv6(bytes(7), 0))],
    "ip6.first-fragment": [(101, wire.fragment6(bytes(7), 0, True))],
    "gre.short": [(101, wire.ipv4(bytes(3), 47))],
    "gre.flags": [(101, wire.ipv4(wire.gre(UDP4, wire.IPV4, 0x4000), 47))],
    "gre.version": [(101, wire.ipv4(wire.gre(UDP4, wire.IPV4, 2), 47))],
    "udp.short": [(101, wire.ipv4(wire.udp(b"")[:7]))],
    "udp.length": [(101, wire.ipv4(wire.udp(BODY, length=9 + len(BODY))))],
    "tcp.short": [(101, wire.ipv4(wire.tcp(b"")[:19], 6))],
    "tcp.offset": [(101, wire.ipv4(wire.tcp(b"", offset=6), 6))],
}


@pytest.mark.parametrize("name", REASONS)
def test_every_reason(name: str) -> None:
    decoder = Decoder()
    *before, (link, last) = WRONG[name]
    for earlier, data in before:
        assert decoder.decode(Packet(data, earlier), NOW) is None
    with pytest.raises(Malformed) as caught:
        decoder.decode(Packet(last, link), NOW)
    assert caught.value.reason == name


def test_reasons_are_named_and_explained() -> None:
    assert set(WRONG) == set(REASONS)
    for name, meaning in REASONS.items():
        layer, _, problem = name.partition(".")
        assert layer in ("link", "pppoe", "ip", "ip6", "gre", "udp", "tcp")
        assert problem.replace("-", "").isalpha()
        assert meaning.endswith(".")


def test_nesting_is_bounded() -> None:
    assert decode(_nested(MAX_TUNNELS)) == DATAGRAM4
    assert reason(_nested(MAX_TUNNELS + 1)) == "ip.nesting"


def test_raw_fast_path_agrees_with_the_long_way() -> None:
    """The link types differ only in which code reads the packet."""
    packets = [
        UDP4,
        TCP4,
        UDP4[:-1],
        UDP4 + b"\0",
        UDP4[:28],
        UDP4[:27],
        wire.ipv4(wire.udp(b"")),
        wire.ipv4(wire.udp(BODY, length=8)),
        wire.ipv4(wire.udp(BODY, length=7)),
        wire.ipv4(wire.udp(BODY), total=0),
        wire.ipv4(wire.udp(BODY), flags=0x4000),
        wire.ipv4(wire.udp(BODY), flags=0x8000),
        wire.ipv4(wire.udp(BODY), flags=0x2000),
        wire.ipv4(wire.udp(BODY), flags=1),
    ]
    for data in packets:
        answers: list[Datagram | Segment | str | None] = []
        for link in (101, 228):
            try:
                answers.append(decode(data, link))
            except Malformed as error:
                answers.append(error.reason)
        assert answers[0] == answers[1]


PIECES = wire.split(wire.udp(BODY), [16, 8])


def _v6(piece: wire.Piece) -> bytes:
    return wire.fragment6(piece.data, piece.offset, piece.more)


@pytest.mark.parametrize("order", list(permutations(PIECES)))
@pytest.mark.parametrize(
    ("build", "expected"),
    [(wire.fragment4, DATAGRAM4), (_v6, DATAGRAM6)],
    ids=["v4", "v6"],
)
def test_fragments_in_any_order(
    order: tuple[wire.Piece, ...],
    build: Callable[[wire.Piece], bytes],
    expected: Datagram,
) -> None:
    decoder = Decoder()
    got = [decoder.decode(Packet(build(piece)), NOW) for piece in order]
    assert got == [None, None, expected]
    assert (len(decoder.fragments4), len(decoder.fragments6)) == (0, 0)


def test_fragmented_tcp_behind_an_extension() -> None:
    body = wire.extension(6) + wire.tcp(BODY)
    decoder = Decoder()
    got = []
    for piece in wire.split(body, [32, 16]):
        data = wire.fragment6(piece.data, piece.offset, piece.more, following=60)
        got.append(decoder.decode(Packet(data), NOW))
    assert got == [None, None, SEGMENT6]


def test_fragmented_tunnel_with_fragments_inside() -> None:
    decoder = Decoder()
    got = []
    for number, inner in enumerate(PIECES):
        outer = wire.split(wire.fragment4(inner), [16])
        for piece in outer:
            data = wire.fragment4(piece, ident=100 + number, protocol=4)
            got.append(decoder.decode(Packet(data), NOW))
    assert got == [None] * 5 + [DATAGRAM4]


def test_fragments_of_one_identification_but_other_protocols() -> None:
    decoder = Decoder()
    first, second, last = PIECES
    for piece, protocol in ((first, 17), (second, 17), (last, 6)):
        data = wire.fragment4(piece, protocol=protocol)
        assert decoder.decode(Packet(data), NOW) is None
    assert len(decoder.fragments4) == 2


def test_fragments_of_other_ipv4_protocols_are_not_held() -> None:
    """A flood of fragmented pings must not push out a phone's INVITE."""
    decoder = Decoder()
    for piece in PIECES:
        data = wire.fragment4(piece, protocol=1)
        assert decoder.decode(Packet(data), NOW) is None
        assert len(decoder.fragments4) == 0


@pytest.mark.parametrize(
    ("build", "age"), [(wire.fragment4, 30.0), (_v6, 60.0)], ids=["v4", "v6"]
)
def test_fragments_expire_when_the_receiver_forgets_them(
    build: Callable[[wire.Piece], bytes], age: float
) -> None:
    """By the monotonic clock: the wall clock jumps at NTP sync."""
    first, second, last = (Packet(build(piece)) for piece in PIECES)
    for late in (0.0, 0.001):
        decoder = Decoder()
        assert decoder.decode(first, Instant(5.0, 5e8)) is None
        assert decoder.decode(second, Instant(6.0, 2e9)) is None
        got = decoder.decode(last, Instant(5.0 + age + late, 2e9))
        assert (got is None) is bool(late)
        expired = decoder.fragments4.expired + decoder.fragments6.expired
        assert expired == bool(late)


def test_cut_fragment_gives_the_bytes_before_the_gap() -> None:
    decoder = Decoder()
    first, second, last = (wire.fragment4(piece) for piece in PIECES)
    assert decoder.decode(Packet(first), NOW) is None
    assert decoder.decode(Packet(second[:-3], length=len(second)), NOW) is None
    got = decoder.decode(Packet(last), NOW)
    assert got == DATAGRAM4._replace(payload=BODY[:13], cut=True)


def survives(decoder: Decoder, packet: Packet) -> None:
    """Whatever comes in, what comes out is a result or a known reason."""
    try:
        got = decoder.decode(packet, NOW)
    except Malformed as error:
        assert error.reason in REASONS  # noqa: PT017 - not always raised
    else:
        assert got is None or len(got.payload) <= 65_535


LINKS = sorted(LINK_TYPES | {105, 147})


@given(link=st.sampled_from(LINKS), data=st.binary(max_size=120))
def test_random_bytes(link: int, data: bytes) -> None:
    survives(Decoder(), Packet(data, link))


SHARED = Decoder()
"""Remembers fragments from example to example, as the live one does."""


@given(
    sample=st.sampled_from(sorted(SAMPLES)),
    keep=st.integers(0, 120),
    noise=st.binary(max_size=100),
    length=st.sampled_from([0, 20_000]),
)
def test_valid_prefix_and_noise(
    sample: str, keep: int, noise: bytes, length: int
) -> None:
    link, data, _ = SAMPLES[sample]
    survives(SHARED, Packet(data[:keep] + noise, link, length))


@given(
    sample=st.sampled_from(sorted(SAMPLES)),
    changes=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=4),
)
def test_changed_bytes(sample: str, changes: list[tuple[int, int]]) -> None:
    link, data, _ = SAMPLES[sample]
    changed = bytearray(data)
    for at, value in changes:
        changed[at % len(changed)] = value
    survives(SHARED, Packet(bytes(changed), link))
