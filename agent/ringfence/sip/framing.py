"""Messages off a byte stream (RFC 3261 section 18.3).

On TCP a message ends where its Content-Length says; without one the body is taken as
empty. Knows nothing of TCP: it is given bytes in order and says how many it used.

Receivers differ in what they do with bytes that are no message: pjsip and chan_sip
go on behind the next blank line, others close. So whatever stands in a stream, the
next line that is a SIP start-line is read, and no bytes hide those behind them.
"""

import re
from typing import Final, NamedTuple

from ringfence.errors import Malformed
from ringfence.sip.message import Message
from ringfence.sip.startline import (
    BEGINS,
    BLANKS,
    MAX_HEAD,
    first_line,
    looks_like_sip,
    read_start_line,
)

MAX_BODY: Final = 32_768
"""Body bytes waited for before a message is judged; a larger body is passed over."""

_BLANK = re.compile(b"[%s]*" % re.escape(BLANKS))
_NEXT_LINE = re.compile(b"[\r\n][ \t]{0,64}(?=%s)" % BEGINS)


class Framed(NamedTuple):
    """The next message of a stream, or why there is none yet."""

    message: Message | None
    used: int
    """Bytes to take off the stream."""
    skip: int
    """Body bytes still to come that nobody needs."""


def next_message(data: bytes | bytearray, *, cut: bool = False) -> Framed:
    """Read the first message in `data`.

    `message` is None while it is incomplete, or when there is none. `cut` says that
    what followed `data` is lost: a message whose head is there is not waited for.
    Other bytes in front of a message leave the anomaly `sip.stray-bytes` on it.
    Raises `Malformed` as `read_start_line` does when a head cannot be read and
    nothing behind it begins like SIP.
    """
    start = first = _blank_end(data, 0)
    unreadable: Malformed | None = None
    while start < len(data):
        window = _first_lines(data, start)
        line, following = first_line(window)
        if not (0 <= following < len(window) or len(window) == MAX_HEAD or cut):
            # A line that is not whole, or may yet be continued. An unreadable one
            # before it is reported when nothing can come of this.
            if unreadable is not None and start - first < MAX_HEAD:
                return Framed(None, first, 0)
            return Framed(None, start, 0)
        if looks_like_sip(window):
            try:
                read_start_line(line, cut=len(line) == MAX_HEAD)
            except Malformed as error:
                unreadable = error
            else:
                return _framed(data, start, stray=start > first, cut=cut)
        start = _next_candidate(data, start)
        if start < 0:
            break
    if unreadable is not None:
        raise unreadable
    return Framed(None, len(data), 0)


def _first_lines(data: bytes | bytearray, start: int) -> bytes:
    """As much of a message as shows its start-line, and that nothing continues it."""
    end = data.find(b"\n", start, start + MAX_HEAD)
    if end < 0 or data[end + 1 : end + 2] in (b" ", b"\t"):
        end = start + MAX_HEAD
    return bytes(data[start : min(end + 2, start + MAX_HEAD)])


def _next_candidate(data: bytes | bytearray, start: int) -> int:
    """Where the next line starts that may be a start-line or become one, or -1."""
    found = _NEXT_LINE.search(data, start)
    if found is not None:
        return found.end()
    last = _blank_end(data, max(data.rfind(b"\n", start), data.rfind(b"\r", start)))
    return last if start < last < len(data) else -1


def _framed(data: bytes | bytearray, start: int, *, stray: bool, cut: bool) -> Framed:
    """Read the message whose start-line is at `start`, once all of it is there."""
    window = bytes(data[start : start + MAX_HEAD])
    end = _head_end(window)
    if end < 0 and len(window) < MAX_HEAD and not cut:
        return Framed(None, start, 0)
    message = Message(window if end < 0 else window[:end])
    if end < 0:  # as much of the head as we read, or all there is
        if len(window) == MAX_HEAD:
            message.anomaly = "sip.head-too-long"
        return Framed(message, start + len(window), 0)
    if stray:
        message.flag("sip.stray-bytes")
    body = message.content_length or 0
    if body < 0:
        # Nobody knows how long it is: what follows is looked through for messages.
        message.flag("sip.content-length")
        body = 0
    missing = start + end + body - len(data)
    if missing > 0 and body <= MAX_BODY and not cut:
        return Framed(None, start, 0)
    message.raw = bytes(data[start : start + end + body])
    return Framed(message, start + len(message.raw), max(missing, 0))


def _blank_end(data: bytes | bytearray, start: int) -> int:
    """Index of the first byte from `start` on that is not blank.

    Blank lines between messages keep a connection alive (RFC 5626 section 3.5.1).
    """
    found = _BLANK.match(data, start)
    return start if found is None else found.end()


def _head_end(window: bytes) -> int:
    """Index behind the blank line that ends the head, or -1."""
    end = window.find(b"\n\r\n")
    bare = window.find(b"\n\n", 0, end + 1 if end >= 0 else len(window))
    if bare >= 0:
        return bare + 2
    return end + 3 if end >= 0 else -1
