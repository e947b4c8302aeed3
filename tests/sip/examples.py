"""Messages to take apart, and the one question asked of all of them."""

from typing import Final

from hypothesis import strategies as st
from ringfence.errors import Malformed
from ringfence.sip.address import parse_name_addr, parse_via
from ringfence.sip.message import Message
from ringfence.sip.reasons import ANOMALIES, REASONS

REQUEST: Final = (
    b"INVITE sip:+81312345678@pbx.example;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.10:5062;rport;branch=z9hG4bKnashds8\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "Desk, 201" <sip:201@pbx.example>;tag=1928301774\r\n'
    b"To: <sip:+81312345678@pbx.example;user=phone>\r\n"
    b"Call-ID: a84b4c76e66710@192.0.2.10\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:201@192.0.2.10:5062>;expires=60\r\n"
    b'Proxy-Authorization: Digest username="201", realm="pbx", uri="sip:pbx",\r\n'
    b'  response="0123456789abcdef0123456789abcdef"\r\n'
    b"User-Agent: Desk Phone 1.0\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 13\r\n"
    b"\r\n"
    b"v=0\r\ns=talk\r\n"
)
RESPONSE: Final = (
    b"SIP/2.0 407 Proxy Authentication Required\r\n"
    b"v: SIP/2.0/TCP [2001:db8::10]:5062;branch=z9hG4bKnashds8, SIP/2.0/UDP a.example\r\n"
    b"f: sip:201@pbx.example;tag=1928301774\r\n"
    b"t: <tel:0312345678;phone-context=+81>;tag=a6c85cf\r\n"
    b"i: a84b4c76e66710@192.0.2.10\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"l: 0\r\n"
    b"\r\n"
)

FIELDS: Final = (
    *("via", "from", "to", "contact", "call-id", "cseq", "route", "user-agent"),
    *("max-forwards", "expires", "server", "diversion", "history-info", "refer-to"),
    *("p-asserted-identity", "content-type", "content-length", "authorization"),
    *("proxy-authorization", "www-authenticate", "proxy-authenticate", "no-such"),
)


def read_all(message: Message) -> None:
    """Ask for everything that a message can be asked for; nothing may raise."""
    for name in FIELDS:
        text = message.field(name)
        assert text is None or text == text.strip(" \t\r\n")
        address = message.name_addr(name)
        assert (address is None) == (text is None)
        for value in message.values(name):
            assert value
            _ = parse_via(value).branch
            _ = parse_name_addr(value).tag
    assert (message.method is None) != (message.status is None)
    assert (message.method is None) == (message.request_uri is None)
    assert message.status is None or 100 <= message.status <= 999
    assert 0 <= message.body_start <= len(message.raw)
    _ = message.call_id, message.cseq, message.auth_user
    length = message.content_length
    assert length is None or -1 <= length < 10**9
    message.check_length(cut=False)


def read(raw: bytes) -> Message | None:
    """Read bytes as a message, all of it; None when they are `Malformed`."""
    try:
        message = Message(raw)
    except Malformed as error:
        reason = error.reason
    else:
        read_all(message)
        assert message.anomaly is None or message.anomaly in ANOMALIES
        return message
    assert reason in REASONS
    return None


def almost_messages() -> st.SearchStrategy[bytes]:
    """Bytes that begin, here and there, like SIP."""
    piece = st.one_of(
        st.sampled_from(REQUEST.splitlines(keepends=True)),
        st.sampled_from(RESPONSE.splitlines(keepends=True)),
        st.sampled_from((b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b",", b";", b":")),
        st.sampled_from(
            (b'"', b"\\", b"<", b">", b"@", b"[", b"]", b"=", b"%", b"SIP/")
        ),
        st.binary(max_size=8),
    )
    return st.lists(piece, max_size=24).map(b"".join)
