"""The first line of a message, and how to tell SIP from all else (RFC 3261 section 7).

Knows Request-Line and Status-Line. Receivers take more than the grammar allows, and
a request that one of them answers must not pass here as something else: pjsip skips
blanks around every token, folds included, and needs none before the version;
chan_sip takes any control character for a blank; some take a method in lower case.
All that is read. It must not look at header fields.
"""

import re
from typing import Final

from ringfence.errors import Malformed

MAX_HEAD: Final = 16_384
"""Bytes of start-line and header fields that are read. Real ones stay under 4 KiB;
Kamailio takes 64 KiB, so what lies beyond is flagged, not trusted."""

MAX_START_LINE: Final = 2_048
"""Bytes of a start-line that is not flagged; Asterisk's own limit for a Request-URI
is 512."""

MAX_FOLDS: Final = 16
"""Continuation lines of a start-line that are read. There is no honest one."""

BLANKS: Final = bytes(range(0x21))
"""What may stand in front of a message or between its tokens: chan_sip's choice."""

_TO_SPACE = bytes(32 if byte in BLANKS else byte for byte in range(256))
_TOKEN = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"
)
_METHODS: Final = {
    name.encode(): name
    for name in (
        *("REGISTER", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK", "UPDATE"),
        *("SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER", "MESSAGE"),
    )
}

BEGINS: Final = (
    rb"(?:[Ss][Ii][Pp][\x00-\x20]{0,64}/|"
    rb"[-.!%*_+`'~0-9A-Za-z]{1,32}[\x00-\x20]{1,64}<?"
    rb"[A-Za-z][-+.0-9A-Za-z]{0,31}[\x00-\x20]{0,8}:)"
)
"""Pattern of a line that begins as a start-line does; its end may be on its way, or
cut off. Bounded in every part, so that a search for it stays linear."""

_BEGINS = re.compile(BEGINS)


StartLine = tuple[str | None, str | None, int | None, str | None, bytes]
"""Method (known ones in upper case), Request-URI, status (100 to 999), reason phrase,
version: a request has the first two, a response the other two. The version is in
upper case and without blanks, b"" when the line was cut before it. (A plain tuple, as
one is made for each message.)"""


def looks_like_sip(payload: bytes) -> bool:
    """Tell in a glance whether a payload's first line is a SIP start-line.

    HTTP, SSDP, STUN, RTP and keep-alives answer False. A line whose end is missing
    (overlong, or cut by the capture) answers True if it begins as a request does.
    """
    if payload[:1] <= b" ":
        payload = payload.lstrip(BLANKS)
    if payload[:8] == b"SIP/2.0 ":
        return True
    end = payload.find(b"\n", 0, MAX_HEAD)
    if end > 9 and payload[end - 9 : end] == b" SIP/2.0\r" and payload[0] in _TOKEN:
        return True  # as most are
    if not payload or payload[0] not in _TOKEN:
        return False
    line, following = first_line(payload)
    if _fields(line) is not None:
        return True
    return following < 0 and _BEGINS.match(line) is not None


def first_line(data: bytes) -> tuple[bytes, int]:
    """Return the first line without its end, and where the next one starts.

    That is -1 while no line ends within `MAX_HEAD`. Lines that a blank continues are
    joined if, and only if, the first alone is no start-line: pjsip unfolds even there.
    """
    end, following = _line_end(data, 0)
    for _ in range(MAX_FOLDS):
        if end < 0 or data[following : following + 1] not in (b" ", b"\t"):
            break
        if _fields(data[:end]) is not None:
            break
        end, following = _line_end(data, following)
    return data[: end if end >= 0 else MAX_HEAD], following


def _line_end(data: bytes, start: int) -> tuple[int, int]:
    """Where the line ends and the next one starts, or -1 twice.

    CR alone ends a line for pjsip.
    """
    end = data.find(b"\n", start, MAX_HEAD)
    lone = data.find(b"\r", start, end if end >= 0 else MAX_HEAD)
    if lone < 0:
        return end, end + 1 if end >= 0 else -1
    return lone, lone + (2 if lone + 1 == end else 1)


def _fields(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Split a line into (method, Request-URI, version) or (version, status, phrase).

    Both versions come back in upper case without blanks. None: no start-line.
    """
    method, _, rest = line.partition(b" ")
    uri, _, version = rest.rpartition(b" ")
    if version == b"SIP/2.0" and method.isalpha():
        return method, uri, version
    if method == b"SIP/2.0" and rest[3:4] == b" ":
        return method, rest[:3], rest[4:]
    line = line.translate(_TO_SPACE).strip()
    upper = line.upper()
    if upper.startswith(b"SIP") and upper[3:].lstrip().startswith(b"/"):
        words = line[upper.index(b"/") + 1 :].split(None, 2)
        words += [b""] * (3 - len(words))
        return b"SIP/" + words[0].upper(), words[1], words[2]
    method, _, rest = line.partition(b" ")
    at = upper.rfind(b"SIP", len(method))
    if at < 0:
        return None
    slash, number = upper[at + 3 :].strip()[:1], upper[at + 3 :].strip()[1:].strip()
    # "GET /sip/2.0/ HTTP/1.1" is none: a version is the last word of its line.
    if slash != b"/" or b" " in number or (upper[at - 1] != 32 and number != b"2.0"):
        return None
    return method, line[len(method) : at], b"SIP/" + number


def read_start_line(line: bytes, *, cut: bool = False) -> StartLine:
    """Read one line, without its end.

    `cut`: the line is longer than we read, so its version need not be there. Raises
    `Malformed`: sip.start-line, sip.method, sip.request-uri.
    """
    fields = _fields(line)
    if fields is None:
        if not cut:
            raise Malformed("sip.start-line")
        word, _, rest = line.translate(_TO_SPACE).partition(b" ")
        fields = word, rest, b""
    first, second, third = fields
    if first.startswith(b"SIP/"):
        if len(second) != 3 or not second.isdigit() or second < b"100":
            raise Malformed("sip.start-line")
        return None, None, int(second), third.decode("utf-8", "replace"), first
    method = _METHODS.get(first)
    if method is None:
        if not first or not _TOKEN.issuperset(first):
            raise Malformed("sip.method")
        # Case is significant (RFC 3261 section 7.1), but receivers exist that
        # answer `invite`; nothing honest depends on the difference.
        method = _METHODS.get(first.upper()) or first.decode("ascii")
    uri = second.strip(BLANKS)
    if not uri:
        raise Malformed("sip.request-uri")
    return method, uri.decode("utf-8", "replace"), None, None, third
