"""The packed form of a country table: small, and the same for every machine.

Knows how columns are squeezed into a file and got back out of it. It must not know
where files are, nor what is asked of a table.
"""

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import sub
from typing import Final, NamedTuple

from ringfence.bundle.digests import sha256
from ringfence.errors import BundleError
from ringfence.facts.columns import (
    DATE_BYTES,
    SOURCE_BYTES,
    Columns,
    Order,
    column_bytes,
    write_columns,
)

MOST_UNPACKED: Final = 32 << 20
"""Bytes a packed table may claim to unpack to, six times what today's takes: a damaged
one must not ask a router with 64 MB for more."""

_MAGIC: Final = b"RINGGEO1"
_PRELUDE: Final = struct.Struct(f"<8s16s5I{SOURCE_BYTES}s{DATE_BYTES}s")
PRELUDE_SIZE: Final = _PRELUDE.size
"""Bytes ahead of the compressed columns."""


class Prelude(NamedTuple):
    """What stands uncompressed at the start of a packed table."""

    magic: bytes
    key: bytes
    """Stands for the content: the start of its SHA-256."""
    n4: int
    n6: int
    n_fine: int
    n_names: int
    unpacked: int
    source: bytes
    date: bytes


def pack(columns: Columns) -> bytes:
    """Pack a table: differences of starts, by byte planes, compressed with zlib.

    Planes (all lowest bytes, then all second bytes, …) put like beside like; that
    halves the result. The same columns give the same bytes with the same zlib.
    Raises `BundleError` when source or date are too long for the prelude.
    """
    body = b"".join(
        (
            *((name or "--").encode("ascii") for name in columns.names),
            _planes("I", columns.starts4),
            bytes(columns.codes4),
            _planes("Q", columns.starts6),
            bytes(columns.codes6),
            columns.fine_starts,
            bytes(columns.fine_codes),
        )
    )
    source, date = columns.source.encode("ascii"), columns.date.encode("ascii")
    if len(source) > SOURCE_BYTES or len(date) > DATE_BYTES:
        raise BundleError(
            f"source {columns.source!r} and date {columns.date!r}: expected at most "
            f"{SOURCE_BYTES} and {DATE_BYTES} characters"
        )
    prelude = _PRELUDE.pack(
        _MAGIC,
        bytes.fromhex(sha256(source + b"\0" + date + b"\0" + body))[:16],
        len(columns.starts4),
        len(columns.starts6),
        len(columns.fine_codes),
        len(columns.names),
        len(body),
        source,
        date,
    )
    stream = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9)
    return prelude + stream.compress(body) + stream.flush()


def _planes(typecode: str, starts: Sequence[int]) -> bytes:
    steps = [starts[0], *map(sub, starts[1:], starts)]
    rows = column_bytes(typecode, steps, "little").tobytes()
    width = array(typecode).itemsize
    return b"".join(rows[plane::width] for plane in range(width))


def _starts(typecode: str, planes: bytes) -> "array[int]":
    # The inverse of _planes.
    steps = array(typecode)
    width = steps.itemsize
    count = len(planes) // width
    rows = bytearray(len(planes))
    for plane in range(width):
        rows[plane::width] = planes[plane * count : (plane + 1) * count]
    steps.frombytes(rows)
    if sys.byteorder == "big":
        steps.byteswap()
    return array(typecode, accumulate(steps))


def read_prelude(packed: bytes, where: str) -> Prelude:
    """Read the start of a packed table; `BundleError` when it is none."""
    if len(packed) < PRELUDE_SIZE or not packed.startswith(_MAGIC):
        raise BundleError(f"{where}: expected a country table that begins {_MAGIC!r}")
    return Prelude(*_PRELUDE.unpack_from(packed))


def _inflate(packed: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """Decompress column by column; all at once would be as much memory again.

    Raises `zlib.error`, after the last column also when there is more than that.
    """
    stream = zlib.decompressobj()
    for size in sizes:
        column = b""
        if size:  # to zlib, 0 means no limit
            column = stream.decompress(packed, size)
            packed = stream.unconsumed_tail
        if len(column) != size:
            raise zlib.error("it ends too early")
        yield column
    if stream.decompress(packed, 1) or not stream.eof or stream.unused_data:
        raise zlib.error("it does not end where it should")


def unpack(packed: bytes, where: str, order: Order = sys.byteorder) -> bytes:
    """Unpack to what `CountryTable.from_buffer` uses on a machine of that byte order.

    Raises as `unpack_columns` does.
    """
    return write_columns(unpack_columns(packed, where), order)


def unpack_columns(packed: bytes, where: str) -> Columns:
    """Unpack for a table that this process alone uses: half the memory of `unpack`.

    Every row is checked. Raises `BundleError`, with `where` in front, for anything
    that `pack` did not make.
    """
    prelude = read_prelude(packed, where)
    n4, n6, n_fine = prelude.n4, prelude.n6, prelude.n_fine
    sizes = (2 * prelude.n_names, 4 * n4, n4, 8 * n6, n6, 16 * n_fine, n_fine)
    if prelude.unpacked != sum(sizes) or not all(sizes[:5]):
        raise BundleError(f"{where}: damaged, its counts do not fit its size")
    if prelude.unpacked > MOST_UNPACKED:
        raise BundleError(
            f"{where}: unpacks to {prelude.unpacked} bytes; "
            f"expected at most {MOST_UNPACKED}"
        )
    parts = _inflate(packed[PRELUDE_SIZE:], sizes)
    try:
        listed = next(parts).decode("ascii")
        columns = Columns(
            _starts("I", next(parts)),
            next(parts),
            _starts("Q", next(parts)),
            next(parts),
            next(parts),
            next(parts),
            (None, *(listed[i : i + 2] for i in range(2, len(listed), 2))),
            prelude.source.rstrip(b"\0").decode("ascii"),
            prelude.date.rstrip(b"\0").decode("ascii"),
            prelude.key,
        )
        next(parts, None)
        columns.check()
    except (zlib.error, OverflowError, UnicodeDecodeError) as error:
        raise BundleError(f"{where}: damaged: {error}") from error
    except BundleError as error:
        raise BundleError(f"{where}: {error}") from error
    return columns
