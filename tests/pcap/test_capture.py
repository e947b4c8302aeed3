"""Opening a capture: whatever the file is, packed or not, and how far we are."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ringfence.errors import CaptureError
from ringfence.pcap import open_capture
from wire import captures as c

RECORDS = [c.pcap_record(b"frame %d" % number) for number in range(2_000)]
PCAP = c.pcap_header() + b"".join(RECORDS)
PCAPNG = c.section() + c.interface() + c.enhanced(b"frame 0")


@pytest.mark.parametrize("content", [PCAP, PCAPNG], ids=["pcap", "pcapng"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_progress(tmp_path: Path, content: bytes, packed: bool) -> None:
    """Bytes read only grow, and end at the size of the file."""
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(content) if packed else content)
    with open_capture(str(path)) as capture:
        assert capture.path == path
        assert capture.size == path.stat().st_size
        before = 0
        for number, _, packet in capture:
            assert capture.frames == number
            assert packet.data == b"frame %d" % (number - 1)
            assert before <= capture.bytes_read <= capture.size
            before = capture.bytes_read
        assert before > 0
        assert capture.bytes_read == capture.size


def test_gzip_twice_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap.gz"
    path.write_bytes(gzip.compress(gzip.compress(PCAP)))
    with pytest.raises(CaptureError, match="gzip-compressed twice"):
        open_capture(path)


def test_truncated_gzip_gives_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap.gz"
    path.write_bytes(gzip.compress(PCAP)[:-500])
    with open_capture(path) as capture:
        with pytest.raises(CaptureError, match=r"unpacked byte \d+, after \d+ frames"):
            list(capture)
        assert 0 < capture.frames < 2_000


def test_damaged_gzip(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(PCAP))
    path = tmp_path / "x.pcap.gz"
    packed[-5] ^= 0xFF
    path.write_bytes(packed)
    with (
        open_capture(path) as capture,
        pytest.raises(CaptureError, match="cannot be read: CRC check failed"),
    ):
        list(capture)
    packed[12:400] = bytes(388)
    path.write_bytes(packed)
    with pytest.raises(CaptureError, match="cannot be read: "):
        open_capture(path)


def test_a_pipe_has_no_size(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, PCAPNG)
        os.close(write_end)
        with open_capture(f"/dev/fd/{read_end}") as capture:
            assert [packet.data for _, _, packet in capture] == [b"frame 0"]
            assert (capture.size, capture.bytes_read) == (0, len(PCAPNG))
    finally:
        os.close(read_end)


def test_missing_and_directory(tmp_path: Path) -> None:
    for path, why in (
        (tmp_path / "none.pcap", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(CaptureError) as caught:
            open_capture(path)
        assert str(caught.value) == (
            f"{path}: cannot be read: {why}; expected a pcap or pcapng file"
        )
        assert caught.value.exit_code == 2


def test_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(PCAP)
    path.chmod(0)
    # Root reads everything, so ask as nobody.
    program = (
        "import os, sys\n"
        "from ringfence.errors import CaptureError\n"
        "from ringfence.pcap import open_capture\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "try: open_capture(sys.argv[1])\n"
        "except CaptureError as error: print(error)\n"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (
        f"{path}: cannot be read: Permission denied; expected a pcap or pcapng file\n"
    )


def test_read_error_is_a_capture_error(tmp_path: Path) -> None:
    """A disk that fails, for which /proc/self/mem stands: its first page is unmapped."""
    link = tmp_path / "x.pcap"
    link.symlink_to("/proc/self/mem")
    with pytest.raises(CaptureError, match="cannot be read: Input/output error"):
        open_capture(link)
