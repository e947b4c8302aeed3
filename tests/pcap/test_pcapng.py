"""The pcapng container: sections, interfaces, blocks, and how they can be damaged."""

import io
from pathlib import Path

import pytest
from dpkt import pcapng as dpkt_pcapng  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from ringfence.errors import CaptureError
from ringfence.packet import Packet
from ringfence.pcap import open_capture
from ringfence.pcap.pcapng import MAX_BLOCK, MAX_INTERFACES
from ringfence.pcap.source import MAX_RECORD, SKIP_CHUNK
from wire import captures as c

TSRESOL = 9
TSOFFSET = 14
COMMENT = 1


def read(path: Path) -> list[tuple[int, float, Packet]]:
    with open_capture(path) as capture:
        return list(capture)


def refusal(path: Path, content: bytes) -> str:
    """Write and read a file that is damaged; return the message, without the path."""
    path.write_bytes(content)
    with pytest.raises(CaptureError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.pcapng"


@pytest.mark.parametrize("order", ["<", ">"])
def test_interfaces_of_different_kinds(path: Path, order: str) -> None:
    """Each packet has its interface's link type, resolution and offset."""
    end = c.option(0, b"", order)
    nano = c.option(TSRESOL, b"\x09", order) + end
    binary = c.option(TSRESOL, b"\x8a", order) + end
    shifted = c.option(TSOFFSET, (1000).to_bytes(8, "big"), order)
    if order == "<":
        shifted = c.option(TSOFFSET, (1000).to_bytes(8, "little"), order)
    named = c.option(2, b"eth0!", order)
    path.write_bytes(
        c.section(order)
        + c.interface(1, order)
        + c.interface(101, order, options=named + nano)
        + c.interface(113, order, options=binary)
        + c.interface(228, order, options=shifted)
        + c.enhanced(b"micro", order, number=0, ticks=1_500_000)
        + c.enhanced(b"nano", order, number=1, ticks=(1 << 32) + 5)
        + c.enhanced(b"binary", order, number=2, ticks=1536)
        + c.enhanced(b"shifted", order, number=3, ticks=500_000, length=90)
    )
    assert read(path) == [
        (1, 1.5, Packet(b"micro", 1, 5)),
        (2, 4.294967301, Packet(b"nano", 101, 4)),
        (3, 1.5, Packet(b"binary", 113, 6)),
        (4, 1000.5, Packet(b"shifted", 228, 90)),
    ]


def test_sections_have_their_own_order_and_interfaces(path: Path) -> None:
    path.write_bytes(
        c.section("<")
        + c.interface(1, "<")
        + c.enhanced(b"one", "<")
        + c.section(">", options=c.option(COMMENT, b"another tool", ">"))
        + c.interface(276, ">")
        + c.enhanced(b"two", ">", ticks=7_000_000)
        + c.section("<")
        + c.interface(0, "<")
        + c.enhanced(b"three", "<")
    )
    assert read(path) == [
        (1, 0.0, Packet(b"one", 1, 3)),
        (2, 7.0, Packet(b"two", 276, 3)),
        (3, 0.0, Packet(b"three", 0, 5)),
    ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_simple_and_old_packet_blocks(path: Path, order: str) -> None:
    path.write_bytes(
        c.section(order)
        + c.interface(1, order, snaplen=6)
        + c.interface(101, order)
        + c.simple(b"early", order)
        + c.old_packet(b"older", order, number=1)
        + c.enhanced(b"timed", order, ticks=2_000_000)
        + c.simple(b"seven b", order)
        + c.simple(b"snappe", order, length=99)
    )
    assert read(path) == [
        (1, 0.0, Packet(b"early", 1, 5)),
        (2, 0.000005, Packet(b"older", 101, 5)),
        (3, 2.0, Packet(b"timed", 1, 5)),
        (4, 2.0, Packet(b"seven ", 1, 7)),
        (5, 2.0, Packet(b"snappe", 1, 99)),
    ]


def test_blocks_of_no_interest_are_passed_over(path: Path) -> None:
    """Name resolution, statistics, secrets: of any length, also a very long one."""
    path.write_bytes(
        c.section(options=c.option(COMMENT, b"\xff\xfe not UTF-8"))
        + c.block(4, b"names")
        + c.interface()
        + c.block(5, b"statistics")
        + c.block(0x0A, bytes(3 * SKIP_CHUNK + 1))
        + c.block(0x8000_0BAD, b"")
        + c.enhanced(b"packet", options=c.option(COMMENT, b"\xff not UTF-8"))
        + c.block(0xBAD, bytes(MAX_BLOCK))
        + c.enhanced(b"last")
    )
    assert [packet.data for _, _, packet in read(path)] == [b"packet", b"last"]


def test_agrees_with_what_dpkt_writes(path: Path) -> None:
    buffer = io.BytesIO()
    writer = dpkt_pcapng.Writer(buffer, linktype=101)
    writer.writepkt(b"first", ts=5.25)
    writer.writepkt(b"second", ts=1_700_000_000.125)
    path.write_bytes(buffer.getvalue())
    assert read(path) == [
        (1, 5.25, Packet(b"first", 101, 5)),
        (2, 1_700_000_000.125, Packet(b"second", 101, 6)),
    ]


GOOD = c.section() + c.interface() + c.enhanced(b"good")

DAMAGE = {
    "no-order": (
        c.block(0x0A0D0D0A, bytes(16)),
        "no byte-order magic in the section header",
    ),
    "version": (c.section(major=2), "pcapng version 2.0; expected 1.x"),
    "section-length": (
        c.block(0x0A0D0D0A, b"\x4d\x3c\x2b\x1a\1\0\0\0" + bytes(8), length=24),
        "a block of 24 bytes; expected a multiple of 4, at least 28",
    ),
    "block-length-8": (
        GOOD + c.block(5, b"", length=8),
        "a block of 8 bytes; expected a multiple of 4, at least 12",
    ),
    "block-length-odd": (
        GOOD + c.block(5, b"", length=13),
        "a block of 13 bytes; expected a multiple of 4, at least 12",
    ),
    "lengths-differ": (
        GOOD + c.block(6, bytes(24), again=40),
        "the block says 36 bytes at its start and 40 at its end",
    ),
    "block-huge": (
        GOOD + c.block(6, bytes(24), length=MAX_BLOCK + 4),
        f"the block claims {MAX_BLOCK + 4} bytes; expected at most {MAX_BLOCK}",
    ),
    "no-interface": (
        c.section() + c.enhanced(b"x"),
        "a packet of interface 0; expected one of the 0 that the section has",
    ),
    "no-interface-simple": (
        c.section() + c.simple(b"x"),
        "a packet of interface 0; expected one of the 0 that the section has",
    ),
    "interface-of-an-earlier-section": (
        GOOD + c.section() + c.enhanced(b"x"),
        "a packet of interface 0; expected one of the 0 that the section has",
    ),
    "other-interface": (
        GOOD + c.enhanced(b"x", number=1),
        "a packet of interface 1; expected one of the 1 that the section has",
    ),
    "packet-header": (
        GOOD + c.block(6, bytes(16)),
        "a packet block without room for its header",
    ),
    "simple-header": (
        GOOD + c.block(3, b""),
        "a packet block without room for its header",
    ),
    "packet-long": (
        GOOD + c.enhanced(b"four", kept=5),
        "the packet claims 5 bytes; expected at most 4",
    ),
    "interface-header": (
        GOOD + c.block(1, bytes(4)),
        "an interface block without room for its header",
    ),
    "option-long": (
        c.section() + c.interface(options=b"\x02\0\x05\0abcd"),
        "an option of 5 bytes; expected at most 4",
    ),
}


@pytest.mark.parametrize("case", DAMAGE.values(), ids=DAMAGE)
def test_names_the_damage(path: Path, case: tuple[bytes, str]) -> None:
    content, expected = case
    assert expected in refusal(path, content)


def test_damage_comes_after_what_is_whole(path: Path) -> None:
    path.write_bytes(GOOD + c.enhanced(b"also") + c.block(6, bytes(16)))
    with open_capture(path) as capture:
        frames = iter(capture)
        assert [next(frames)[2].data for _ in range(2)] == [b"good", b"also"]
        with pytest.raises(CaptureError, match=r": byte \d+, after 2 frames: "):
            next(frames)


def test_truncated_at_every_byte(path: Path) -> None:
    blocks = [c.section(), c.interface(), c.enhanced(b"one"), c.block(5, b"x")]
    blocks.append(c.simple(b"two"))
    whole = b"".join(blocks)
    ends = [sum(map(len, blocks[:count])) for count in range(1, len(blocks) + 1)]
    for size in range(4, len(whole)):
        frames = (size >= ends[2]) + (size >= ends[4])
        if size in ends:
            path.write_bytes(whole[:size])
            assert len(read(path)) == frames
            continue
        message = refusal(path, whole[:size])
        assert "the file ends inside a" in message
        assert (f"after {frames} frames" in message) is (size > ends[0])


def test_packet_length_is_bounded(path: Path) -> None:
    path.write_bytes(c.section() + c.interface() + c.enhanced(bytes(MAX_RECORD)))
    assert len(read(path)[0][2].data) == MAX_RECORD
    for build in (c.enhanced, c.simple):
        packet = build(bytes(MAX_RECORD + 1))
        message = refusal(path, c.section() + c.interface() + packet)
        assert f"{MAX_RECORD + 1} bytes; expected at most {MAX_RECORD}" in message


def test_block_length_is_bounded(path: Path) -> None:
    room = MAX_BLOCK - 12 - 20 - 4
    packet = c.enhanced(b"data", options=bytes(room))
    path.write_bytes(c.section() + c.interface() + packet)
    assert len(read(path)) == 1
    packet = c.enhanced(b"data", options=bytes(room + 4))
    message = refusal(path, c.section() + c.interface() + packet)
    assert f"expected at most {MAX_BLOCK}" in message


def test_interfaces_are_bounded(path: Path) -> None:
    many = c.section() + c.interface() * MAX_INTERFACES
    path.write_bytes(many + c.enhanced(b"x", number=MAX_INTERFACES - 1))
    assert len(read(path)) == 1
    message = refusal(path, many + c.interface())
    assert message.endswith(f"more than {MAX_INTERFACES} interfaces")


@given(
    changes=st.lists(st.tuples(st.integers(4, 200), st.integers(0, 255)), max_size=6)
)
def test_noise_gives_frames_or_a_capture_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(
        GOOD + c.simple(b"simple") + c.section(">") + c.interface(1, ">")
    )
    content += c.old_packet(b"older", ">") + c.block(5, b"x", ">")
    for at, value in changes:
        content[at % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "noise.pcapng"
    path.write_bytes(content)
    seen = 0
    try:
        with open_capture(path) as capture:
            for number, wall, packet in capture:
                seen += 1
                assert number == seen
                assert isinstance(wall, float)
                assert len(packet.data) <= len(content)
    except CaptureError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - not always raised
