"""The layout of a country table in memory."""

import struct
import sys
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.errors import BundleError
from ringfence.facts.columns import (
    DIVIDED,
    HEADER_SIZE,
    Columns,
    Order,
    divide,
    read_columns,
    write_columns,
)

COLUMNS = Columns(
    starts4=[0, 0x08080800, 0x08080900, 0xCACAE000],
    codes4=[0, 2, 0, 1],
    starts6=[0, 0x2400_0000_0000_0000, 0x2400_0000_0000_0001],
    codes6=[0, DIVIDED, 1],
    fine_starts=bytes.fromhex("24000000000000000000000000000000")
    + bytes.fromhex("24000000000000000000000000000010"),
    fine_codes=[2, 1],
    names=(None, "JP", "US"),
    source="made-up 1.0",
    date="2026-06-25",
    key=bytes(range(16)),
)


def test_a_table_reads_back_as_it_was_written() -> None:
    found = read_columns(write_columns(COLUMNS))
    assert list(found.starts4) == COLUMNS.starts4
    assert list(found.codes4) == COLUMNS.codes4
    assert list(found.starts6) == COLUMNS.starts6
    assert list(found.codes6) == COLUMNS.codes6
    assert bytes(found.fine_starts) == COLUMNS.fine_starts
    assert list(found.fine_codes) == COLUMNS.fine_codes
    assert found[6:] == COLUMNS[6:]
    found.check()


def test_reading_copies_no_rows() -> None:
    buffer = bytearray(write_columns(COLUMNS))
    found = read_columns(memoryview(buffer))
    for column in (found.starts4, found.starts6, found.codes4, found.fine_starts):
        assert isinstance(column, memoryview)
        assert column.obj is buffer


def test_a_machine_of_other_byte_order_writes_the_same_numbers_swapped() -> None:
    little, big = (write_columns(COLUMNS, order) for order in get_args(Order))
    assert len(little) == len(big)
    rows = f"{len(COLUMNS.starts6)}Q{len(COLUMNS.starts4)}I"
    assert struct.unpack_from("<" + rows, little, HEADER_SIZE) == struct.unpack_from(
        ">" + rows, big, HEADER_SIZE
    )
    after = HEADER_SIZE + struct.calcsize("<" + rows)
    assert little[after:] == big[after:]
    assert struct.unpack_from("<8I", little, 8)[0] == 0x01020304
    assert struct.unpack_from(">8I", big, 8)[0] == 0x01020304


def test_a_table_of_the_other_byte_order_is_refused() -> None:
    other: Order = "big" if sys.byteorder == "little" else "little"
    with pytest.raises(BundleError, match="other byte order"):
        read_columns(write_columns(COLUMNS, other))


def test_any_truncation_is_refused() -> None:
    whole = write_columns(COLUMNS)
    for length in range(len(whole)):
        with pytest.raises(BundleError):
            read_columns(whole[:length])
    with pytest.raises(BundleError, match="by its size"):
        read_columns(whole + b"\0")


def test_any_changed_byte_of_the_rows_is_refused() -> None:
    whole = write_columns(COLUMNS)
    for at in range(HEADER_SIZE, len(whole)):
        broken = bytearray(whole)
        broken[at] ^= 0x40
        with pytest.raises(BundleError, match="damaged"):
            read_columns(bytes(broken))


@given(st.integers(0, HEADER_SIZE - 1), st.integers(1, 255))
def test_a_changed_header_is_refused_or_changes_no_answer(at: int, flip: int) -> None:
    broken = bytearray(write_columns(COLUMNS))
    broken[at] ^= flip
    try:
        found = read_columns(bytes(broken))
    except BundleError:
        return
    # What is left: the key and the texts, which no lookup uses.
    assert at >= 40
    assert list(found.starts4) == COLUMNS.starts4
    assert list(found.codes6) == COLUMNS.codes6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"starts4": [1, 2, 3, 4]}, "ascending"),
        ({"starts4": [0, 9, 8, 10]}, "ascending"),
        ({"starts6": [0, 9, 8]}, "ascending"),
        ({"starts6": [5, 8, 9]}, "ascending"),
        ({"names": (), "codes4": [0] * 4}, "1 to 255 names"),
        ({"starts4": [], "codes4": []}, "expected ranges"),
    ],
)
def test_a_well_formed_buffer_with_bad_columns_is_refused(
    change: dict[str, object], message: str
) -> None:
    buffer = write_columns(COLUMNS._replace(**change))  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=message):
        read_columns(buffer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"starts4": [0, 5, 5, 6]}, "ascending"),
        ({"starts6": [0, 5, 5]}, "ascending"),
        ({"fine_starts": bytes(COLUMNS.fine_starts[16:]) * 2}, "ascending"),
        ({"codes4": [0, 3, 0, 0]}, "does not list"),
        ({"codes4": [0, DIVIDED, 0, 0]}, "does not list"),
        ({"codes6": [0, 3, 0]}, "does not list"),
        ({"fine_codes": [3, 0]}, "does not list"),
        ({"codes6": [DIVIDED, 0, 0]}, "has no ranges"),
        ({"codes6": [0, 0, DIVIDED]}, "has no ranges"),
    ],
)
def test_rows_out_of_order_do_not_pass_the_check(
    change: dict[str, object], message: str
) -> None:
    COLUMNS.check()
    with pytest.raises(BundleError, match=message):
        COLUMNS._replace(**change).check()  # type: ignore[arg-type]


HALF = 1 << 64
TOP = (1 << 128) - 1


@pytest.mark.parametrize(
    ("starts", "codes", "expected"),
    [
        # nothing is finer than a /64
        ([0, 4 * HALF, 9 * HALF], [0, 1, 0], ([0, 4, 9], [0, 1, 0], [], [])),
        # a change within a /64 that a range of whole /64s leads into
        (
            [0, 4 * HALF, 6 * HALF + 3, 9 * HALF],
            [0, 1, 2, 0],
            (
                [0, 4, 6, 7, 9],
                [0, 1, DIVIDED, 2, 0],
                [6 * HALF, 6 * HALF + 3],
                [1, 2],
            ),
        ),
        # the change comes in the first /64 of a range
        (
            [0, 4 * HALF, 4 * HALF + 1, 5 * HALF],
            [0, 1, 2, 0],
            ([0, 4, 5], [0, DIVIDED, 0], [4 * HALF, 4 * HALF + 1], [1, 2]),
        ),
        # what follows the last divided /64 is whole again
        (
            [0, 4 * HALF + 1],
            [0, 1],
            ([0, 4, 5], [0, DIVIDED, 1], [4 * HALF, 4 * HALF + 1], [0, 1]),
        ),
        # two divided /64s side by side, the last one at the very end
        (
            [0, TOP - HALF - 1, TOP],
            [0, 1, 2],
            (
                [0, HALF - 2, HALF - 1],
                [0, DIVIDED, DIVIDED],
                [TOP - 2 * HALF + 1, TOP - HALF - 1, TOP - HALF + 1, TOP],
                [0, 1, 1, 2],
            ),
        ),
    ],
)
def test_divided_blocks(
    starts: list[int],
    codes: list[int],
    expected: tuple[list[int], list[int], list[int], list[int]],
) -> None:
    upper, coarse, fine_starts, fine_codes = divide(starts, codes)
    fine = [
        int.from_bytes(fine_starts[at : at + 16])
        for at in range(0, len(fine_starts), 16)
    ]
    assert (upper, coarse, fine, fine_codes) == expected
