"""Link layers: what each carries, and what is wrong with each."""

from struct import pack

import pytest
import wire
from ringfence.decode import link
from ringfence.errors import Malformed

BODY = b"\x45\x00 the network layer"
PPP4 = b"\x00\x21"
PPP6 = b"\x00\x57"

FOUND = {
    "ethernet": (1, wire.ethernet(BODY), wire.IPV4),
    "ethernet-v6": (1, wire.ethernet(BODY, wire.IPV6), wire.IPV6),
    "vlan": (1, wire.ethernet(wire.vlan(BODY), 0x8100), wire.IPV4),
    "qinq": (
        1,
        wire.ethernet(wire.vlan(wire.vlan(BODY, wire.IPV6), 0x8100), 0x88A8),
        wire.IPV6,
    ),
    "old-qinq": (1, wire.ethernet(wire.vlan(wire.vlan(BODY), 0x8100), 0x9100), 0x0800),
    "pppoe": (1, wire.ethernet(wire.pppoe(PPP4 + BODY), wire.PPPOE), wire.IPV4),
    "pppoe-v6": (1, wire.ethernet(wire.pppoe(PPP6 + BODY), wire.PPPOE), wire.IPV6),
    "pppoe-in-vlan": (
        1,
        wire.ethernet(wire.vlan(wire.pppoe(PPP4 + BODY), wire.PPPOE), wire.VLAN),
        wire.IPV4,
    ),
    "raw-v4": (101, BODY, wire.IPV4),
    "raw-v6": (101, b"\x60" + BODY, wire.IPV6),
    "raw-bsd": (12, BODY, wire.IPV4),
    "raw-openbsd": (14, BODY, wire.IPV4),
    "ipv4": (228, BODY, wire.IPV4),
    "ipv6": (229, BODY, wire.IPV6),
    "sll": (113, wire.sll(BODY), wire.IPV4),
    "sll-vlan": (113, wire.sll(wire.vlan(BODY, wire.IPV6), wire.VLAN), wire.IPV6),
    "sll2": (276, wire.sll2(BODY), wire.IPV4),
    "sll2-v6": (276, wire.sll2(BODY, wire.IPV6), wire.IPV6),
    "null-little": (0, pack("<I", 2) + BODY, wire.IPV4),
    "null-big": (0, pack(">I", 2) + BODY, wire.IPV4),
    "null-linux-v6": (0, pack("<I", 10) + BODY, wire.IPV6),
    "null-netbsd-v6": (0, pack("<I", 24) + BODY, wire.IPV6),
    "null-freebsd-v6": (0, pack("<I", 28) + BODY, wire.IPV6),
    "null-darwin-v6": (0, pack(">I", 30) + BODY, wire.IPV6),
    "loop": (108, pack(">I", 2) + BODY, wire.IPV4),
    "ppp": (9, b"\xff\x03" + PPP4 + BODY, wire.IPV4),
    "ppp-no-address": (9, PPP6 + BODY, wire.IPV6),
    "ppp-short-protocol": (9, b"\xff\x03\x21" + BODY, wire.IPV4),
    "ppp-shortest": (9, b"\x57" + BODY, wire.IPV6),
}

NOT_OURS = {
    "arp": (1, wire.ethernet(BODY, 0x0806)),
    "802.3": (1, wire.ethernet(BODY, 0x0026)),
    "pppoe-discovery": (1, wire.ethernet(BODY, 0x8863)),
    "lcp": (9, b"\xff\x03\xc0\x21" + BODY),
    "isl-in-vlan": (1, wire.ethernet(wire.vlan(BODY, 0x0004), wire.VLAN)),
    "sll-can": (113, wire.sll(BODY, 0x000C)),
    "null-osi": (0, pack("<I", 7) + BODY),
    "wlan": (105, BODY),
    "empty-unknown": (105, b""),
}

WRONG = {
    "ethernet": (1, bytes(13), "link.short"),
    "tag": (1, wire.ethernet(b"\0\1\x08", wire.VLAN), "link.short"),
    "pppoe": (1, wire.ethernet(b"\x11\0\0\1\0", wire.PPPOE), "link.short"),
    "ppp-empty": (9, b"\xff\x03", "link.short"),
    "ppp-half": (9, b"\x00", "link.short"),
    "sll": (113, bytes(15), "link.short"),
    "sll2": (276, bytes(19), "link.short"),
    "null": (0, bytes(3), "link.short"),
    "pppoe-version": (
        1,
        wire.ethernet(wire.pppoe(PPP4 + BODY, b"\x21\x00"), wire.PPPOE),
        "pppoe.version",
    ),
    "pppoe-code": (
        1,
        wire.ethernet(wire.pppoe(PPP4 + BODY, b"\x11\x09"), wire.PPPOE),
        "pppoe.version",
    ),
    "raw-empty": (101, b"", "ip.short"),
    "raw-version": (101, b"\x50" + bytes(40), "ip.version"),
}


@pytest.mark.parametrize("case", FOUND.values(), ids=FOUND)
def test_finds_the_network_layer(case: tuple[int, bytes, int]) -> None:
    link_type, frame, ethertype = case
    found, offset = link.network(link_type, frame)
    assert found == ethertype
    assert frame[offset:].endswith(BODY)
    assert len(frame) - offset <= len(BODY) + (link_type == 101)


@pytest.mark.parametrize("case", NOT_OURS.values(), ids=NOT_OURS)
def test_other_protocols_are_not_ours(case: tuple[int, bytes]) -> None:
    ethertype, _ = link.network(*case)
    assert ethertype not in (link.ETHERTYPE_IPV4, link.ETHERTYPE_IPV6)


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_names_what_is_wrong(case: tuple[int, bytes, str]) -> None:
    link_type, frame, reason = case
    with pytest.raises(Malformed) as caught:
        link.network(link_type, frame)
    assert caught.value.reason == reason


@pytest.mark.parametrize("case", FOUND.values(), ids=FOUND)
def test_a_cut_header_is_only_short(case: tuple[int, bytes, int]) -> None:
    link_type, frame, _ = case
    _, offset = link.network(link_type, frame)
    for size in range(offset):
        try:
            ethertype, at = link.network(link_type, frame[:size])
        except Malformed as error:
            assert error.reason == "link.short"  # noqa: PT017 - not always raised
        else:
            # PPP has headers of several lengths: a cut one may read as another.
            assert at <= size
            assert ethertype not in (wire.IPV4, wire.IPV6)


def _tagged(count: int) -> bytes:
    frame, ethertype = BODY, wire.IPV4
    for _ in range(count):
        frame, ethertype = wire.vlan(frame, ethertype), wire.VLAN
    return wire.ethernet(frame, ethertype)


def test_tags_are_bounded() -> None:
    found = link.network(link.ETHERNET, _tagged(link.MAX_TAGS))
    assert found == (wire.IPV4, 14 + 4 * link.MAX_TAGS)
    with pytest.raises(Malformed, match=r"^link\.nesting$"):
        link.network(link.ETHERNET, _tagged(link.MAX_TAGS + 1))


GRE = {
    "plain": (wire.gre(BODY, wire.IPV4), wire.IPV4),
    "v6": (wire.gre(BODY, wire.IPV6), wire.IPV6),
    "bridged": (wire.gre(BODY, 0x6558), 0x6558),
    "checksum": (wire.gre(BODY, wire.IPV4, 0x8000, bytes(4)), wire.IPV4),
    "key": (wire.gre(BODY, wire.IPV4, 0x2000, bytes(4)), wire.IPV4),
    "sequence": (wire.gre(BODY, wire.IPV4, 0x1000, bytes(4)), wire.IPV4),
    "all": (wire.gre(BODY, wire.IPV4, 0xB000, bytes(12)), wire.IPV4),
    "pptp": (wire.gre(BODY, 0x880B, 0x3001, bytes(8)), 0x880B),
    "pptp-acknowledging": (wire.gre(BODY, 0x880B, 0x3081, bytes(12)), 0x880B),
}


@pytest.mark.parametrize("case", GRE.values(), ids=GRE)
def test_gre_finds_what_it_carries(case: tuple[bytes, int]) -> None:
    packet, ethertype = case
    found, offset = link.gre(packet, 0, len(packet))
    assert (found, packet[offset:]) == (ethertype, BODY)
    # The same packet in the middle of a larger one.
    found, offset = link.gre(b"12345" + packet, 5, 5 + len(packet))
    assert (found, (b"12345" + packet)[offset:]) == (ethertype, BODY)


@pytest.mark.parametrize("case", GRE.values(), ids=GRE)
def test_gre_cut_in_its_header(case: tuple[bytes, int]) -> None:
    packet, _ = case
    for size in range(len(packet) - len(BODY)):
        with pytest.raises(Malformed, match=r"^gre\.short$"):
            link.gre(packet, 0, size)


def test_gre_acknowledgement_carries_nothing() -> None:
    packet = wire.gre(b"", 0x880B, 0x2081, bytes(8))
    assert link.gre(packet, 0, len(packet))[0] == link.ETHERTYPE_NONE


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (0x4000, "gre.flags"),
        (0x1001, "gre.flags"),
        (0x0002, "gre.version"),
        (0x0007, "gre.version"),
    ],
)
def test_gre_names_what_is_wrong(flags: int, reason: str) -> None:
    packet = wire.gre(bytes(20), wire.IPV4, flags)
    with pytest.raises(Malformed) as caught:
        link.gre(packet, 0, len(packet))
    assert caught.value.reason == reason
