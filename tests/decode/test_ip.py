"""IPv4 and IPv6 headers: where what they carry starts, ends and is cut."""

from struct import pack

import pytest
import wire
from ringfence.decode import ip
from ringfence.errors import Malformed

BODY = b"sixteen bytes ok"


def carried(data: bytes, inner: ip.Inner) -> bytes:
    return data[inner[3] : inner[4]]


@pytest.mark.parametrize("pad", [b"", b"\0" * 6], ids=["exact", "padded"])
@pytest.mark.parametrize("options", [b"", bytes(4), bytes(40)], ids=["0", "4", "40"])
@pytest.mark.parametrize("before", [b"", b"14 bytes there"], ids=["raw", "framed"])
def test_v4_bounds(before: bytes, options: bytes, pad: bytes) -> None:
    data = before + wire.ipv4(BODY, 99, options=options) + pad
    inner = ip.v4(data, len(before), False)
    assert inner[:3] == (wire.SRC, wire.DST, 99)
    assert carried(data, inner) == BODY
    assert inner[5:] == (False, None)


def test_v4_shorter_than_it_says_is_cut() -> None:
    whole = wire.ipv4(BODY)
    for size in range(20, len(whole)):
        inner = ip.v4(whole[:size], 0, False)
        assert carried(whole[:size], inner) == BODY[: size - 20]
        assert inner[5]


@pytest.mark.parametrize("cut", [False, True])
def test_v4_total_zero_means_to_the_end(cut: bool) -> None:
    data = wire.ipv4(BODY, total=0)
    inner = ip.v4(data, 0, cut)
    assert carried(data, inner) == BODY
    assert inner[5] is cut


def test_v4_padding_cut_away_is_not_cut() -> None:
    """The capture lacks bytes, but none of this packet."""
    assert ip.v4(wire.ipv4(BODY), 0, True)[5] is False
    assert ip.v6(wire.ipv6(BODY), 0, True)[5] is False


WRONG_V4 = {
    "empty": (b"", "ip.short"),
    "short": (wire.ipv4(b"")[:19], "ip.short"),
    "version": (wire.ipv4(BODY, first=0x65), "ip.version"),
    "header-0": (wire.ipv4(BODY, first=0x40), "ip.header-length"),
    "header-16": (wire.ipv4(BODY, first=0x44), "ip.header-length"),
    "options-missing": (wire.ipv4(b"", first=0x46, total=24), "ip.short"),
    "options-missing-tso": (wire.ipv4(b"", first=0x46, total=0), "ip.short"),
    "total-19": (wire.ipv4(BODY, total=19), "ip.total-length"),
    "total-in-options": (
        wire.ipv4(BODY, options=bytes(8), total=27),
        "ip.total-length",
    ),
}


@pytest.mark.parametrize("case", WRONG_V4.values(), ids=WRONG_V4)
def test_v4_names_what_is_wrong(case: tuple[bytes, str]) -> None:
    data, reason = case
    with pytest.raises(Malformed) as caught:
        ip.v4(data, 0, False)
    assert caught.value.reason == reason


def test_v4_fragment() -> None:
    data = wire.ipv4(BODY, ident=0x1234, flags=0x2000 | 100, options=bytes(4))
    fragment = ip.v4(data, 0, False)[6]
    assert fragment is not None
    assert fragment.key == wire.SRC + wire.DST + b"\x11\x12\x34"
    assert (fragment.protocol, fragment.header) == (17, 24)
    assert (fragment.offset, fragment.size, fragment.more) == (800, 16, True)
    assert fragment.data == BODY


@pytest.mark.parametrize(
    ("flags", "is_fragment"),
    [(0x0000, False), (0x4000, False), (0x8000, False), (0x2000, True), (1, True)],
    ids=["none", "dont-fragment", "reserved", "more", "offset"],
)
def test_v4_what_makes_a_fragment(flags: int, is_fragment: bool) -> None:
    inner = ip.v4(wire.ipv4(BODY, flags=flags), 0, False)
    assert (inner[6] is not None) is is_fragment


@pytest.mark.parametrize(("size", "kept"), [(15, 8), (16, 16), (7, 0)])
def test_v4_middle_fragment_is_rounded_down(size: int, kept: int) -> None:
    data = wire.ipv4(BODY[:size], flags=0x2000)
    fragment = ip.v4(data, 0, False)[6]
    assert fragment is not None
    assert (fragment.size, fragment.data) == (kept, BODY[:kept])
    last = ip.v4(wire.ipv4(BODY[:size], flags=2), 0, False)[6]
    assert last is not None
    assert (last.size, last.data) == (size, BODY[:size])


def test_v4_cut_fragment_knows_its_size() -> None:
    fragment = ip.v4(wire.ipv4(BODY, flags=0x2000)[:-5], 0, True)[6]
    assert fragment is not None
    assert (fragment.size, fragment.data) == (16, BODY[:-5])


CHAINS = {
    "none": (b"", 17),
    "hop-by-hop": (wire.extension(17), 0),
    "routing": (wire.extension(17, 2), 43),
    "destination": (wire.extension(17, 255), 60),
    "authentication": (wire.authentication(17), 51),
    "all": (
        wire.extension(60)
        + wire.extension(43, 1)
        + wire.extension(51, 2)
        + wire.authentication(60)
        + wire.extension(17),
        0,
    ),
    "atomic-fragment": (bytes((17, 0, 0, 0, 0, 0, 0, 9)), 44),
    "atomic-fragment-reserved": (bytes((60, 9, 0, 6, 0, 0, 0, 9, 17)) + bytes(7), 44),
}


@pytest.mark.parametrize("case", CHAINS.values(), ids=CHAINS)
def test_v6_walks_extension_headers(case: tuple[bytes, int]) -> None:
    chain, following = case
    for before, after in ((b"", b""), (b"frame", b"padding")):
        data = before + wire.ipv6(chain + BODY, following) + after
        inner = ip.v6(data, len(before), False)
        assert inner[:3] == (wire.SRC6, wire.DST6, 17)
        assert carried(data, inner) == BODY
        assert inner[5:] == (False, None)


@pytest.mark.parametrize("case", CHAINS.values(), ids=CHAINS)
def test_v6_cut_anywhere(case: tuple[bytes, int]) -> None:
    chain, following = case
    whole = wire.ipv6(chain + BODY, following)
    for size in range(len(whole)):
        if size < 40:
            reason = "ip.short"
        elif size < 40 + len(chain):
            reason = "ip6.extension"
        else:
            inner = ip.v6(whole[:size], 0, True)
            assert carried(whole[:size], inner) == BODY[: size - 40 - len(chain)]
            assert inner[5]
            continue
        with pytest.raises(Malformed) as caught:
            ip.v6(whole[:size], 0, True)
        assert caught.value.reason == reason


def test_v6_any_number_of_extensions() -> None:
    """Linux follows as many as the packet holds, so must we."""
    headers = wire.extension(60) * 8_000 + wire.extension(17)
    data = wire.ipv6(headers + BODY, 60)
    inner = ip.v6(data, 0, False)
    assert (inner[2], carried(data, inner)) == (17, BODY)


def test_v6_length_zero_means_to_the_end() -> None:
    data = wire.ipv6(BODY, length=0)
    inner = ip.v6(data, 0, False)
    assert (carried(data, inner), inner[5]) == (BODY, False)


@pytest.mark.parametrize("protocol", [58, 50, 59, 135], ids=["icmp", "esp", "no", "mh"])
def test_v6_stops_at_what_it_cannot_walk(protocol: int) -> None:
    inner = ip.v6(wire.ipv6(wire.extension(protocol) + BODY, 0), 0, False)
    assert inner[2] == protocol


WRONG_V6 = {
    "short": (wire.ipv6(b"")[:39], "ip.short"),
    "version": (wire.ipv6(BODY, version=4), "ip.version"),
    "extension-half": (wire.ipv6(bytes(7), 0), "ip6.extension"),
    "extension-long": (wire.ipv6(bytes((17, 2)) + bytes(14), 0), "ip6.extension"),
    "authentication-long": (
        wire.ipv6(bytes((17, 5)) + bytes(18), 51),
        "ip6.extension",
    ),
    "fragment-header-half": (wire.ipv6(bytes(7), 44), "ip6.extension"),
    "extension-beyond-length": (
        wire.ipv6(bytes((17, 1)) + bytes(14), 0, length=8),
        "ip6.extension",
    ),
    "first-fragment": (wire.fragment6(BODY[:7], 0, True), "ip6.first-fragment"),
    "first-fragment-tcp": (
        wire.fragment6(BODY, 0, True, following=6),
        "ip6.first-fragment",
    ),
    "first-fragment-extension": (
        wire.fragment6(wire.extension(17), 0, True, following=60),
        "ip6.first-fragment",
    ),
    "first-fragment-empty": (wire.fragment6(b"", 0, True), "ip6.first-fragment"),
    "fragment-length": (wire.fragment6(BODY[:15], 0, True), "ip.fragment-length"),
}


@pytest.mark.parametrize("case", WRONG_V6.values(), ids=WRONG_V6)
def test_v6_names_what_is_wrong(case: tuple[bytes, str]) -> None:
    data, reason = case
    with pytest.raises(Malformed) as caught:
        ip.v6(data, 0, False)
    assert caught.value.reason == reason


def test_v6_fragment_behind_extensions() -> None:
    head = pack(">BBHI", 17, 0, 800 | 1, 0xDEADBEEF)
    data = wire.ipv6(wire.extension(44, 1) + head + BODY, 0)
    fragment = ip.v6(data, 0, False)[6]
    assert fragment is not None
    assert fragment.key == wire.SRC6 + wire.DST6 + b"\xde\xad\xbe\xef"
    assert (fragment.protocol, fragment.header) == (17, 16)
    assert (fragment.offset, fragment.size, fragment.more) == (800, 16, True)
    assert fragment.data == BODY


def test_v6_first_fragment_may_stop_inside_an_extension() -> None:
    """As Linux has it; the datagram is judged when it is whole."""
    data = wire.fragment6(wire.extension(17, 1)[:8], 0, True, following=60)
    assert ip.v6(data, 0, False)[6] is not None


def test_v6_first_fragment_cut_by_the_capture() -> None:
    fragment = ip.v6(wire.fragment6(BODY, 0, True)[:-10], 0, True)[6]
    assert fragment is not None
    assert (fragment.size, fragment.data) == (16, BODY[:-10])
