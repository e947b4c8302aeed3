"""The bytes of a capture file, and where in it we are.

Knows reading and complaining, no format. Every `CaptureError` about the contents of
a file is made by `Source.fault`, so all of them say where.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ringfence.errors import CaptureError
from ringfence.packet import Packet

MAX_RECORD = 262_144
"""Bytes of one packet: libpcap's MAXIMUM_SNAPLEN. A longer one is a damaged file."""

SKIP_CHUNK = 65_536
"""Bytes read at a time while passing over something of no interest, however long."""

Records = Iterator[tuple[float, Packet]]
"""Seconds since 1970 and the packet."""


class Stream(Protocol):
    """What we need of a file, compressed or not."""

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes, fewer only at the end."""


class Source:
    """A stream with a position and a way to complain."""

    def __init__(self, path: Path, stream: Stream, unit: str) -> None:
        """Read `stream`; `unit` is what an offset in it counts, for messages."""
        self._path = path
        self._stream = stream
        self._unit = unit
        self.offset = 0
        """Bytes read."""
        self.record = 0
        """Where the record being read starts."""
        self.frames = 0
        """Packets handed on so far."""

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end. Raises `CaptureError`."""
        try:
            data = self._stream.read(size)
        except (OSError, EOFError, zlib.error) as error:
            # What gzip raises has no strerror: a wrong check sum, a missing end.
            why = getattr(error, "strerror", None) or str(error)
            raise self.fault(f"cannot be read: {why}") from error
        self.offset += len(data)
        return data

    def exactly(self, size: int, what: str) -> bytes:
        """Return `size` bytes. Raises `CaptureError`: the file ends inside `what`."""
        data = self.read(size)
        if len(data) < size:
            raise self.cut(what, size - len(data))
        return data

    def skip(self, size: int, what: str) -> None:
        """Pass over `size` bytes. Raises `CaptureError` as `exactly` does."""
        while size > 0:
            size -= len(self.exactly(min(size, SKIP_CHUNK), what))

    def cut(self, what: str, missing: int) -> CaptureError:
        """Say that the file ends inside `what`, `missing` bytes too early."""
        return self.fault(f"the file ends inside {what}; expected {missing} bytes more")

    def fault(self, problem: str) -> CaptureError:
        """Say what is wrong, where, and how much was read before it."""
        where = ""
        if self.record:
            where = f" {self._unit} {self.record}, after {self.frames} frames:"
        return CaptureError(f"{self._path}:{where} {problem}")
