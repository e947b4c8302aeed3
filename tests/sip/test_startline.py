"""What is SIP, and what its first line says, however it is written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ringfence.errors import Malformed
from ringfence.sip.message import Message
from ringfence.sip.startline import (
    MAX_FOLDS,
    MAX_HEAD,
    first_line,
    looks_like_sip,
    read_start_line,
)
from sip.examples import REQUEST, RESPONSE, almost_messages

REST = b"\r\nCall-ID: 1\r\n\r\n"

# first line, method, Request-URI, version
REQUESTS = [
    (b"INVITE sip:100@pbx SIP/2.0", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    (b"REGISTER sips:pbx SIP/2.0", "REGISTER", "sips:pbx", b"SIP/2.0"),
    (b"INVITE tel:+81312345678 SIP/2.0", "INVITE", "tel:+81312345678", b"SIP/2.0"),
    (b"OPTIONS * SIP/2.0", "OPTIONS", "*", b"SIP/2.0"),
    (b"invite sip:100@pbx SIP/2.0", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    (b"INVITE sip:100@pbx sip/2.0", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    (b"NEWMETHOD sip:100@pbx SIP/2.0", "NEWMETHOD", "sip:100@pbx", b"SIP/2.0"),
    (b"!a-Method9_*+`.%i'~ sip:x SIP/2.0", "!a-Method9_*+`.%i'~", "sip:x", b"SIP/2.0"),
    (b"SIP sip:100@pbx SIP/2.0", "SIP", "sip:100@pbx", b"SIP/2.0"),
    # RFC 4475 section 3.1.2.16: another version is judged all the same
    (b"OPTIONS sip:100@pbx SIP/7.0", "OPTIONS", "sip:100@pbx", b"SIP/7.0"),
    (b"OPTIONS sip:100@pbx SIP/", "OPTIONS", "sip:100@pbx", b"SIP/"),
    # Blanks: RFC 4475 sections 3.1.2.9 and 3.1.2.10, and what pjsip and chan_sip take
    (b"INVITE  sip:100@pbx  SIP/2.0", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    (b"INVITE sip:100@pbx SIP/2.0 \t ", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    (b"INVITE\tsip:100@pbx\tSIP/2.0", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    (b"INVITE\x01sip:100@pbx\x0bSIP/2.0", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    (b"INVITE sip:100@pbx; lr SIP/2.0", "INVITE", "sip:100@pbx; lr", b"SIP/2.0"),
    (b"INVITE sip:1 0 0@pbx SIP/2.0", "INVITE", "sip:1 0 0@pbx", b"SIP/2.0"),
    (b"INVITE sip:100@pbx SIP / 2.0", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    (b"INVITE sip:100@pbx \tsip\t/2.0", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    (b"INVITE sip:100@pbx:5060SIP/2.0", "INVITE", "sip:100@pbx:5060", b"SIP/2.0"),
    (b"INVITE sip:100@[::1]sip /2.0", "INVITE", "sip:100@[::1]", b"SIP/2.0"),
    (b"INVITE\r\n sip:100@pbx\r\n\tSIP/2.0", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    (b"INVITE sip:100@pbx\n SIP/2.0", "INVITE", "sip:100@pbx", b"SIP/2.0"),
    # The URI is kept as it is
    (b"INVITE <sip:100@pbx> SIP/2.0", "INVITE", "<sip:100@pbx>", b"SIP/2.0"),
    (b"INVITE sip:sip/2.0@pbx SIP/2.0", "INVITE", "sip:sip/2.0@pbx", b"SIP/2.0"),
    (b"INVITE sip:\xe3\x81\x82@pbx SIP/2.0", "INVITE", "sip:あ@pbx", b"SIP/2.0"),
    (b"INVITE sip:\xff@pbx SIP/2.0", "INVITE", "sip:\ufffd@pbx", b"SIP/2.0"),
]

# first line, status, reason phrase
RESPONSES = [
    (b"SIP/2.0 200 OK", 200, "OK"),
    (b"SIP/2.0 100 ", 100, ""),
    (b"SIP/2.0 100", 100, ""),
    (b"SIP/2.0 999 Not a class", 999, "Not a class"),
    (b"sip/2.0 404 Not Found", 404, "Not Found"),
    (b"SIP/2.0  407\tProxy  Auth", 407, "Proxy  Auth"),
    (b"SIP / 2.0 200 OK", 200, "OK"),
    (b"SIP/3.0 200 OK", 200, "OK"),
    (b"SIP/2.0 200 SIP/2.0", 200, "SIP/2.0"),
    (b"SIP/2.0 200 \xe3\x81\x82\xff", 200, "あ\ufffd"),
]

# SIP, but nothing that can be read
WRONG = [
    (b"SIP/2.0 OK", "sip.start-line"),
    (b"SIP/2.0", "sip.start-line"),
    (b"SIP/2.0 ", "sip.start-line"),
    (b"SIP/2.0 4294967301 Better not break the receiver", "sip.start-line"),
    (b"SIP/2.0 099 X", "sip.start-line"),
    (b"SIP/2.0 000 X", "sip.start-line"),
    (b"SIP/2.0 -20 X", "sip.start-line"),
    (b"SIP/2.0 \xd9\xa1\xd9 X", "sip.start-line"),
    (b"REGI\xffSTER sip:pbx SIP/2.0", "sip.method"),
    (b"INV[ITE sip:pbx SIP/2.0", "sip.method"),
    (b"Via: SIP/2.0", "sip.method"),
    (b"INV/ITE sip:pbx SIP/2.0", "sip.method"),
    (b"INVITE  SIP/2.0", "sip.request-uri"),
    (b"INVITE SIP/2.0", "sip.request-uri"),
    (b"INVITE \t SIP / 2.0", "sip.request-uri"),
]

# What else comes to a SIP port
OTHERS = [
    b"GET / HTTP/1.1\r\nHost: pbx\r\n\r\n",
    b"GET /sip/2.0/ HTTP/1.1\r\n\r\n",
    b"GET http://pbx/?q=SIP/2.0 HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nVia: SIP/2.0/UDP x\r\n\r\n",
    b"M-SEARCH * HTTP/1.1\r\nST: urn:schemas-upnp-org:device:SIP/2.0\r\n\r\n",
    b"NOTIFY * HTTP/1.1\r\n\r\n",
    b"RTSP/1.0 200 OK\r\n\r\n",
    b"OPTIONS rtsp://x RTSP/1.0\r\n\r\n",
    b"HELLO\r\n",
    b"hello",
    b"jaK",
    b"\r\n\r\n",
    b"\r\n",
    b"\0",
    b"\0\0\0\0",
    b"",
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n",
    b"Via: SIP/2.0/UDP pbx\r\nFrom: <sip:a@b>\r\n",
    b"\x80\x00\x12\x34\x00\x00\x00\xa0SIP/2.0",  # RTP
    b"\x00\x01\x00\x08\x21\x12\xa4\x42",  # STUN
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"INVITE nonsense\r\n\r\n",
    b"GET /\nINVITE sip:pbx SIP/2.0\r\n\r\n",
    b"hello\nSIP/2.0 200 OK\r\n\r\n",
    b"a\nb SIP/2.0x",
    b"SIPPING sip:x HTTP/1.1\r\n",
]


@pytest.mark.parametrize(("line", "method", "uri", "version"), REQUESTS)
def test_request(line: bytes, method: str, uri: str, version: bytes) -> None:
    assert read_start_line(line) == (method, uri, None, None, version)


@pytest.mark.parametrize(("line", "status", "phrase"), RESPONSES)
def test_response(line: bytes, status: int, phrase: str) -> None:
    assert read_start_line(line)[:4] == (None, None, status, phrase)


@pytest.mark.parametrize(("line", "reason"), WRONG)
def test_wrong(line: bytes, reason: str) -> None:
    assert looks_like_sip(line + REST)
    with pytest.raises(Malformed) as caught:
        read_start_line(line)
    assert caught.value.reason == reason
    with pytest.raises(Malformed) as caught:
        Message(line + REST)
    assert caught.value.reason == reason


@pytest.mark.parametrize("payload", OTHERS)
def test_everything_else_is_silent(payload: bytes) -> None:
    for size in range(len(payload) + 1):
        if not looks_like_sip(payload[:size]):
            continue
        # "GET http:" and its like may become SIP until the line is there.
        assert b"\n" not in payload[:size]
    assert not looks_like_sip(payload)
    with pytest.raises(Malformed):
        Message(payload)


ALL = [line for line, *_ in REQUESTS] + [line for line, *_ in RESPONSES]


@pytest.mark.parametrize("line", ALL)
@pytest.mark.parametrize(
    "before", [b"", b"\r\n", b"\r\n\r\n", b"\n", b" ", b"\0", b"\t\x01\r\n \0"]
)
def test_line_in_a_message(line: bytes, before: bytes) -> None:
    raw = before + line + REST
    assert looks_like_sip(raw)
    message = Message(raw)
    found = (message.method, message.request_uri, message.status, message.reason_phrase)
    assert found == read_start_line(line)[:4]
    assert message.call_id == "1"
    assert (message.anomaly == "sip.version") == (
        read_start_line(line)[4] != b"SIP/2.0"
    )


@pytest.mark.parametrize("line", [line for line in ALL if b"\n" not in line])
@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_line_ends(line: bytes, end: bytes) -> None:
    raw = end.join([line, b"Call-ID: 1", b"", b""])
    assert first_line(raw) == (line, len(line) + len(end))
    assert looks_like_sip(raw)
    assert Message(raw).call_id == "1"


@pytest.mark.parametrize("raw", [REQUEST, RESPONSE])
def test_truncated_anywhere(raw: bytes) -> None:
    """Once the line is whole it is SIP; before that it may be."""
    whole = raw.index(b"\r")
    for size in range(len(raw)):
        if size >= whole:
            assert looks_like_sip(raw[:size])
    assert not looks_like_sip(raw[:3])
    assert looks_like_sip(raw[: whole - 3])


def test_a_line_behind_a_whole_start_line_continues_nothing() -> None:
    message = Message(b"INVITE sip:100@pbx SIP/2.0\r\n From: <sip:201@pbx>\r\n\r\n")
    assert message.request_uri == "sip:100@pbx"
    sender = message.name_addr("from")
    assert sender is not None
    assert sender.uri.user == "201"


def test_folds_read() -> None:
    """At the limit the line is read to its end, one more and it is no start-line."""

    def folded(folds: int) -> bytes:
        return b"INVITE sip:1" + b"\r\n ;x" * (folds - 1) + b"\r\n SIP/2.0" + REST

    assert Message(folded(MAX_FOLDS)).method == "INVITE"
    assert not looks_like_sip(folded(MAX_FOLDS + 1))


def test_line_length_read() -> None:
    def long(size: int) -> bytes:
        line = b"INVITE sip:100@pbx;x= SIP/2.0\r\n"
        return line.replace(b"=", b"=" + b"x" * (size - len(line)))

    assert first_line(long(MAX_HEAD))[1] == MAX_HEAD
    assert Message(long(MAX_HEAD) + REST).anomaly == "sip.head-too-long"
    # One more, and not even its CR is in sight: judged by what is there.
    longer = long(MAX_HEAD + 2)
    assert first_line(longer)[1] == -1
    assert looks_like_sip(longer)
    message = Message(longer + REST)
    assert message.method == "INVITE"
    assert (message.request_uri or "").startswith("sip:100@pbx;x=xxx")
    assert message.anomaly == "sip.head-too-long"


def test_a_line_cut_short_is_no_message() -> None:
    assert looks_like_sip(b"INVITE sip:100@pb")
    with pytest.raises(Malformed, match=r"^sip\.start-line$"):
        Message(b"INVITE sip:100@pb")


@given(st.one_of(st.binary(max_size=60), almost_messages()))
@example(b"\r")
@example(b"a\n sip:x SIP/2.0")
def test_whatever_is_a_message_looks_like_one(raw: bytes) -> None:
    try:
        Message(raw)
    except Malformed:
        return
    assert looks_like_sip(raw)


@given(
    st.sampled_from(["INVITE", "REGISTER", "invite"]),
    st.text(" \t\x01\x0b", min_size=1, max_size=9),
    st.text(" \t\x01\x0b", min_size=1, max_size=9),
    st.sampled_from(["SIP/2.0", "sip/2.0", "SIP /2.0", "SIP/ 2.0", "SIP\t/\t2.0"]),
    st.text(" \t", max_size=9),
)
def test_no_blank_hides_a_request(
    method: str, first: str, second: str, version: str, last: str
) -> None:
    line = f"{method}{first}sip:0102325@pbx{second}{version}{last}".encode()
    assert looks_like_sip(line + REST)
    message = Message(line + REST)
    assert (message.method, message.request_uri) == (method.upper(), "sip:0102325@pbx")
