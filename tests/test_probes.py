"""Test messages are known by their tokens, for a few seconds, and by nothing else."""

import pytest
from ringfence.probes import MOST, WINDOW, Probes

TOKENS = ["0123456789abcdef" * 2, "f" * 32]
MESSAGE = b"INVITE sip:a@b SIP/2.0\r\nCall-ID: " + TOKENS[0].encode() + b"\r\n\r\n"


def test_nothing_is_a_test_message_unless_it_is_expected() -> None:
    probes = Probes()
    assert not probes.expecting
    assert not probes.catches(MESSAGE, 1, 0.0)
    assert probes.caught == 0


def test_a_token_is_known_wherever_it_stands() -> None:
    probes = Probes()
    assert probes.expect(list(TOKENS), 10.0)
    assert probes.expecting
    assert not probes.catches(MESSAGE.replace(b"0123", b"0124"), 1, 10.0)
    assert probes.catches(MESSAGE, 7, 10.0)
    assert probes.seen(TOKENS) == {TOKENS[0]: 7}
    assert probes.seen([TOKENS[1], 5, None]) == {}
    assert probes.caught == 1


def test_a_token_counts_for_seconds_only() -> None:
    probes = Probes()
    probes.expect(list(TOKENS), 10.0)
    assert probes.catches(MESSAGE, 0, 10.0 + WINDOW)
    assert not probes.catches(MESSAGE, 0, 10.01 + WINDOW)
    assert not probes.expecting


def test_new_tokens_take_the_place_of_old_ones() -> None:
    probes = Probes()
    probes.expect([TOKENS[0]], 10.0)
    probes.catches(MESSAGE, 0, 10.0)
    probes.expect([TOKENS[1]], 11.0)
    assert not probes.catches(MESSAGE, 0, 11.0)
    assert probes.seen(TOKENS) == {}


@pytest.mark.parametrize(
    "tokens",
    [
        None,
        [],
        "0" * 32,
        ["0" * 31],
        ["0" * 33],
        ["G" * 32],
        ["F" * 32],
        [""],
        [7],
        [TOKENS[0], None],
        ["0" * 32] * (MOST + 1),
    ],
)
def test_anything_but_tokens_is_not_taken(tokens: object) -> None:
    """Above all not a short one, which a stranger's packet could hold by chance."""
    probes = Probes()
    assert not probes.expect(tokens, 0.0)
    assert not probes.expecting


def test_as_many_tokens_as_there_are_ways() -> None:
    assert Probes().expect(["0" * 32] * MOST, 0.0)
