"""One SIP message, read only as far as someone asks (RFC 3261 sections 7 and 20).

Knows header field lines, compact names, folding and where the body begins. It reads
what a lenient receiver would accept, because a message that the PBX understands and
we do not is a way past us: LF alone or CR alone ends a line, names come in any case,
the blank line may be missing, the Content-Length may lie. Such flaws are kept as
`anomaly` and judged with the rest; only bytes without a start-line raise `Malformed`.
It must not know who sent the message or what for.
"""

import re
from typing import Final

from ringfence.sip.address import (
    MAX_VALUES,
    NameAddr,
    credential,
    param,
    parse_name_addr,
    split_values,
)
from ringfence.sip.startline import (
    BLANKS,
    MAX_HEAD,
    MAX_START_LINE,
    first_line,
    looks_like_sip,
    read_start_line,
)

__all__ = ["MAX_HEAD", "MAX_LINES", "MAX_START_LINE", "Message", "looks_like_sip"]

MAX_LINES: Final = 2_048
"""Header field lines that are read. Torture messages stay under 64, chan_sip takes
64, pjsip any number: few enough to cost nothing, too many to hide behind."""

# RFC 3261 section 25.1: LWS  =  [*WSP CRLF] 1*WSP
_FOLD = re.compile(rb"(?:\n[ \t]+)+")
_WSP = b" \t"
_RESPONSE = re.compile(
    rb"\bresponse[ \t]{0,16}=[ \t]{0,16}\"?[^\", \t\r\n]", re.IGNORECASE
)
_BLANK = (b" ", b"\t")
_UNREAD: Final = b"unread"

# Long names in lower case to themselves, compact forms (RFC 3261 section 7.3.3 and
# the IANA registry) to their long name.
_NAMES: Final[dict[bytes, str]] = {
    name.encode(): name
    for name in (
        *("via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "route"),
        *("user-agent", "server", "expires", "content-length", "content-type"),
        *("authorization", "proxy-authorization"),
        *("www-authenticate", "proxy-authenticate"),
        *("diversion", "history-info", "refer-to", "p-asserted-identity"),
    )
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
# As most senders write them, so that the common case needs no strip() and lower();
# "" marks a field that nobody asks for.
_SEEN: dict[bytes, str] = dict(_NAMES)
for _name in list(_NAMES):
    _SEEN[_name.title()] = _SEEN[_name.upper()] = _NAMES[_name]
_SEEN |= {
    b"Call-ID": "call-id",
    b"CSeq": "cseq",
    b"WWW-Authenticate": "www-authenticate",
}
_SEEN |= dict.fromkeys(
    (
        *(b"Accept", b"Allow", b"Supported", b"Require", b"Date", b"Event", b"Subject"),
        *(b"Allow-Events", b"Record-Route", b"Session-Expires", b"Min-SE", b"k", b"x"),
        *(b"P-Preferred-Identity", b"Content-Disposition", b"Accept-Language"),
    ),
    "",
)

_SINGLE: Final = frozenset({"from", "to", "call-id", "cseq", "content-length"})
"""Fields that receivers disagree about when there are two: the first counts for
chan_sip and Kamailio, the last for pjsip."""


class Message:
    """A request or a response; attributes are text, decoded as UTF-8.

    A request has `method` (known ones in upper case) and `request_uri`, a response
    `status` (100 to 999) and `reason_phrase`; the others are None. Bytes that are not
    UTF-8 become U+FFFD (RFC 3261 section 7.3.1 prescribes UTF-8).
    """

    __slots__ = (
        "_credentials",
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

        Raises `Malformed` as `read_start_line` does.
        """
        self.raw = raw
        self.anomaly: str | None = None
        """The first flaw found; None when there is none."""
        self.body_start = len(raw)
        self.more: dict[str, list[bytes]] = {}
        """Second and later occurrences of a field."""
        self._credentials: bytes | None = _UNREAD

        lines = self._lines()
        line = lines.pop(0)
        self.method, self.request_uri, self.status, self.reason_phrase, version = (
            read_start_line(line, cut=len(line) >= MAX_HEAD)
        )
        if version != b"SIP/2.0":
            self.flag("sip.version")
        if len(line) > MAX_START_LINE:
            self.flag("sip.start-line-too-long")
        if len(lines) > MAX_LINES:
            lines = _unfold(b"\n".join(lines))
            if len(lines) > MAX_LINES:
                del lines[MAX_LINES:]
                self.flag("sip.too-many-lines")
        self._fields: dict[str, bytes] = {}
        self._index(lines)

    def flag(self, anomaly: str) -> None:
        """Note a flaw, unless one is noted already."""
        if self.anomaly is None:
            self.anomaly = anomaly

    def _lines(self) -> list[bytes]:
        """Split start-line and header fields; find where the body begins."""
        raw = self.raw
        start = 0
        if raw[:1] <= b" ":
            start = len(raw) - len(raw.lstrip(BLANKS))
        end = raw.find(b"\r\n\r\n", start, start + MAX_HEAD)
        if end < 0:
            return self._rough_lines(start)
        head = raw[start:end]
        lines = head.split(b"\r\n")
        if (
            head.count(b"\n") == head.count(b"\r") == len(lines) - 1
            and raw[start + len(lines[0]) + 2] not in _WSP
        ):
            self.body_start = end + 4
            return lines
        return self._rough_lines(start)

    def _rough_lines(self, start: int) -> list[bytes]:
        """Split a head that nobody's grammar describes."""
        raw = self.raw
        limit = start + MAX_HEAD
        end = raw.find(b"\n\r\n", start, limit)
        bare = raw.find(b"\n\n", start, limit if end < 0 else end + 1)
        size = 3
        if bare >= 0:
            end, size = bare, 2
        elif end < 0:
            end, size = raw.find(b"\r\r", start, limit), 2
            if end >= 0 and b"\n" in raw[start:end]:
                end = -1
        if end >= 0:
            self.body_start = end + size
        else:
            # RFC 3261 section 7 wants the blank line; Metasploit's enumerator sends
            # none, and several stacks answer it all the same.
            end = limit
            self.flag("sip.head-too-long" if len(raw) > limit else "sip.no-blank-line")
        head = raw[start:end]
        line, _ = first_line(head)
        rest = head[len(line) :].rstrip(b"\r\n")
        if rest.count(b"\r") != rest.count(b"\r\n"):
            self.flag("sip.lone-cr")
            rest = rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return [line, *_unfold(rest.replace(b"\r\n", b"\n"))]

    def _index(self, lines: list[bytes]) -> None:
        fields = self._fields
        seen = _SEEN
        repeated = False
        for line in lines:
            name, colon, value = line.partition(b":")
            known = seen.get(name)
            if known is None:
                if name[:1] in _BLANK:
                    fields.clear()
                    self.more.clear()
                    self._index(_unfold(b"\n".join(lines)))
                    return
                known = _NAMES.get(name.strip().lower())
            if not known or not colon:
                continue
            if known not in fields:
                fields[known] = value
                continue
            self.more.setdefault(known, []).append(value)
            if known in _SINGLE and value.strip() != fields[known].strip():
                repeated = True
        if repeated:
            self.flag("sip.repeated-field")

    def field(self, name: str) -> str | None:
        """Return the first field of that (long, lower-case) name, stripped."""
        value = self._fields.get(name)
        return None if value is None else value.strip().decode("utf-8", "replace")

    def values(self, name: str) -> list[str]:
        """Return the values of a list field (Via, Contact, …), in order.

        RFC 3261 section 7.3.1: fields of one name and comma-separated values on one
        line mean the same. Of more than `MAX_VALUES` the first are returned, and the
        message is flagged.
        """
        first = self._fields.get(name)
        if first is None:
            return []
        found = split_values(first.decode("utf-8", "replace"), MAX_VALUES + 1)
        for value in self.more.get(name, ()):
            if len(found) > MAX_VALUES:
                break
            found += split_values(value.decode("utf-8", "replace"), MAX_VALUES + 1)
        if len(found) > MAX_VALUES:
            del found[MAX_VALUES:]
            self.flag("sip.too-many-values")
        return found

    def raw_values(self, name: str) -> list[bytes]:
        """Return every occurrence of a field as it stands, lists not taken apart."""
        first = self._fields.get(name)
        return [] if first is None else [first, *self.more.get(name, ())]

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
        words = (self.field("cseq") or "").split(None, 1)
        return (words[0] if words else ""), (words[1] if len(words) > 1 else "")

    @property
    def branch(self) -> str:
        """The branch of the topmost Via, "" when there is none."""
        value = self._fields.get("via")
        if value is None:
            return ""
        first = value.partition(b",")[0].decode("utf-8", "replace")
        _, semicolon, params = first.partition(";")
        return param(semicolon + params, "branch")

    @property
    def credentials(self) -> bytes | None:
        """All credentials as they stand; None when there are none to be checked.

        IMS phones announce themselves with credentials whose response is empty (3GPP
        TS 24.229 section 5.1.1.2): nothing in them can be right or wrong.
        """
        if self._credentials is _UNREAD:
            self._credentials = self._read_credentials()
        return self._credentials

    def _read_credentials(self) -> bytes | None:
        fields = self._fields
        if "authorization" not in fields and "proxy-authorization" not in fields:
            return None
        found = b"\n".join(
            [*self.raw_values("authorization"), *self.raw_values("proxy-authorization")]
        )
        return None if b"igest" in found and not _RESPONSE.search(found) else found

    @property
    def content_length(self) -> int | None:
        """Content-Length in bytes; None when absent.

        -1 when it is no number, or when there are several that disagree: receivers
        differ in which one they believe.
        """
        value = self._fields.get("content-length")
        if value is None:
            return None
        value = value.strip()
        for other in self.more.get("content-length", ()):
            if other.strip() != value:
                return -1
        # More digits than a datagram could ever need would make int() slow.
        return int(value) if value.isdigit() and len(value) <= 9 else -1

    @property
    def auth_user(self) -> str | None:
        """The `username` of the first credentials that have one."""
        for name in ("authorization", "proxy-authorization"):
            first = self._fields.get(name)
            if first is None:
                continue
            for value in (first, *self.more.get(name, ())):
                user = credential(value.decode("utf-8", "replace"), "username")
                if user is not None:
                    return user
        return None

    def check_length(self, *, cut: bool) -> None:
        """Flag a Content-Length that a datagram cannot satisfy.

        RFC 3261 section 18.3: bytes past the length are discarded, so too many is
        no flaw; too few is one, unless the capture itself was cut.
        """
        claimed = self.content_length
        if claimed is None:
            return
        if claimed < 0 or (claimed > len(self.raw) - self.body_start and not cut):
            self.flag("sip.content-length")


def _unfold(lines: bytes) -> list[bytes]:
    """Join what continues; a first line that continues nothing stands for itself."""
    return _FOLD.sub(b" ", lines.lstrip(b"\n\t ")).split(b"\n")
