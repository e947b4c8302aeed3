"""The pcap container: its variants, and every way in which it can be damaged."""

import io
from pathlib import Path

import pytest
from dpkt import pcap as dpkt_pcap  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from ringfence.errors import CaptureError
from ringfence.packet import Packet
from ringfence.pcap import open_capture
from ringfence.pcap.source import MAX_RECORD
from wire import captures as c

FRAMES = [b"first frame", b"", b"the third one"]


def read(path: Path) -> list[tuple[int, float, Packet]]:
    with open_capture(path) as capture:
        return list(capture)


def refusal(path: Path) -> str:
    """Open and read a file that is damaged; return the message, without the path."""
    with pytest.raises(CaptureError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("magic", "fraction"), [(c.MICRO, 250_000), (c.NANO, 250_000_000)]
)
def test_orders_and_resolutions(
    tmp_path: Path, order: str, magic: int, fraction: int
) -> None:
    path = tmp_path / "x.pcap"
    records = [
        c.pcap_record(data, order, seconds=100 + number, fraction=fraction)
        for number, data in enumerate(FRAMES)
    ]
    path.write_bytes(c.pcap_header(order, magic, 113) + b"".join(records))
    assert read(path) == [
        (number + 1, 100.25 + number, Packet(data, 113, len(data)))
        for number, data in enumerate(FRAMES)
    ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_modified_variant(tmp_path: Path, order: str) -> None:
    path = tmp_path / "x.pcap"
    records = [c.pcap_record(data, order, modified=True) for data in FRAMES]
    path.write_bytes(c.pcap_header(order, c.MODIFIED) + b"".join(records))
    assert [packet.data for _, _, packet in read(path)] == FRAMES


def test_wire_length_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(c.pcap_header() + c.pcap_record(b"cut", length=1_000))
    assert read(path)[0][2] == Packet(b"cut", 1, 1_000)


def test_time_is_exact_to_the_microsecond(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    record = c.pcap_record(b"x", seconds=1_795_295_388, fraction=870_688)
    path.write_bytes(c.pcap_header() + record)
    assert read(path)[0][1] == 1795295388.870688


def test_link_type_has_a_check_sequence_length_above_it(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(c.pcap_header(link=0x4400_0001) + c.pcap_record(b"x"))
    assert read(path)[0][2].link == 1


def test_agrees_with_what_dpkt_writes(tmp_path: Path) -> None:
    for nano in (False, True):
        buffer = io.BytesIO()
        writer = dpkt_pcap.Writer(buffer, linktype=101, nano=nano)
        for number, data in enumerate(FRAMES):
            writer.writepkt(data, ts=5 + number / 4)
        path = tmp_path / "x.pcap"
        path.write_bytes(buffer.getvalue())
        assert read(path) == [
            (number + 1, 5 + number / 4, Packet(data, 101, len(data)))
            for number, data in enumerate(FRAMES)
        ]


def test_only_a_header(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(c.pcap_header())
    assert read(path) == []


def test_record_length_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(c.pcap_header() + c.pcap_record(bytes(MAX_RECORD)))
    assert len(read(path)[0][2].data) == MAX_RECORD
    path.write_bytes(c.pcap_header() + c.pcap_record(bytes(MAX_RECORD + 1)))
    assert refusal(path) == (
        f"byte 24, after 0 frames: the record claims {MAX_RECORD + 1} bytes; "
        f"expected at most {MAX_RECORD}"
    )


def test_a_damaged_record_behind_good_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    good = c.pcap_header() + c.pcap_record(b"good") * 3
    path.write_bytes(good + c.pcap_record(b"", kept=0xFFFFFFFF))
    with open_capture(path) as capture:
        frames = iter(capture)
        assert [next(frames)[2].data for _ in range(3)] == [b"good"] * 3
        with pytest.raises(CaptureError, match=f"byte {len(good)}, after 3 frames: "):
            next(frames)
        assert capture.frames == 3


def test_truncated_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    whole = c.pcap_header() + b"".join(c.pcap_record(data) for data in FRAMES)
    ends = [24, 51, 67, len(whole)]
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        frames = sum(end <= size for end in ends[1:])
        if size in ends:
            assert len(read(path)) == frames
            continue
        message = refusal(path)
        if size < 4:
            assert message.startswith("not a capture but ")
        elif size < 24:
            missing = 24 - size
            assert message == (
                f"the file ends inside its header; expected {missing} bytes more"
            )
        else:
            start = max(end for end in ends if end <= size)
            inside = "a record header" if size < start + 16 else "a record"
            assert message.startswith(
                f"byte {start}, after {frames} frames: the file ends inside {inside}; "
            )


LOOKALIKES = {
    "empty": (b"", "the file is empty"),
    "text": (b"From: someone\nTo: other\n", "not a capture but a text file"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(30), "zstd"),
    "xz": (b"\xfd7zXZ\0" + bytes(30), "xz"),
    "bzip2": (b"BZh91AY&SY" + bytes(30), "bzip2"),
    "lz4": (b"\x04\x22\x4d\x18" + bytes(30), "lz4"),
    "zip": (b"PK\x03\x04" + bytes(30), "a zip archive"),
    "snoop": (b"snoop\0\0\0" + bytes(30), "a snoop capture"),
    "netmon": (b"GMBU" + bytes(30), "a Network Monitor capture"),
    "other": (b"\x7fELF" + bytes(30), "something that starts with 7f454c46"),
    "short": (b"\xd4\xc3", "something that starts with d4c3"),
}


@pytest.mark.parametrize("case", LOOKALIKES.values(), ids=LOOKALIKES)
def test_wrong_magic(tmp_path: Path, case: tuple[bytes, str]) -> None:
    content, expected = case
    path = tmp_path / "x.pcap"
    path.write_bytes(content)
    message = refusal(path)
    assert expected in message
    # Each says what to do instead, too.
    assert ";" in message


def test_other_version(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(c.pcap_header(version=3))
    assert refusal(path) == "pcap version 3.4; expected 2.4"


@given(
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6)
)
def test_noise_gives_frames_or_a_capture_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(c.pcap_header())
    content += b"".join(c.pcap_record(data) for data in FRAMES)
    for at, value in changes:
        content[at % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "noise.pcap"
    path.write_bytes(content)
    try:
        frames = read(path)
    except CaptureError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - not always raised
    else:
        assert sum(len(packet.data) for _, _, packet in frames) < len(content)
