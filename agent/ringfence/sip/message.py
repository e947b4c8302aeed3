"""One SIP message, read only as far as someone asks (RFC 3261 sections 7 and 20).

Knows start-lines, header field lines, compact names, folding and where the body
begins. It reads what a lenient receiver would accept, because a message that the
PBX understands and we do not is a way past us: LF alone or CR alone ends a line,
names come in any case, the blank line may be missing, the Content-Length may lie.
Such flaws are kept as `anomaly` and judged with the rest; only bytes without a SIP
start-line raise `Malformed`. It must not know who sent the message or what for.
"""

import re
from typing import Final

from ringfence.errors import Malformed
from ringfence.sip.address import NameAddr, parse_name_addr, split_values

MAX_HEAD: Final = 16_384
"""Bytes of start-line and header fields that are read. Real ones stay under 4 KiB;
Kamailio takes 64 KiB, so what lies beyond is flagged, not trusted."""

MAX_LINES: Final = 256
"""Header field lines that are read; RFC 4475 torture messages stay under 64."""

MAX_START_LINE: Final = 2_048
"""Bytes of a start-line; Asterisk's own limit for a Request-URI is 512."""

_LEADING = b"\r\n\t \0"
_FOLD = re.compile(rb"\r?\n[ \t]+")
_TOKEN = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"
)

# Long names in lower case to themselves, compact forms (RFC 3261 section 7.3.3 and
# the IANA registry) to their long name. Other fields are skipped unread.
_NAMES: Final[dict[bytes, str]] = {
    name.encode(): name
    for name in [
        "via",
        "from",
        "to",
        "call-id",
        "cseq",
        "contact",
        "user-agent",
        "server",
        "max-forwards",
        "expires",
        "authorization",
        "proxy-authorization",
        "www-authenticate",
        "proxy-authenticate",
        "content-length",
        "content-type",
        "diversion",
        "history-info",
        "refer-to",
        "p-asserted-identity",
        "route",
    ]
} | {
    b"v": "via",
    b"f": "from",
    b"t": "to",
    b"i": "call-id",
    b"m": "contact",
    b"l": "content-length",
    b"c": "content-type",
    b"r": "refer-to",
}
# As most senders write them, so that the common case needs no strip() and lower().
_SEEN: Final[dict[bytes, str]] = dict(_NAMES)
for _name in list(_NAMES):
    _SEEN[_name.title()] = _SEEN[_name.upper()] = _NAMES[_name]
_SEEN[b"Call-ID"] = "call-id"
_SEEN[b"CSeq"] = "cseq"
_SEEN[b"WWW-Authenticate"] = "www-authenticate"


def looks_like_sip(payload: bytes) -> bool:
    """Tell in a glance whether a payload's first line is a SIP start-line.

    RFC 3261 section 7.1: `Method SP Request-URI SP SIP-Version`, or a Status-Line
    that begins with the version. HTTP, SSDP, STUN and keep-alives answer False.
    """
    if payload[:1] in (b"\r", b"\n", b" ", b"\t", b"\0"):
        payload = payload.lstrip(_LEADING)
    if payload[:4].upper() == b"SIP/":
        return True
    line = payload[:MAX_START_LINE]
    for mark in (b"\n", b"\r"):
        end = line.find(mark)
        if end >= 0:
            line = line[:end]
    at = line.rfind(b" ", 0, len(line.rstrip()))
    if at > 0 and line[at + 1 : at + 5].upper() == b"SIP/":
        return True
    # A start-line longer than we read, or cut by the capture: its method must do.
    return len(line) == len(payload[:MAX_START_LINE]) and line[:9].upper().startswith(
        (b"INVITE SI", b"REGISTER ", b"INVITE TE")
    )


class Message:
    """A request or a response; attributes are text, decoded as UTF-8.

    Bytes that are not UTF-8 become U+FFFD (RFC 3261 section 7.3.1 prescribes UTF-8).
    """

    __slots__ = (
        "_fields",
        "anomaly",
        "body_start",
        "method",
        "more",
        "raw",
        "reason_phrase",
        "request_uri",
        "status",
    )

    def __init__(self, raw: bytes) -> None:
        """Read the start-line and index the header fields of one whole message.

        Raises `Malformed("sip.start-line")` when there is no SIP start-line.
        """
        self.raw = raw
        self.anomaly: str | None = None
        self.method: str | None = None
        """Upper case; None for a response."""
        self.request_uri: str | None = None
        self.status: int | None = None
        """100 to 999; None for a request."""
        self.reason_phrase: str | None = None
        self._fields: dict[str, bytes] = {}
        self.more: dict[str, list[bytes]] = {}
        """Second and later occurrences of a field."""

        start = 0
        if raw[:1] in (b"\r", b"\n", b" ", b"\t", b"\0"):
            start = len(raw) - len(raw.lstrip(_LEADING))
        head = self._head(raw, start)
        lines = head.split(b"\n")
        self._start_line(lines[0])
        self._index(lines)

    def _head(self, raw: bytes, start: int) -> bytes:
        """Cut out start-line and header fields; find where the body begins."""
        end = raw.find(b"\n\r\n", start, start + MAX_HEAD)
        size = 3
        bare = raw.find(b"\n\n", start, start + MAX_HEAD if end < 0 else end + 1)
        if bare >= 0:
            end, size = bare, 2
        if end < 0:
            lone = raw.find(b"\r\r", start, start + MAX_HEAD)
            if lone >= 0 and b"\n" not in raw[start:lone]:
                end, size = lone, 2
        if end >= 0:
            self.body_start = end + size
            head = raw[start:end]
        else:
            # RFC 3261 section 7 wants the blank line; Metasploit's enumerator sends
            # none, and several stacks answer it all the same.
            head = raw[start : start + MAX_HEAD]
            self.body_start = len(raw)
            self.anomaly = (
                "sip.head-too-long"
                if len(raw) - start > MAX_HEAD
                else "sip.no-blank-line"
            )
        if b"\r" in head:
            if head.count(b"\r") != head.count(b"\r\n"):
                # A CR alone ends a line for pjsip, and so it must for us.
                head = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            else:
                head = head.replace(b"\r\n", b"\n")
        if b"\n " in head or b"\n\t" in head:
            head = _FOLD.sub(b" ", head)
        return head

    def _start_line(self, line: bytes) -> None:
        line = line.rstrip()
        if len(line) > MAX_START_LINE:
            self.anomaly = "sip.start-line-too-long"
            line = line[:MAX_START_LINE] + b" SIP/2.0"
        if line[:4].upper() == b"SIP/":
            parts = line.split(None, 2)
            status = parts[1] if len(parts) > 1 else b""
            if len(status) != 3 or not status.isdigit():
                raise Malformed("sip.start-line")
            self.status = int(status)
            if len(parts) == 3:
                self.reason_phrase = parts[2].decode("utf-8", "replace")
            version = parts[0]
        else:
            method, _, rest = line.partition(b" ")
            uri, _, version = rest.rpartition(b" ")
            if version[:4].upper() != b"SIP/" or not method:
                raise Malformed("sip.start-line")
            if not _TOKEN.issuperset(method):
                raise Malformed("sip.method")
            uri = uri.strip()
            if not uri:
                raise Malformed("sip.request-uri")
            # Case is significant (RFC 3261 section 7.1), but receivers exist that
            # answer `invite`; nothing honest depends on the difference.
            self.method = method.decode("ascii").upper()
            self.request_uri = uri.decode("utf-8", "replace")
        if version.upper() != b"SIP/2.0" and self.anomaly is None:
            self.anomaly = "sip.version"

    def _index(self, lines: list[bytes]) -> None:
        fields = self._fields
        seen = _SEEN
        if len(lines) > MAX_LINES:
            del lines[MAX_LINES:]
            self.anomaly = "sip.too-many-lines"
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            known = seen.get(name)
            if known is None:
                known = _NAMES.get(name.strip().lower())
                if known is None or not colon:
                    continue
            if known in fields:
                self.more.setdefault(known, []).append(value)
            else:
                fields[known] = value

    def field(self, name: str) -> str | None:
        """Return the first field of that (long, lower-case) name, stripped."""
        value = self._fields.get(name)
        return None if value is None else value.strip().decode("utf-8", "replace")

    def values(self, name: str) -> list[str]:
        """Return every value of a list field (Via, Contact, …), in order.

        RFC 3261 section 7.3.1: fields of one name and comma-separated values on one
        line mean the same.
        """
        first = self._fields.get(name)
        if first is None:
            return []
        found = split_values(first.decode("utf-8", "replace"))
        for value in self.more.get(name, ()):
            found += split_values(value.decode("utf-8", "replace"))
        return found

    def name_addr(self, name: str) -> NameAddr | None:
        """Read From, To and their like: display name, URI, parameters."""
        value = self._fields.get(name)
        return (
            None if value is None else parse_name_addr(value.decode("utf-8", "replace"))
        )

    @property
    def call_id(self) -> str | None:
        """The Call-ID, whole."""
        return self.field("call-id")

    @property
    def cseq(self) -> tuple[str, str]:
        """CSeq as (sequence number, method), each "" when absent."""
        number, _, method = (self.field("cseq") or "").partition(" ")
        return number, method.strip()

    @property
    def content_length(self) -> int | None:
        """Content-Length in bytes; None when absent; -1 when it is no number."""
        value = self._fields.get("content-length")
        if value is None:
            return None
        value = value.strip()
        # More digits than a datagram could ever need would make int() slow.
        return int(value) if value.isdigit() and len(value) <= 9 else -1

    @property
    def auth_user(self) -> str | None:
        """The `username` of the first credentials (RFC 7616 section 3.4)."""
        for name in ("authorization", "proxy-authorization"):
            value = self._fields.get(name)
            if value is None:
                continue
            at = value.lower().find(b"username")
            if at < 0:
                continue
            text = value[at + 8 :].lstrip().removeprefix(b"=").lstrip()
            if text[:1] == b'"':
                text = text[1:].partition(b'"')[0]
            else:
                text = text.partition(b",")[0].strip()
            return text.decode("utf-8", "replace")
        return None

    def check_length(self, *, cut: bool) -> None:
        """Flag a Content-Length that a datagram cannot satisfy.

        RFC 3261 section 18.3: bytes past the length are discarded, so too many is
        no flaw; too few is one, unless the capture itself was cut.
        """
        claimed = self.content_length
        if claimed is None or self.anomaly is not None:
            return
        if claimed < 0 or (claimed > len(self.raw) - self.body_start and not cut):
            self.anomaly = "sip.content-length"
