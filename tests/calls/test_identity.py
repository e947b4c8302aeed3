"""Keys are the same for what belongs together, quick or slow as it is written."""

import pytest
from builders import sip
from hypothesis import given
from hypothesis import strategies as st
from ringfence.calls.identity import (
    asker,
    caller_key,
    dialog_key,
    path_key,
    sequence,
    tag,
)
from ringfence.sip.message import Message


def message(**fields: str | None) -> Message:
    return Message(
        sip("INVITE", fields={name.title(): one for name, one in fields.items()})
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("<sip:a@b>;tag=x", b"x"),
        ("<sip:a@b>;tag=x;y=z", b"x"),
        ("<sip:a@b> ; tag = x", b"x"),
        ("<sip:a@b>;TAG=x", b"x"),
        ("<sip:a@b>;y=z;tag=x", b"x"),
        ("<sip:a@b;tag=no>", b""),
        ("<sip:a@b;tag=no>;tag=x ", b"x"),
        ('"<sip:n@o>;tag=no" <sip:a@b>;tag=x', b"x"),
        ('"A <b>" <sip:a@b>', b""),
        ('<sip:a@b>;y=">;tag=no";tag=x', b"x"),
        ("sip:a@b;tag=x", b"x"),
        ("sip:a;tag=no@b;tag=x", b"x"),
        ("sip:a@b", b""),
        ("", b""),
        (">", b""),
    ],
)
def test_tags(value: str, found: bytes) -> None:
    assert tag(message(**{"from": value}), "from") == found


def test_a_message_without_anything() -> None:
    bare = Message(b"INVITE sip:a@b SIP/2.0\r\n\r\n")
    assert asker(bare) == (b"", b"")
    assert sequence(bare) == (b"", b"")
    half = Message(b"INVITE sip:a@b SIP/2.0\r\nCSeq: 7\r\n\r\n")
    assert sequence(half) == (b"7", b"")
    assert path_key(asker(bare), bare, b"", b"", b"") > 0
    assert dialog_key(asker(bare), bare) > 0


PIECES = st.lists(
    st.sampled_from(
        [
            '"',
            "<",
            ">",
            ";",
            "tag=",
            "branch=",
            "z9hG4bK",
            "x",
            "y",
            " ",
            ",",
            "=",
            "@",
            "sip:",
            ";tag=",
            ";branch=z9hG4bK",
            ">;tag=",
            "\\",
            "T",
            "TAG",
        ]
    ),
    max_size=14,
).map("".join)


@given(PIECES)
def test_the_quick_way_finds_the_tag_that_the_slow_one_does(value: str) -> None:
    found = message(**{"from": value})
    address = found.name_addr("from")
    assert address is not None
    assert tag(found, "from") == address.tag.encode()


@given(PIECES, PIECES)
def test_the_quick_way_tells_branches_as_the_slow_one_does(
    one: str, other: str
) -> None:
    mine, theirs = (message(via=f"SIP/2.0/UDP h{value}") for value in (one, other))
    cut = [found.branch.removeprefix("z9hG4bK") for found in (mine, theirs)]
    keys = [path_key((b"", b""), found, b"1", b"", b"") for found in (mine, theirs)]
    assert (keys[0] == keys[1]) == (cut[0] == cut[1])


def test_a_dialog_is_the_same_from_both_ends() -> None:
    there = message(**{"from": "<sip:a@b>;tag=1", "to": "<sip:c@d>;tag=2"})
    back = message(**{"to": "<sip:a@b>;tag=1", "from": "<sip:c@d>;tag=2"})
    other = message(**{"from": "<sip:a@b>;tag=1", "to": "<sip:c@d>;tag=3"})
    keys = [dialog_key(asker(one), one) for one in (there, back, other)]
    assert keys[0] == keys[1] != keys[2]


def test_what_makes_a_path_another_one() -> None:
    one = message(via="SIP/2.0/UDP h;branch=z9hG4bK1")
    changed = message(via="SIP/2.0/UDP h;branch=z9hG4bK2")
    whose = asker(one)
    keys = {
        path_key(whose, one, b"1", b"c", b"s"),
        path_key(whose, changed, b"1", b"c", b"s"),
        path_key(whose, one, b"2", b"c", b"s"),
        path_key(whose, one, b"1", b"x", b"s"),
        path_key(whose, one, b"1", b"c", b"x"),
        path_key((b"x", whose[1]), one, b"1", b"c", b"s"),
        path_key((whose[0], b"x"), one, b"1", b"c", b"s"),
    }
    assert len(keys) == 7
    assert caller_key(whose, b"c") != caller_key(whose, b"s")
    assert all(0 <= key < 1 << 60 for key in keys)
