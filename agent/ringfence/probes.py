"""Test messages by which `doctor` proves that packets reach the agent.

Knows tokens and how long they count; it must not know how a test message is sent. A
token is 128 bits drawn by chance, told over the control socket that only root may
speak to, and good for seconds: a stranger who wants his packet taken for a test
message has to guess it. All he would gain is that it is dropped.
"""

from collections.abc import Sequence
from typing import Final

TOKEN: Final = 32
"""Hex digits of a token."""

MOST: Final = 4
"""Tokens at once: one for each way through the ruleset, and one to spare."""

WINDOW: Final = 5.0
"""Seconds in which a token counts; a test message takes milliseconds."""

_HEX: Final = frozenset("0123456789abcdef")


class Probes:
    """The test messages that are expected, and those that came."""

    def __init__(self) -> None:
        """Expect none."""
        self.expecting = False
        """Looked at for each packet; almost always False."""
        self.caught = 0
        """Test messages that came, ever; no other counter knows them."""
        self._until = 0.0
        self._tokens: tuple[bytes, ...] = ()
        self._seen: dict[str, int] = {}

    def expect(self, tokens: object, mono: float) -> bool:
        """Take the tokens of test messages about to be sent; False for anything else.

        They take the place of earlier ones.
        """
        if (
            not isinstance(tokens, list)
            or not 0 < len(tokens) <= MOST
            or not all(map(_is_token, tokens))
        ):
            return False
        self._tokens = tuple(token.encode() for token in tokens)
        self._seen = {}
        self._until = mono + WINDOW
        self.expecting = True
        return True

    def catches(self, data: bytes, indev: int, mono: float) -> bool:
        """Tell whether a packet is a test message, and remember that it came.

        `indev` is the kernel's index of the interface it came in on, 0 for none.
        """
        if mono > self._until:
            self.expecting = False
            return False
        for token in self._tokens:
            if token in data:
                self.caught += 1
                self._seen[token.decode()] = indev
                return True
        return False

    def seen(self, tokens: Sequence[object]) -> dict[str, int]:
        """Return, of those tokens, the ones that came, with the interface's index."""
        return {token: indev for token, indev in self._seen.items() if token in tokens}


def _is_token(token: object) -> bool:
    return isinstance(token, str) and len(token) == TOKEN and _HEX.issuperset(token)
