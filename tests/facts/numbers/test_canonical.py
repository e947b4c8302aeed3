"""How numbers can be written, and what is left of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.facts.numbers.canonical import (
    MAX_DECODES,
    MAX_DIGITS,
    MAX_PARAMS,
    MAX_TEXT,
    Dialled,
    canonical,
    context_digits,
    percent_decode,
)

SPELLINGS = {
    "0312345678": "0312345678",
    "03-1234-5678": "0312345678",
    " (03) 1234.5678\t": "0312345678",
    "03/1234/5678": "0312345678",
    "03\u30fb1234\u30fb5678": "0312345678",
    "\uff0803\uff091234\u30105678\u3011": "0312345678",
    "\u202a0312345678\u202c": "0312345678",
    "\ufeff0312345678": "0312345678",
    "0\u20e33\u20e3-1\ufe0f2345678": "0312345678",
    "\uff10\uff13\uff0d\uff11\uff12\uff13\uff14\uff0d\uff15\uff16\uff17\uff18": (
        "0312345678"
    ),
    "\u06f0\u06f3\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8": "0312345678",
    "\U0001d7ce\U0001d7d1": "03",  # bold mathematical digits
    "\u2070\u00b3\u00b9\u2082": "0312",
    "\u3007\u4e09\u4e00\u4e8c": "0312",
    "+81-3-1234-5678": "+81312345678",
    "\uff0b81": "+81",
    "+++81": "+81",
    "%2B81": "+81",
    "%252B81": "+81",
    "#7119": "#7119",
    "%237119": "#7119",
    "\uff037119": "#7119",
    "#7119#": "#7119",
    "119#": "119",
    "*8": "*8",
    "**": "**",
    "03,99": "03",
    "03w1": "03",
    "03P1#,2": "03",
    "03x12": "03",
    "03;isub=1;postd=99": "03",
    "03%3Bisub=1": "03",
    "03@example.com": "03",
    "03\uff201": "03",
}


@pytest.mark.parametrize("text", SPELLINGS, ids=ascii)
def test_spellings(text: str) -> None:
    assert canonical(text).digits == SPELLINGS[text]


@pytest.mark.parametrize("text", ["", "alice", "+", "-", "a1", "1a", "03x12b", ",1"])
def test_no_number(text: str) -> None:
    assert canonical(text).digits == ""


def test_what_was_written_is_kept_for_people() -> None:
    assert canonical("%61lice").text == "alice"
    assert canonical("a" * 100).text == "a" * MAX_DIGITS


def test_letters_and_pauses_leave_the_digits_scattered() -> None:
    assert canonical("a01b02").scattered == "0102"
    assert canonical("+a01").scattered == "+01"
    assert canonical("010x232").digits == "010"
    assert canonical("010x232").scattered == "010232"
    assert canonical("0312345678").scattered == ""


def test_a_plus_that_is_not_in_front() -> None:
    dialled = canonical("0+232-76")
    assert (dialled.digits, dialled.inner_global) == ("023276", "23276")
    assert canonical("1+2+3").inner_global == "3"


def test_parameters_that_say_where_the_call_goes() -> None:
    dialled = canonical("76;Phone-Context=+81-3;rn=+232;isub=1;cic=+1-0288;npdi")
    assert dialled.digits == "76"
    assert dialled.contexts == ("813",)
    assert dialled.routing == "+232"
    assert canonical("76;phone-context=example.com").contexts == ()


def test_parameters_are_bounded() -> None:
    filler = ";a=1"
    near = "1" + filler * (MAX_PARAMS - 1) + ";phone-context=+232"
    far = "1" + filler * MAX_PARAMS + ";phone-context=+232"
    assert canonical(near).contexts == ("232",)
    assert canonical(far).contexts == ()


def test_context_digits() -> None:
    assert context_digits("+81") == "81"
    assert context_digits("+81-(3)") == "813"
    assert context_digits("example.com") == ""
    assert context_digits("+") == ""
    assert len(context_digits("1" * 1000)) == MAX_DIGITS


def test_percent_decoding_is_nested_and_bounded() -> None:
    text = "1"
    for _ in range(MAX_DECODES):
        text = "".join(f"%{ord(char):02X}" for char in text[:3]) + text[3:]
    assert percent_decode(text) == "1"
    deep = "%" + "25" * MAX_DECODES + "31"
    assert percent_decode(deep) == "%31"
    assert percent_decode("%" + "25" * (MAX_DECODES - 1) + "31") == "1"


def test_percent_signs_that_start_no_escape_stay() -> None:
    for text in ("%", "%%", "%2", "%zz", "%-1", "1%"):
        assert percent_decode(text) == text
    assert percent_decode("%ff") == "\ufffd"
    assert percent_decode("%E5%8F%B7") == "\u53f7"


def test_digits_and_text_are_bounded() -> None:
    assert canonical("1" * MAX_DIGITS) == Dialled("1" * MAX_DIGITS, "1" * MAX_DIGITS)
    over = canonical("1" * (MAX_DIGITS + 1))
    assert over.digits == "1" * MAX_DIGITS
    assert over.overlong
    assert not canonical("-" * (MAX_TEXT - 1) + "1").overlong
    assert canonical("-" * MAX_TEXT + "1").overlong


@given(st.text())
def test_any_text_is_made_plain(text: str) -> None:
    dialled = canonical(text)
    assert set(dialled.digits) <= set("0123456789*#+")
    assert "+" not in dialled.digits[1:]
    assert len(dialled.digits) <= MAX_DIGITS + 1
    assert set(dialled.scattered) <= set("0123456789+")
    assert set(dialled.inner_global) <= set("0123456789")


@given(st.text(alphabet="0123456789", min_size=1, max_size=20))
def test_encoding_changes_nothing(digits: str) -> None:
    encoded = "".join(f"%{ord(digit):x}" for digit in digits)
    assert canonical(encoded).digits == digits
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in digits)
    assert canonical(wide).digits == digits
