"""Header fields, the end of the head, and every flaw that is read past."""

from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ringfence.errors import Malformed
from ringfence.sip.address import MAX_VALUES
from ringfence.sip.message import MAX_HEAD, MAX_LINES, MAX_START_LINE, Message
from sip.examples import REQUEST, RESPONSE, almost_messages, read, read_all

LINE = b"INVITE sip:100@pbx SIP/2.0\r\n"


def message(*fields: str | bytes, end: bytes = b"\r\n") -> Message:
    """Read an INVITE with these header field lines."""
    lines = [field.encode() if isinstance(field, str) else field for field in fields]
    return Message(LINE.replace(b"\r\n", end) + b"".join(x + end for x in lines) + end)


def test_request() -> None:
    found = Message(REQUEST)
    assert (found.method, found.status) == ("INVITE", None)
    assert found.request_uri == "sip:+81312345678@pbx.example;user=phone"
    sender, receiver = found.name_addr("from"), found.name_addr("to")
    assert sender is not None
    assert receiver is not None
    assert (sender.display, sender.uri.user, sender.tag) == (
        "Desk, 201",
        "201",
        "1928301774",
    )
    assert (receiver.uri.user, receiver.tag) == ("+81312345678", "")
    assert found.call_id == "a84b4c76e66710@192.0.2.10"
    assert found.cseq == ("314159", "INVITE")
    assert found.values("contact") == ["<sip:201@192.0.2.10:5062>;expires=60"]
    assert found.auth_user == "201"
    assert found.content_length == 13
    assert found.raw[found.body_start :] == b"v=0\r\ns=talk\r\n"
    found.check_length(cut=False)
    assert found.anomaly is None


def test_response() -> None:
    found = Message(RESPONSE)
    assert (found.method, found.request_uri) == (None, None)
    assert (found.status, found.reason_phrase) == (407, "Proxy Authentication Required")
    assert len(found.values("via")) == 2
    receiver = found.name_addr("to")
    assert receiver is not None
    assert receiver.uri.scheme == "tel"
    assert receiver.tag == "a6c85cf"
    assert found.auth_user is None
    assert found.anomaly is None


@pytest.mark.parametrize(
    ("compact", "name"),
    [
        *(("v", "via"), ("f", "from"), ("t", "to"), ("i", "call-id"), ("m", "contact")),
        *(("l", "content-length"), ("c", "content-type"), ("r", "refer-to")),
    ],
)
def test_compact_names(compact: str, name: str) -> None:
    for written in (compact, compact.upper()):
        assert message(f"{written}: x").field(name) == "x"


@pytest.mark.parametrize(
    "written",
    [
        *(
            "Call-ID",
            "Call-Id",
            "call-id",
            "CALL-ID",
            "cALL-iD",
            "Call-ID ",
            "Call-ID\t",
        ),
        *("call-id  \t", "i", "I "),
    ],
)
@pytest.mark.parametrize("value", ["x", " x", "  x  ", "\tx\t", "x "])
def test_names_and_values_however_they_are_spaced(written: str, value: str) -> None:
    assert message(f"{written}:{value}").call_id == "x"


@pytest.mark.parametrize(
    "name",
    ["xCall-ID", "Call_ID", "CallID", "k", "x", "", "Call-ID x", "Call-\0ID"],
)
def test_other_names_are_other_fields(name: str) -> None:
    assert message(f"{name}: x").call_id is None


@pytest.mark.parametrize("line", ["Call-ID", "call-id ", "i"])
def test_a_name_without_a_colon_is_no_field(line: str) -> None:
    assert message(line).call_id is None
    assert message(line, "Call-ID: x").call_id == "x"


def test_an_empty_field_is_there() -> None:
    found = message("Call-ID:", "From: ", "Contact:")
    assert found.call_id == ""
    assert found.values("contact") == []
    sender = found.name_addr("from")
    assert sender is not None
    assert sender.uri_text == ""


# Folding --------------------------------------------------------------------------

FOLDED = {
    "blank": (["Call-ID:", " x"], "x"),
    "tab": (["Call-ID:", "\tx"], "x"),
    "several": (["Call-ID: a", " b", "\t c"], "a b c"),
    "blank line": (["Call-ID: a", "  ", " b"], "a b"),
    "in the name": (["Call-ID", " : x"], "x"),
    "looks like a field": (["Subject: a", " Call-ID: no", "Call-ID: x"], "x"),
    "unknown before": (["X-Other: a", " b", "Call-ID: x"], "x"),
    "last": (["From: <sip:a@b>", "Call-ID: x", "To: <sip:c@d>", " ;tag=z"], "x"),
}  # fmt: skip


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize("case", FOLDED.values(), ids=FOLDED)
def test_folds(case: tuple[list[str], str], end: bytes) -> None:
    lines, call_id = case
    found = message(*lines, end=end)
    assert found.call_id == call_id
    assert (found.anomaly == "sip.lone-cr") == (end == b"\r")


def test_a_folded_field_counts_once() -> None:
    found = message("To: <sip:a@b>", " ;tag=z", "Call-ID: x", "Call-ID: x")
    assert found.more == {"call-id": [b" x"]}
    assert found.anomaly is None
    to = found.name_addr("to")
    assert to is not None
    assert to.tag == "z"


# Several values -------------------------------------------------------------------


def test_values_of_one_line_and_of_several() -> None:
    found = message(
        "Via: SIP/2.0/UDP a, SIP/2.0/UDP b",
        'Contact: "x, y" <sip:1@a>',
        "v: SIP/2.0/UDP c",
        "m: <sip:2@a>, <sip:3@a>",
    )
    assert found.values("via") == ["SIP/2.0/UDP a", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]
    assert found.values("contact") == ['"x, y" <sip:1@a>', "<sip:2@a>", "<sip:3@a>"]
    assert found.values("route") == []
    assert found.field("via") == "SIP/2.0/UDP a, SIP/2.0/UDP b"


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("of_one_line", [1, 10, MAX_VALUES + 1])
def test_values_read(of_one_line: int, extra: int) -> None:
    values = [f"<sip:{number}@x>" for number in range(MAX_VALUES + extra)]
    lines = [
        "Contact: " + ", ".join(values[at : at + of_one_line])
        for at in range(0, len(values), of_one_line)
    ]
    found = message(*lines)
    assert found.values("contact") == values[:MAX_VALUES]
    assert found.anomaly == ("sip.too-many-values" if extra else None)


@pytest.mark.parametrize(
    ("name", "first", "second", "anomaly"),
    [
        ("From", "<sip:a@b>", "<sip:c@d>", "sip.repeated-field"),
        ("To", "<sip:a@b>", "<sip:c@d>", "sip.repeated-field"),
        ("Call-ID", "a", "b", "sip.repeated-field"),
        ("CSeq", "1 INVITE", "2 INVITE", "sip.repeated-field"),
        ("Content-Length", "0", "1", "sip.repeated-field"),
        ("From", "<sip:a@b>", " <sip:a@b> ", None),
        ("Contact", "<sip:a@b>", "<sip:c@d>", None),
        ("Via", "SIP/2.0/UDP a", "SIP/2.0/UDP b", None),
        ("User-Agent", "a", "b", None),
    ],
)
def test_repeated_fields(
    name: str, first: str, second: str, anomaly: str | None
) -> None:
    found = message(f"{name}: {first}", f"{name.lower()}: {second}")
    assert found.field(name.lower()) == first
    assert found.anomaly == anomaly


# Where the head ends --------------------------------------------------------------

HEAD_ENDS = [
    # bytes behind the start-line, Call-ID, body, anomaly
    (b"Call-ID: x\r\n\r\nbody", "x", b"body", None),
    (b"Call-ID: x\n\nbody", "x", b"body", None),
    (b"Call-ID: x\n\r\nbody", "x", b"body", None),
    (b"Call-ID: x\r\n\nbody", "x", b"body", None),
    (b"Call-ID: x\r\n\r\n\r\nbody", "x", b"\r\nbody", None),
    (b"Call-ID: x\n\nbody\r\n\r\n", "x", b"body\r\n\r\n", None),
    (b"Call-ID: x\r\n\r\nbody\n\nmore", "x", b"body\n\nmore", None),
    (b"Call-ID: x\r\nbody", "x", b"", "sip.no-blank-line"),
    (b"Call-ID: x\r\n", "x", b"", "sip.no-blank-line"),
    (b"Call-ID: x", "x", b"", "sip.no-blank-line"),
    (b"Call-ID: x\r\n\r", "x", b"", "sip.no-blank-line"),
    (b"From: y\rCall-ID: x\r\n\r\nbody", "x", b"body", "sip.lone-cr"),
    (b"From: y\r\rCall-ID: x\r\n\r\nbody", "x", b"body", "sip.lone-cr"),
    (b"From: y\r\r\nCall-ID: x\r\n\r\nbody", "x", b"body", "sip.lone-cr"),
    (b"\r\nCall-ID: x\r\n\r\n", None, b"Call-ID: x\r\n\r\n", None),
    (b"", None, b"", "sip.no-blank-line"),
]  # fmt: skip


@pytest.mark.parametrize(("rest", "call_id", "body", "anomaly"), HEAD_ENDS)
def test_where_the_head_ends(
    rest: bytes, call_id: str | None, body: bytes, anomaly: str | None
) -> None:
    found = Message(LINE + rest)
    assert found.method == "INVITE"
    assert found.call_id == call_id
    assert found.raw[found.body_start :] == body
    assert found.anomaly == anomaly


def test_nothing_but_cr() -> None:
    found = Message(REQUEST.replace(b"\r\n", b"\r"))
    assert found.anomaly == "sip.lone-cr"
    assert found.raw[found.body_start :] == b"v=0\rs=talk\r"
    whole = Message(REQUEST)
    assert found.request_uri == whole.request_uri
    for name in ("from", "to", "via", "contact", "cseq"):
        assert found.values(name) == whole.values(name)


def test_nothing_but_lf() -> None:
    found = Message(REQUEST.replace(b"\r\n", b"\n"))
    assert found.anomaly is None
    assert found.raw[found.body_start :] == b"v=0\ns=talk\n"
    assert found.values("from") == Message(REQUEST).values("from")


# Content-Length -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "length", "flawed"),
    [
        ([], None, False),
        (["Content-Length: 4"], 4, False),
        (["l:4"], 4, False),
        (["Content-Length: 0004"], 4, False),
        (["Content-Length: 0"], 0, False),  # RFC 3261 section 18.3: the rest is dropped
        (["Content-Length: 5"], 5, True),
        (["Content-Length: 999999999"], 999_999_999, True),
        (["Content-Length: 1000000000"], -1, True),
        (["Content-Length: " + "9" * 5000], -1, True),
        (["Content-Length: -1"], -1, True),
        (["Content-Length: +4"], -1, True),
        (["Content-Length: 4 4"], -1, True),
        (["Content-Length: 4,4"], -1, True),
        (["Content-Length: 0x4"], -1, True),
        (["Content-Length: bad"], -1, True),
        (["Content-Length: ٤"], -1, True),
        (["Content-Length:"], -1, True),
        (["Content-Length: 4", "l: 4"], 4, False),
        (["Content-Length: 4", "l: 3"], -1, True),
        (["Content-Length: x", "l: 4"], -1, True),
    ],
)
def test_content_length(lines: list[str], length: int | None, flawed: bool) -> None:
    head = b"".join(line.encode() + b"\r\n" for line in lines)
    found = Message(LINE + head + b"\r\nbody")
    assert found.content_length == length
    found.check_length(cut=False)
    assert (found.anomaly is not None) == flawed


def test_a_capture_that_was_cut_proves_nothing() -> None:
    raw = LINE + b"Content-Length: 100\r\n\r\nbody"
    found = Message(raw)
    found.check_length(cut=True)
    assert found.anomaly is None
    found.check_length(cut=False)
    assert found.anomaly == "sip.content-length"


def test_the_first_flaw_is_kept() -> None:
    found = Message(LINE.replace(b"/2.0", b"/7.0") + b"Content-Length: x\r\n")
    found.check_length(cut=False)
    assert found.anomaly == "sip.no-blank-line"


# Bounds ---------------------------------------------------------------------------


def test_head_read() -> None:
    """To the byte: blank line at the limit, and one byte further."""
    tail = b"Call-ID: x\r\n\r\n"
    pad = b"X: " + b"x" * (MAX_HEAD - len(LINE) - len(tail) - 5) + b"\r\n"
    found = Message(LINE + pad + tail + b"body")
    assert found.body_start == MAX_HEAD
    assert (found.call_id, found.anomaly) == ("x", None)

    longer = LINE + b"X" + pad + tail + b"body"
    found = Message(longer)
    assert found.body_start == len(longer)
    assert (found.call_id, found.anomaly) == ("x", "sip.head-too-long")
    # What begins beyond it is not read.
    found = Message(LINE + b"X: " + b"x" * MAX_HEAD + b"\r\n" + tail)
    assert (found.call_id, found.anomaly) == (None, "sip.head-too-long")


@pytest.mark.parametrize("extra", [0, 1])
def test_lines_read(extra: int) -> None:
    found = message(*["X:"] * (MAX_LINES - 1 + extra), "Call-ID: x")
    assert found.call_id == (None if extra else "x")
    assert found.anomaly == ("sip.too-many-lines" if extra else None)


def test_a_folded_line_is_one_line() -> None:
    found = message(*["X:", " y"] * (MAX_LINES // 2), "Call-ID: x")
    assert (found.call_id, found.anomaly) == ("x", None)


@pytest.mark.parametrize("extra", [0, 1])
def test_start_line_not_flagged(extra: int) -> None:
    line = b"INVITE sip:100@pbx;x= SIP/2.0"
    pad = b"x" * (MAX_START_LINE - len(line) + extra)
    found = Message(line.replace(b"=", b"=" + pad) + b"\r\nCall-ID: x\r\n\r\n")
    assert len(found.request_uri or "") == len("sip:100@pbx;x=") + len(pad)
    assert found.call_id == "x"
    assert found.anomaly == ("sip.start-line-too-long" if extra else None)


# Other fields ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cseq"),
    [
        ("1 INVITE", ("1", "INVITE")),
        ("1  ACK", ("1", "ACK")),  # as sipvicious writes it
        ("\t1\tINVITE ", ("1", "INVITE")),
        ("0009\r\n INVITE", ("0009", "INVITE")),
        ("1", ("1", "")),
        ("INVITE", ("INVITE", "")),
        ("", ("", "")),
    ],
)
def test_cseq(text: str, cseq: tuple[str, str]) -> None:
    assert message(f"CSeq: {text}").cseq == cseq
    assert message().cseq == ("", "")


@pytest.mark.parametrize(
    ("lines", "user"),
    [
        ([], None),
        (['Authorization: Digest username="201"'], "201"),
        (['Proxy-Authorization: Digest username="201"'], "201"),
        (['Proxy-Authorization: Digest username="p"', 'Authorization: Digest username="a"'], "a"),
        (["Authorization: Basic eDp5", 'Authorization: Digest username="201"'], "201"),
        (["Authorization: Digest realm=x", 'Proxy-Authorization: Digest username="p"'], "p"),
        (['Authorization: Digest realm="username=no",', '  username="201"'], "201"),
        (['Authorization: Digest username="\xe9"'], "é"),
    ],
)  # fmt: skip
def test_auth_user(lines: list[str], user: str | None) -> None:
    assert message(*lines).auth_user == user


def test_bytes_that_are_not_utf8() -> None:
    found = message(b'From: "\xff\xe3\x81" <sip:2\xff1@pbx>', b"Call-ID: \xff")
    assert found.call_id == "\ufffd"
    sender = found.name_addr("from")
    assert sender is not None
    assert sender.uri.user == "2\ufffd1"
    assert sender.uri.host == "pbx"
    assert message("From: 花子 <sip:201@pbx>").field("from") == "花子 <sip:201@pbx>"


# Whatever comes -------------------------------------------------------------------

WHOLE = [
    REQUEST,
    RESPONSE,
    REQUEST.replace(b"\r\n", b"\n"),
    RESPONSE.replace(b"\r\n", b"\r"),
    b"\r\n\r\n" + REQUEST,
    LINE + b"f: <sip:a@b>\r\n ;tag=c\r\n\r\n",
]


@pytest.mark.parametrize("raw", WHOLE)
def test_truncated_at_each_byte(raw: bytes) -> None:
    """It is a message once the line says so; `SIP/` is the last thing needed."""
    enough = raw.index(b"SIP/") + 4 if b"INVITE s" in raw else len(b"SIP/2.0 407")
    for size in range(len(raw) + 1):
        assert (read(raw[:size]) is not None) == (size >= enough)


@pytest.mark.parametrize("raw", [raw for raw in WHOLE if b"\n" in raw])
@pytest.mark.parametrize("more", [b"x", b"\0\0", b"\r\n\r\n", REQUEST])
def test_with_more_behind(raw: bytes, more: bytes) -> None:
    alone, followed = read(raw), read(raw + more)
    assert alone is not None
    assert followed is not None
    assert followed.body_start == alone.body_start
    assert followed.values("to") == alone.values("to")
    assert (followed.method, followed.status) == (alone.method, alone.status)


@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    read(raw)


@given(almost_messages())
@example(b"INVITE sip:a SIP/2.0\n From")
@example(b"INVITE sip:a SIP/2.0\r\n\n\n ")
def test_almost_messages(raw: bytes) -> None:
    read(raw)


@given(st.sampled_from(WHOLE), st.data())
def test_one_byte_changed(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw) - 1))
    octet = data.draw(st.binary(min_size=1, max_size=1))
    read(raw[:at] + octet + raw[at + 1 :])


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r\n ", b"\n\t"]), max_size=8))
def test_line_ends_change_no_field(ends: list[bytes]) -> None:
    """Whatever ends the lines, and wherever they are folded, they say the same."""
    ends = [*ends, *[b"\r\n"] * (8 - len(ends))]
    fields = [b"f: <sip:201@pbx>", b";tag=a", b"i: x", b"t: <sip:100@pbx>", b";tag=b"]
    joints = [b"\r\n", ends[0].rstrip() + b" ", ends[1].rstrip(b" \t"),
              ends[2].rstrip(b" \t"), ends[3].rstrip(b" \t") + b"\t"]  # fmt: skip
    raw = b"INVITE sip:100@pbx SIP/2.0"
    for joint, field in zip(joints, fields, strict=True):
        raw += joint + field
    found = read(raw + b"\r\n\r\n")
    assert found is not None
    sender, receiver = found.name_addr("from"), found.name_addr("to")
    assert sender is not None
    assert receiver is not None
    assert (sender.tag, receiver.tag, found.call_id) == ("a", "b", "x")


HOSTILE = {
    "commas": b",",
    "quotes": b'"',
    "escapes": b'"\\',
    "brackets": b"<",
    "colons": b":",
    "semicolons": b";",
    "CR": b"\r",
    "LF": b"\n",
    "CRLF": b"\r\n",
    "blanks": b" ",
    "folds": b"\r\n ",
    "fold and field": b"\r\n a\r\nb:",
    "short lines": b"a:\r\n",
    "From": b"f:a\r\n",
    "Content-Length": b"l:1\n",
    "Via": b"v:a,b\n",
    "nul": b"\0",
    "not UTF-8": b"\xff",
}
PREFIXES = (
    b"",
    b"INVITE ",
    b"INVITE sip:",
    LINE,
    LINE + b"From: ",
    LINE + b'Contact: "',
    LINE + b"Proxy-Authorization: Digest ",
)


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_cost_grows_no_faster_than_the_message(piece: bytes) -> None:
    """Eight times the bytes may cost 24 times as much; 64 times would be quadratic.

    Measured below `MAX_HEAD`, as beyond it nothing grows, and once more far beyond.
    """

    def cost(size: int) -> float:
        best = 1.0
        for _ in range(5):
            start = process_time()
            for prefix in PREFIXES:
                raw = prefix + piece * (size // len(piece))
                try:
                    found = Message(raw)
                except Malformed:
                    continue
                read_all(found)
            best = min(best, process_time() - start)
        return best

    small, large, huge = cost(2_048), cost(16_384), cost(65_536)
    assert large < 24 * small + 0.001
    assert huge < 6 * large + 0.001
