"""Refusals as bytes: what is copied, what is added, and what gets no answer."""

from pathlib import Path

import golden
import pytest
from builders import INSIDE, ROUTER, invite, response, sip
from hypothesis import given
from hypothesis import strategies as st
from ringfence.errors import Malformed
from ringfence.sip.answer import PHRASES, Response, Source, refusal
from ringfence.sip.message import MAX_HEAD, Message

GOLDEN = Path(__file__).parent / "golden"
KEY = bytes(range(32))
PHONE = Source(INSIDE, 40_000)
TAG = 16


def refused(text: bytes, source: Source = PHONE, status: int = 403) -> Response | None:
    return refusal(Message(text), source, status, key=KEY, why="refused by a-rule")


def answered(text: bytes, source: Source = PHONE) -> Response:
    found = refused(text, source)
    assert found is not None
    return found


def via(text: str, source: Source = PHONE) -> tuple[str, int]:
    """Return the top Via of the answer to an INVITE with that one, and the port."""
    found = answered(invite(fields={"Via": text}), source)
    return Message(found.text).values("via")[0], found.port


def test_the_whole_answer_is_the_golden_one() -> None:
    text = invite(
        "0033-010-232-76123456",
        fields={
            "Via": "SIP/2.0/UDP 192.168.50.10;branch=z9hG4bKa\r\n"
            "v: SIP/2.0/TCP desk.example:5070;branch=z9hG4bKb;received=192.168.50.21,"
            " SIP/2.0/UDP [2001:db8::1]:5062;branch=z9hG4bKc",
            "From": None,
            "f": '"Desk, <1>" <sip:201@example.com>;tag=1928301774',
            "Record-Route": "<sip:192.168.50.10;lr>",
        },
    )
    written = answered(text).text.decode()
    tag = Message(written.encode()).name_addr("to")
    assert tag is not None
    assert len(tag.tag) == TAG
    assert written.count("\r\n") == written.count("\n")
    lines = written.replace("\r\n", "\n").replace(tag.tag, "TAG")
    golden.check(GOLDEN / "refusal.txt", lines)


@pytest.mark.parametrize("status", PHRASES)
def test_every_status_has_its_phrase(status: int) -> None:
    found = refused(invite(), status=status)
    assert found is not None
    answer = Message(found.text)
    assert (answer.status, answer.reason_phrase) == (status, PHRASES[status])
    assert answer.anomaly is None
    assert answer.content_length == 0
    assert answer.cseq == ("314159", "INVITE")


@pytest.mark.parametrize(
    ("written", "expected", "port"),
    [
        # RFC 3581 section 4: what was asked for is filled in, received in any case.
        (
            f"SIP/2.0/UDP {INSIDE}:5060;branch=b;rport",
            f"SIP/2.0/UDP {INSIDE}:5060;branch=b;rport=40000;received={INSIDE}",
            40_000,
        ),
        (
            f"SIP/2.0/UDP {INSIDE};RPORT ;branch=b",
            f"SIP/2.0/UDP {INSIDE};rport=40000;branch=b;received={INSIDE}",
            40_000,
        ),
        # RFC 3261 section 18.2.1: received where the sent-by is another address.
        (
            f"SIP/2.0/UDP {INSIDE}:5070;branch=b",
            f"SIP/2.0/UDP {INSIDE}:5070;branch=b",
            5070,
        ),
        (f"SIP/2.0/UDP {INSIDE};branch=b", f"SIP/2.0/UDP {INSIDE};branch=b", 5060),
        (
            "SIP / 2.0 / UDP desk.example : 5071 ;branch=b",
            f"SIP / 2.0 / UDP desk.example : 5071;branch=b;received={INSIDE}",
            5071,
        ),
        # What the sender claims of himself is replaced; maddr leads nowhere.
        (
            f"SIP/2.0/UDP {INSIDE};received=192.0.2.1;maddr=192.0.2.2;rport",
            f"SIP/2.0/UDP {INSIDE};maddr=192.0.2.2;rport=40000;received={INSIDE}",
            40_000,
        ),
        (f"SIP/2.0/UDP {INSIDE};rport=9", f"SIP/2.0/UDP {INSIDE};rport=9", 5060),
        (
            f'SIP/2.0/UDP {INSIDE};x="a;rport"',
            f'SIP/2.0/UDP {INSIDE};x="a;rport"',
            5060,
        ),
        (f"SIP/2.0/UDP {INSIDE}:70000;b", f"SIP/2.0/UDP {INSIDE}:70000;b", 5060),
        (f"SIP/2.0/UDP {INSIDE}:²;b", f"SIP/2.0/UDP {INSIDE}:²;b", 5060),
        (f"SIP/2.0/UDP {INSIDE}:0;b", f"SIP/2.0/UDP {INSIDE}:0;b", 5060),
    ],
)
def test_the_top_via_is_completed(written: str, expected: str, port: int) -> None:
    assert via(written) == (expected, port)


def test_received_of_ipv6_has_no_brackets() -> None:
    source = Source("2001:db8:50::20", 40_000)
    assert via("SIP/2.0/UDP [2001:db8:50::20]:5060;rport", source) == (
        "SIP/2.0/UDP [2001:db8:50::20]:5060;rport=40000;received=2001:db8:50::20",
        40_000,
    )
    assert via("SIP/2.0/UDP [2001:db8:50::20]:5062", source) == (
        "SIP/2.0/UDP [2001:db8:50::20]:5062",
        5062,
    )


def test_only_the_topmost_via_is_touched() -> None:
    two = f"SIP/2.0/UDP {INSIDE};rport, SIP/2.0/UDP 192.0.2.1;rport"
    vias = Message(answered(invite(fields={"Via": two})).text).values("via")
    assert vias == [
        f"SIP/2.0/UDP {INSIDE};rport=40000;received={INSIDE}",
        "SIP/2.0/UDP 192.0.2.1;rport",
    ]


def tag_of(text: bytes, source: Source = PHONE, key: bytes = KEY) -> str:
    found = refusal(Message(text), source, 403, key=key, why="no")
    assert found is not None
    to = Message(found.text).name_addr("to")
    assert to is not None
    return to.tag


def test_the_tag_is_the_same_for_every_repeat_and_for_nothing_else() -> None:
    first = tag_of(invite())
    assert first == tag_of(invite())
    others = [
        tag_of(invite("0312345679")),
        tag_of(invite(fields={"Call-ID": "b"})),
        tag_of(invite(fields={"CSeq": "2 INVITE"})),
        tag_of(invite(fields={"Via": f"SIP/2.0/UDP {INSIDE};branch=z9hG4bKother"})),
        tag_of(invite(), Source("192.168.50.21", 40_000)),
        tag_of(invite(), key=bytes(32)),
    ]
    assert len({first, *others}) == 1 + len(others)


def test_a_tag_that_is_there_stays() -> None:
    assert tag_of(invite(fields={"To": "<sip:1@x>;tag=theirs"})) == "theirs"
    assert tag_of(invite(fields={"To": "sip:1@x;tag=theirs"})) == "theirs"


@pytest.mark.parametrize(
    "text",
    [
        *(sip(method) for method in ("ACK", "CANCEL")),
        response(200),
        *(
            invite(fields={name: None})
            for name in ("Via", "From", "To", "Call-ID", "CSeq")
        ),
        # Two that differ: nobody knows which of them the caller goes by.
        invite(fields={"From": "<sip:1@x>;tag=a\r\nFrom: <sip:2@x>;tag=b"}),
        invite(fields={"Via": "nonsense"}),
        invite(fields={"Via": ""}),
    ],
)
def test_what_gets_no_answer(text: bytes) -> None:
    assert refused(text) is None


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REFER", "MESSAGE"])
def test_every_other_request_gets_one(method: str) -> None:
    assert Message(answered(sip(method)).text).cseq[1] == method


def test_a_head_that_we_do_not_read_to_its_end_gets_no_answer() -> None:
    def found(filler: int) -> Response | None:
        return refused(invite(fields={"Subject": "x" * filler}))

    room = MAX_HEAD - len(invite(fields={"Subject": ""}))
    assert found(room) is not None
    assert found(room + 1) is None


def test_neither_the_number_nor_the_user_agent_comes_back_in_the_warning() -> None:
    lines = answered(invite("0103276123456")).text.split(b"\r\n")
    assert [line for line in lines if b"0103276123456" in line] == [
        next(line for line in lines if line.startswith(b"To: "))
    ]
    assert not any(line.startswith(b"User-Agent") for line in lines)


VALUE = st.binary(max_size=60)


@given(VALUE, VALUE, VALUE, VALUE)
def test_whatever_is_copied_the_answer_is_one_message(
    via: bytes, sender: bytes, receiver: bytes, call_id: bytes
) -> None:
    text = b"INVITE sip:1@x SIP/2.0\r\nVia: SIP/2.0/UDP " + via + b"\r\nFrom: " + sender
    text += b"\r\nTo: " + receiver + b"\r\nCall-ID: " + call_id
    text += b"\r\nCSeq: 1 INVITE\r\n\r\n"
    try:
        found = refused(text)
    except Malformed:
        return
    if found is None:
        return
    head, blank, body = found.text.partition(b"\r\n\r\n")
    assert (blank, body) == (b"\r\n\r\n", b"")
    assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n")
    assert head.startswith(b"SIP/2.0 403 Forbidden\r\nVia: ")
    assert head.endswith(b"\r\nContent-Length: 0")
    assert 0 < found.port < 65536


def test_the_answer_names_the_server_nowhere() -> None:
    assert ROUTER.encode() not in b"".join(
        line
        for line in answered(invite()).text.splitlines()
        if not line.startswith(b"To: ")
    )
