"""The packed form of a country table."""

import sys
import zlib
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.bundle import packed
from ringfence.bundle.packed import MOST_UNPACKED, PRELUDE_SIZE, pack, unpack
from ringfence.errors import BundleError
from ringfence.facts.columns import DATE_BYTES, SOURCE_BYTES, Order, write_columns
from ringfence.facts.country import CountryTable

SMALL = CountryTable.build(
    [(0x01000000, 0x010000FF, "JP"), (0x08080800, 0x080808FF, "US")],
    [
        (0x2400 << 112, (0x2400 << 112) + 0xF, "JP"),
        ((0x2400 << 112) + 0x10, (0x2401 << 112) - 1, "NL"),
    ],
    "made-up 1.0",
    "2026-06-25",
)
PACKED = pack(SMALL.columns)


def test_packing_and_unpacking_gives_the_same_table() -> None:
    found = CountryTable.from_buffer(unpack(PACKED, "x")).columns
    assert list(found.starts4) == list(SMALL.columns.starts4)
    assert list(found.codes4) == list(SMALL.columns.codes4)
    assert list(found.starts6) == list(SMALL.columns.starts6)
    assert list(found.codes6) == list(SMALL.columns.codes6)
    assert bytes(found.fine_starts) == bytes(SMALL.columns.fine_starts)
    assert list(found.fine_codes) == list(SMALL.columns.fine_codes)
    assert found[6:9] == SMALL.columns[6:9]
    assert found.key == PACKED[8:24]


def test_packing_is_deterministic_and_the_key_follows_the_content() -> None:
    assert pack(SMALL.columns) == PACKED
    other = pack(SMALL.columns._replace(date="2026-06-26"))
    assert other[8:24] != PACKED[8:24]


@pytest.mark.parametrize("order", get_args(Order))
def test_unpacking_for_either_byte_order(order: Order) -> None:
    found = CountryTable.from_buffer(unpack(PACKED, "x")).columns
    assert unpack(PACKED, "x", order) == write_columns(found, order)


def test_on_a_big_endian_machine_columns_are_swapped_on_the_way_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # All the same numbers, with every array holding them the other way round: what
    # is seen on a machine of the other order, less the processor's own reading.
    planes = packed._planes("I", SMALL.columns.starts4)
    mine = packed._starts("I", planes)
    other = "big" if sys.byteorder == "little" else "little"
    monkeypatch.setattr(sys, "byteorder", other)
    steps = packed._starts("I", planes)
    assert steps[0] == mine[0] == 0
    assert steps[1].to_bytes(4, "little") == mine[1].to_bytes(4, "big")
    assert steps[1] != mine[1]


def test_any_truncation_of_a_packed_table_is_refused() -> None:
    for length in range(len(PACKED)):
        with pytest.raises(BundleError, match=r"^x: "):
            unpack(PACKED[:length], "x")
    with pytest.raises(BundleError, match="does not end where it should"):
        unpack(PACKED + b"\0", "x")


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_a_changed_packed_table_is_refused_or_names_another_origin(
    at: int, flip: int
) -> None:
    broken = bytearray(PACKED)
    broken[at] ^= flip
    try:
        unpacked = unpack(bytes(broken), "x")
    except BundleError:
        return
    if at < PRELUDE_SIZE:  # key, source and date have no check sum
        assert 8 <= at < 24 or at >= 44
        found = CountryTable.from_buffer(unpacked).columns
        assert list(found.starts4) == list(SMALL.columns.starts4)
        assert list(found.codes6) == list(SMALL.columns.codes6)
    else:  # a few bits of a zlib stream mean nothing
        assert unpacked == unpack(PACKED, "x")


def forged(body: bytes, *counts: int) -> bytes:
    """A packed table with a sound prelude and check sum, whatever it says."""
    prelude = bytearray(PACKED[:PRELUDE_SIZE])
    for at, count in enumerate([*counts, len(body)]):
        prelude[24 + 4 * at : 28 + 4 * at] = count.to_bytes(4, "little")
    return bytes(prelude) + zlib.compress(body)


@pytest.mark.parametrize(
    ("body", "counts", "message"),
    [
        # names, IPv4 steps, codes, IPv6 steps, codes
        (b"--" + bytes(4) + b"\0" + bytes(8) + b"\0", (1, 1, 0, 1), None),
        (b"--" + bytes(4) + b"\0" + bytes(8) + b"\0", (2, 1, 0, 1), "counts"),
        (bytes(4) + b"\0" + bytes(8) + b"\0", (1, 1, 0, 0), "counts"),
        (b"--" + bytes(4) + b"\1" + bytes(8) + b"\0", (1, 1, 0, 1), "does not list"),
        (b"--\1\0\0\0\0" + bytes(8) + b"\0", (1, 1, 0, 1), "ascending"),
        (b"--" + bytes(10) + bytes(8) + b"\0", (2, 1, 0, 1), "ascending"),
        # planes of [0, 2**32 - 1, 2**32 - 1]: the third start does not fit
        (
            b"--" + b"\0\xff\xff" * 4 + bytes(3) + bytes(8) + b"\0",
            (3, 1, 0, 1),
            "damaged",
        ),
        (b"\xff-" + bytes(4) + b"\0" + bytes(8) + b"\0", (1, 1, 0, 1), "damaged"),
        (b"--" + bytes(4) + b"\0" + bytes(8) + b"\xff", (1, 1, 0, 1), "no ranges"),
    ],
)
def test_a_sound_file_with_bad_rows_is_refused(
    body: bytes, counts: tuple[int, ...], message: str | None
) -> None:
    if message is None:
        assert CountryTable.from_buffer(unpack(forged(body, *counts), "x"))
        return
    with pytest.raises(BundleError, match=message):
        unpack(forged(body, *counts), "x")


def test_the_size_a_table_may_claim_is_bounded() -> None:
    def claiming(size: int) -> bytes:
        # 5 bytes an IPv4 row; one IPv6 row and one name take 11.
        n4 = (size - 11) // 5
        prelude = bytearray(PACKED[:PRELUDE_SIZE])
        for at, count in enumerate((n4, 1, 0, 1, 11 + 5 * n4)):
            prelude[24 + 4 * at : 28 + 4 * at] = count.to_bytes(4, "little")
        return bytes(prelude) + zlib.compress(b"")

    with pytest.raises(BundleError, match="ends too early"):
        unpack(claiming(MOST_UNPACKED), "x")
    with pytest.raises(BundleError, match=f"expected at most {MOST_UNPACKED}"):
        unpack(claiming(MOST_UNPACKED + 5), "x")


def test_a_source_that_does_not_fit_is_refused() -> None:
    fits = SMALL.columns._replace(source="s" * SOURCE_BYTES, date="d" * DATE_BYTES)
    assert CountryTable.from_buffer(unpack(pack(fits), "x")).source == fits.source
    for too_long in (
        fits._replace(source="s" * (SOURCE_BYTES + 1)),
        fits._replace(date="d" * (DATE_BYTES + 1)),
    ):
        with pytest.raises(BundleError, match="at most 40 and 12 characters"):
            pack(too_long)
