"""Where digest authentication carries its nonces, and which they are.

RFC 7616 section 3.3 and 3.4. Read leniently, as far as the quotation marks: a nonce is
only ever compared with itself.
"""

import re
from typing import Final

from ringfence.sip.message import Message

CHALLENGES: Final = ("www-authenticate", "proxy-authenticate")
CREDENTIALS: Final = ("authorization", "proxy-authorization")

MAX_LENGTH: Final = 512
"""Bytes of a nonce; registrars send a tenth of it."""

_NONCE: Final = re.compile(
    rb"(?<![a-z])nonce\s*=\s*\"?([^\",\s]{1,%d})" % MAX_LENGTH, re.IGNORECASE
)


def nonces(message: Message, fields: tuple[str, ...]) -> list[bytes]:
    """Return the nonces in `CHALLENGES` or `CREDENTIALS` of a message, in order."""
    found: list[bytes] = []
    for name in fields:
        for value in message.raw_values(name):
            found += _NONCE.findall(value)
    return found
