"""Messages off a byte stream (RFC 3261 section 18.3).

On TCP a message ends where its Content-Length says; without one the body is taken as
empty. Knows nothing of TCP: it is given bytes in order and says how many it used.
"""

from typing import Final, NamedTuple

from ringfence.errors import Malformed
from ringfence.sip.message import MAX_HEAD, Message, looks_like_sip

MAX_BODY: Final = 32_768
"""Body bytes waited for before a message is judged; a larger body is passed over."""


class Framed(NamedTuple):
    """The next message of a stream, or why there is none yet."""

    message: Message | None
    used: int
    """Bytes to take off the stream."""
    skip: int
    """Body bytes still to come that nobody needs."""


def next_message(data: bytes | bytearray) -> Framed:
    """Read the message that `data` begins with.

    `message` is None while it is incomplete. Raises `Malformed`:
    `sip.not-sip` when the first line is no SIP start-line, `sip.head-too-long` when
    no blank line comes within `MAX_HEAD`, `sip.start-line` and its like when the
    head cannot be read.
    """
    start = 0
    while start < len(data) and data[start] in b"\r\n":
        start += 1
    if start == len(data):
        return Framed(None, start, 0)  # keep-alive (RFC 5626 section 3.5.1)
    window = bytes(data[start : start + MAX_HEAD])
    end = _head_end(window)
    if end < 0:
        if b"\n" in window and not looks_like_sip(window):
            raise Malformed("sip.not-sip")
        if len(window) == MAX_HEAD:
            raise Malformed("sip.head-too-long")
        return Framed(None, start, 0)
    if not looks_like_sip(window):
        raise Malformed("sip.not-sip")
    message = Message(window[:end])
    claimed = message.content_length
    body = 0 if claimed is None else claimed
    if body < 0:
        message.anomaly = "sip.content-length"
        body = 0
    held = len(data) - start - end
    if held >= body:
        whole = bytes(data[start : start + end + body])
        message.raw = whole
        return Framed(message, start + end + body, 0)
    if body > MAX_BODY:
        return Framed(message, len(data), body - held)
    return Framed(None, start, 0)


def _head_end(window: bytes) -> int:
    """Index behind the blank line that ends the head, or -1."""
    end = window.find(b"\n\r\n")
    bare = window.find(b"\n\n", 0, end + 1 if end >= 0 else len(window))
    if bare >= 0:
        return bare + 2
    return end + 3 if end >= 0 else -1
