"""The columns of a country table and their layout in memory.

Knows how the rows are kept, checked, and laid out in one buffer that can be used where
it lies, such as a mapped file. It must not know what is asked of them, nor where a
buffer comes from.

A range begins where the one before it ends, gaps are ranges without a country, so one
sorted column of starts and one of codes are the whole table. IPv6 starts are the upper
64 bits: networks are routed at /64 and above. The few /64s that the source splits
among countries (addresses of tunnel and cloud providers) have the code `DIVIDED`, and
their ranges at full length in two further columns.
"""

import struct
import sys
from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from zlib import crc32

from ringfence.errors import BundleError

if TYPE_CHECKING:
    from mmap import mmap

NO_COUNTRY: Final = 0
"""Code of a range that belongs to nobody."""
DIVIDED: Final = 255
"""Code of IPv6 /64s that are split among countries; their ranges are in `fine_*`."""
MOST_NAMES: Final = DIVIDED
"""Codes are one byte, and `DIVIDED` is none; ISO 3166-1 has 249 countries."""

Order = Literal["little", "big"]

_MAGIC: Final = b"RINGCTRY"
_VERSION: Final = 1
_ORDER_MARK: Final = 0x01020304
SOURCE_BYTES: Final = 40
"""Room for a package and its version in a header."""
DATE_BYTES: Final = 12
"""Room for a day."""
_LAYOUT: Final = f"8s 8I 16s {SOURCE_BYTES}s {DATE_BYTES}s 4x"
_HEADER: Final[dict[Order, struct.Struct]] = {
    "little": struct.Struct("<" + _LAYOUT),
    "big": struct.Struct(">" + _LAYOUT),
}
HEADER_SIZE: Final = _HEADER["little"].size
"""Bytes ahead of the columns; a multiple of 8, so that they are aligned."""
_SAMPLES: Final = 16
"""Starts compared when a table is opened: enough to catch columns laid out wrongly;
the check sum catches the rest, `Columns.check` has seen every row before it."""


class Columns(NamedTuple):
    """A country table's rows and what it says about itself."""

    starts4: Sequence[int]
    """First IPv4 addresses, ascending from 0, 32 bits."""
    codes4: Sequence[int]
    """Indexes into `names`, one for each start."""
    starts6: Sequence[int]
    """Upper 64 bits of first IPv6 addresses, ascending from 0."""
    codes6: Sequence[int]
    """Indexes into `names`, or `DIVIDED`."""
    fine_starts: bytes | memoryview
    """First addresses within `DIVIDED` /64s, 16 bytes each, ascending."""
    fine_codes: Sequence[int]
    """Indexes into `names`."""
    names: tuple[str | None, ...]
    """Country codes; the first is None, for `NO_COUNTRY`."""
    source: str
    """Package and version the table was made from, or the file; ASCII."""
    date: str
    """Day of the data, ISO 8601; "" when not known."""
    key: bytes = bytes(16)
    """Stands for the content, 16 bytes."""

    def fine_start(self, row: int) -> bytes:
        """Return one start of the fine ranges, as an address."""
        return bytes(self.fine_starts[16 * row : 16 * row + 16])

    def check(self) -> None:
        """Look at every row once; `BundleError` if any is out of order.

        For a table from elsewhere, before it is kept as one of ours.
        """
        last = len(self.names) - 1
        fine = [self.fine_start(row) for row in range(len(self.fine_codes))]
        begins = set(fine)
        if not (
            self.starts4[0] == self.starts6[0] == 0
            and all(a < b for a, b in pairwise(self.starts4))
            and all(a < b for a, b in pairwise(self.starts6))
            and all(a < b for a, b in pairwise(fine))
        ):
            raise BundleError("country table: expected ascending starts from 0")
        if not (
            max(self.codes4) <= last
            and max(self.fine_codes, default=0) <= last
            and all(code <= last or code == DIVIDED for code in set(self.codes6))
        ):
            raise BundleError("country table: a row names a country it does not list")
        # Divided /64s must have ranges of their own from their first address on.
        if not all(
            self.starts6[row].to_bytes(8) + bytes(8) in begins
            for row, code in enumerate(self.codes6)
            if code == DIVIDED
        ):
            raise BundleError("country table: a divided /64 has no ranges")


def divide(
    starts: Sequence[int], codes: Sequence[int]
) -> tuple[list[int], list[int], bytes, list[int]]:
    """Split 128-bit starts into `starts6`, `codes6`, `fine_starts`, `fine_codes`."""
    rows: dict[int, int] = {}  # upper half of a start: its code; ascending
    fine_starts: list[bytes] = []
    fine_codes: list[int] = []
    divided = -1
    running = NO_COUNTRY
    for start, code in zip(starts, codes, strict=True):
        upper, lower = start >> 64, start & ((1 << 64) - 1)
        if divided >= 0 and upper != divided:
            rows[divided + 1] = running
            divided = -1
        if not lower:
            rows[upper] = code
        else:
            if upper != divided:
                divided = upper
                fine_starts.append(upper.to_bytes(8) + bytes(8))
                fine_codes.append(running)
                rows[upper] = DIVIDED
            fine_starts.append(start.to_bytes(16))
            fine_codes.append(code)
        running = code
    if 0 <= divided < (1 << 64) - 1:
        rows[divided + 1] = running
    return list(rows), list(rows.values()), b"".join(fine_starts), fine_codes


def column_bytes(typecode: str, values: Sequence[int], order: Order) -> memoryview:
    """Lay numbers out as an array of that byte order."""
    if order == sys.byteorder and isinstance(values, array):
        return memoryview(values).cast("B")
    column = array(typecode, values)
    if order != sys.byteorder:
        column.byteswap()
    return memoryview(column).cast("B")


def write_columns(columns: Columns, order: Order = sys.byteorder) -> bytes:
    """Lay a table out as `read_columns` takes it on a machine of that order."""
    parts = (
        column_bytes("Q", columns.starts6, order),
        column_bytes("I", columns.starts4, order),
        columns.fine_starts,
        bytes(columns.codes6),
        bytes(columns.codes4),
        bytes(columns.fine_codes),
        b"".join((name or "--").encode("ascii") for name in columns.names),
    )
    check = 0
    for part in parts:
        check = crc32(part, check)
    header = _HEADER[order].pack(
        _MAGIC,
        _ORDER_MARK,
        _VERSION,
        HEADER_SIZE + sum(map(len, parts)),
        check,
        len(columns.starts4),
        len(columns.starts6),
        len(columns.fine_codes),
        len(columns.names),
        columns.key,
        columns.source.encode("ascii"),
        columns.date.encode("ascii"),
    )
    return b"".join((header, *parts))


def read_columns(buffer: "bytes | memoryview | mmap") -> Columns:
    """Use a table where it lies; keeps views into the buffer and copies no rows.

    Raises `BundleError` for anything but a whole table of this machine's byte order.
    """
    view = memoryview(buffer).cast("B")
    if len(view) < HEADER_SIZE:
        raise BundleError(
            f"country table of {len(view)} bytes: expected at least {HEADER_SIZE}"
        )
    magic, mark, version, size, check, *counts, key, source, date = _HEADER[
        sys.byteorder
    ].unpack_from(view)
    if magic != _MAGIC:
        raise BundleError(f"country table: expected {_MAGIC!r} at its beginning")
    if mark != _ORDER_MARK:
        raise BundleError("country table: written by a machine of other byte order")
    if version != _VERSION:
        raise BundleError(f"country table of version {version}: expected {_VERSION}")
    n4, n6, n_fine, n_names = counts
    sizes = (8 * n6, 4 * n4, 16 * n_fine, n6, n4, n_fine, 2 * n_names)
    if not size == len(view) == HEADER_SIZE + sum(sizes):
        raise BundleError(
            f"country table of {len(view)} bytes: expected {size} by its size, "
            f"{HEADER_SIZE + sum(sizes)} by its counts"
        )
    if not (n4 and n6 and 0 < n_names <= MOST_NAMES):
        raise BundleError("country table: expected ranges, and 1 to 255 names")
    if crc32(view[HEADER_SIZE:]) != check:
        raise BundleError("country table: damaged, its check sum differs")

    parts: list[memoryview] = []
    at = HEADER_SIZE
    for length in sizes:
        parts.append(view[at : at + length])
        at += length
    upper, first, fine_starts, codes6, codes4, fine_codes, names = parts
    starts6, starts4 = upper.cast("Q"), first.cast("I")
    for starts in (starts4, starts6):
        sample = [*starts[:: len(starts) // _SAMPLES + 1], starts[-1]]
        if sample[0] != 0 or any(a > b for a, b in pairwise(sample)):
            raise BundleError("country table: expected ascending starts from 0")
    try:
        listed = bytes(names).decode("ascii")
        origin = (source + b"\0" + date).decode("ascii")
    except UnicodeDecodeError as error:
        raise BundleError("country table: expected names in ASCII") from error
    return Columns(
        starts4,
        codes4,
        starts6,
        codes6,
        fine_starts,
        fine_codes,
        (None, *(listed[i : i + 2] for i in range(2, len(listed), 2))),
        origin[: len(source)].rstrip("\0"),
        origin[len(source) + 1 :].rstrip("\0"),
        key,
    )
