"""One capture file, whatever its format.

Knows how to open and name a file and how to tell the formats apart.
"""

import gzip
import os
from collections.abc import Iterator
from io import BufferedReader, FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from ringfence.errors import CaptureError
from ringfence.packet import Packet
from ringfence.pcap.classic import FILE_HEADER, open_pcap
from ringfence.pcap.pcapng import SECTION, open_pcapng
from ringfence.pcap.source import Source

_GZIP = b"\x1f\x8b"

Frame = tuple[int, float, Packet]
"""Number in the file from 1, seconds since 1970, the packet."""


class Capture:
    """One open capture file: iterate over it, once, for its frames.

    Each frame is `(number from 1, wall time in seconds since 1970, Packet)`. A wall
    time is a float: exact to the microsecond, not to the nanosecond. pcapng's Simple
    Packet Blocks have none and get that of the packet before, 0.0 if there is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open `path` and read its file header. Raises `CaptureError`."""
        self.path = Path(path)
        try:
            self._raw = FileIO(self.path)
        except OSError as error:
            raise self._unreadable(error) from error
        try:
            self.size = os.fstat(self._raw.fileno()).st_size
            """Bytes of the file; 0 if it is a pipe."""
            self._source = self._unpack(BufferedReader(self._raw))
            # pcapng's first header is longer than pcap's.
            head = self._source.read(FILE_HEADER)
            opener = open_pcapng if head[:4] == SECTION else open_pcap
            self._records = opener(self._source, head)
        except CaptureError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise self._unreadable(error) from error

    @property
    def frames(self) -> int:
        """Frames yielded so far."""
        return self._source.frames

    @property
    def bytes_read(self) -> int:
        """How far into the file, of `size`; compressed bytes if it is compressed."""
        return self._raw.tell() if self._packed else self._source.offset

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; raises `CaptureError` after the last readable one."""
        source = self._source
        for wall, packet in self._records:
            source.frames += 1
            yield source.frames, wall, packet

    def __enter__(self) -> Self:
        """Return the capture itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; iterating further is a mistake."""
        self._raw.close()

    def _unpack(self, buffered: "BufferedReader[FileIO]") -> Source:
        self._packed = buffered.peek(2)[:2] == _GZIP
        if not self._packed:
            return Source(self.path, buffered, "byte")
        return Source(self.path, gzip.GzipFile(fileobj=buffered), "unpacked byte")

    def _unreadable(self, error: OSError) -> CaptureError:
        return CaptureError(
            f"{self.path}: cannot be read: {error.strerror}; "
            "expected a pcap or pcapng file"
        )


def open_capture(path: str | os.PathLike[str]) -> Capture:
    """Open a pcap or pcapng file, gzip-compressed or not.

    Raises `CaptureError` if it cannot be read, is something else, or is damaged in
    its header; damage further on is raised while iterating, after all that is whole.
    """
    return Capture(path)
