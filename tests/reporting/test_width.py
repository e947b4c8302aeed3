"""Cells of a terminal, compared with Unicode's own table."""

import unicodedata

import pytest
from ringfence.reporting.width import padded, shortened, width


def test_letters_that_people_write_are_as_wide_as_unicode_says() -> None:
    ranges = ((0x20, 0x7F), (0xA0, 0x250), (0x3041, 0x30FF), (0x4E00, 0x9FFF))
    more = ((0xAC00, 0xD7A3), (0xFF01, 0xFF60), (0x3000, 0x303F), (0xFF61, 0xFFDC))
    for first, last in (*ranges, *more):
        for code in range(first, last):
            wide = unicodedata.east_asian_width(chr(code)) in "WF"
            if unicodedata.category(chr(code)) not in ("Cn", "Mn"):
                assert width(chr(code)) == 1 + wide, hex(code)


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本", 4, "日本"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("ab cd", 4, "ab…"),
    ],
)
def test_shortened(text: str, most: int, short: str) -> None:
    assert shortened(text, most) == short
    assert width(short) <= most


def test_padded() -> None:
    assert padded("日", 4, right=False) == "日  "
    assert padded("日", 4, right=True) == "  日"
