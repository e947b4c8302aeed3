"""The response that refuses a request, as bytes (RFC 3261 section 8.2.6).

Knows one request and where it came from; it sends nothing and decides nothing. What
has to be copied is copied as it stands, so that the caller finds his transaction
again whatever he wrote; a request that lacks one of these fields gets no response.
A response is hardly longer than the head of its request, and so bounded by `MAX_HEAD`.
"""

from typing import Final, NamedTuple

from ringfence.sip.address import parse_name_addr, parse_via, split_values
from ringfence.sip.message import Message
from ringfence.sip.uri import split_host

PHRASES: Final = {
    403: "Forbidden",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    488: "Not Acceptable Here",
    503: "Service Unavailable",
    603: "Decline",
}
"""Status codes that a refusal may have; phones show or play something for each."""

UNANSWERED: Final = frozenset({"ACK", "CANCEL"})
"""ACK is never answered (section 17.1.1.3); a CANCEL is the next server's to answer."""

_AGENT: Final = "ringfence"


class Source(NamedTuple):
    """Where a request came from, as its receiver saw it."""

    address: str
    port: int


class Response(NamedTuple):
    """A response, and the port of the sender that expects it."""

    text: bytes
    port: int
    """By RFC 3581 the one that the request came from, else the one that Via names."""


def refusal(
    message: Message, source: Source, status: int, *, key: bytes, why: str
) -> Response | None:
    """Write the refusal of a request; None when it cannot be answered.

    `status` is one of `PHRASES`. `key` (secret bytes) makes the tag of To, which is
    the same for every repeat of a request (section 8.2.7). `why` is shown to
    whoever looks for the reason (Warning 399, section 20.43); ASCII without quotes.
    """
    if message.method is None or message.method in UNANSWERED:
        return None
    if message.anomaly == "sip.head-too-long":
        return None  # the last field we have may be half of one
    vias = message.raw_values("via")
    copied = [_single(message, name) for name in ("from", "to", "call-id", "cseq")]
    if not vias or not all(copied):
        return None
    via = _top_via(vias[0].decode("utf-8", "surrogateescape"), source)
    if via is None:
        return None
    top, port = via
    sender, receiver, call_id, cseq = copied
    if not parse_name_addr(receiver.decode("utf-8", "replace")).tag:
        receiver += b";tag=" + _tag(key, source.address.encode(), vias[0], *copied)
    lines = [
        f"SIP/2.0 {status} {PHRASES[status]}".encode(),
        b"Via: " + top.encode("utf-8", "surrogateescape"),
        *(b"Via: " + value.strip() for value in vias[1:]),
        b"From: " + sender,
        b"To: " + receiver,
        b"Call-ID: " + call_id,
        b"CSeq: " + cseq,
        f'Warning: 399 {_AGENT} "{why}"'.encode(),
        b"Content-Length: 0",
    ]
    if any(b"\r" in line or b"\n" in line for line in lines):
        return None  # what we take for one line is not one for everybody
    return Response(b"\r\n".join([*lines, b"", b""]), port)


def _tag(*parts: bytes) -> bytes:
    """Make a tag of 64 bits that only who knows all parts can tell (section 19.3).

    By Python's own hash of bytes, SipHash under a secret of this process: hashlib
    would bring all of OpenSSL into a router's memory for a handful of tags a day.
    """
    told = hash(b"\0".join(parts)) & 0xFFFFFFFFFFFFFFFF
    return told.to_bytes(8).hex().encode()


def _single(message: Message, name: str) -> bytes:
    """Return a field's value; b"" when it is absent or there are several that differ."""
    values = {value.strip() for value in message.raw_values(name)}
    return values.pop() if len(values) == 1 else b""


def _top_via(text: str, source: Source) -> tuple[str, int] | None:
    """Complete the topmost Via of a field; tell the port that expects the response.

    `received` is added when the sent-by is another address (RFC 3261 section 18.2.1)
    or when the sender asks by `rport` (RFC 3581 section 4). None if there is no Via.
    """
    text = text.strip()
    values = split_values(text, 1)
    if not values or not text.startswith(values[0]):
        return None
    first = values[0]
    rest = text[len(first) :]
    head, *params = first.split(";")
    via = parse_via(head)
    if not via.transport:
        return None
    port = _sent_by_port(head) or 5060
    if '"' in first:  # a semicolon may be part of a quoted string: nothing is touched
        return text, port
    kept: list[str] = []
    asks = False
    for param in params:
        name, equals, _ = param.partition("=")
        word = name.strip().lower()
        if word == "rport" and not equals and not asks:
            asks = True
            kept.append(f"rport={source.port}")
        elif word != "received":
            kept.append(param)
    if asks or via.host != source.address:
        kept.append(f"received={source.address}")
    return ";".join([head.rstrip(), *kept]) + rest, source.port if asks else port


def _sent_by_port(head: str) -> int:
    """Return the port that a Via names, 0 for none."""
    sent_by = head.split("/", 2)[-1].split(None, 1)[-1]
    port = split_host(sent_by)[1]
    digits = port.isascii() and port.isdigit() and len(port) < 6
    return int(port) if digits and int(port) < 65536 else 0
