"""Messages of a dialog: headers that match, checksums, and digests."""

import pytest
from builders import NOW
from chance import Chance
from dialogs import Agent, Dialog, Line, branch_of, challenge, credentials, proof
from ringfence.decode import Decoder
from ringfence.packet import Datagram, Packet
from ringfence.sip.message import Message

INSIDE = Agent("192.168.50.2", 5060, "203.0.113.1", 5060, "Office", "203.0.113.1")
OUTSIDE = Agent("198.51.100.50", 5062, "198.51.100.50", 5062, "Carrier")


@pytest.fixture
def dialog() -> Dialog:
    return Dialog(
        INSIDE,
        OUTSIDE,
        uri="sip:0311110000@itsp.example.jp",
        from_="<sip:0312345600@itsp.example.jp>",
        to="<sip:0311110000@itsp.example.jp>",
        call_id="one@203.0.113.1",
        contacts=("0312345600", "0311110000"),
        chance=Chance("dialog"),
    )


def read(packet: bytes) -> tuple[Datagram, Message]:
    unit = Decoder().decode(Packet(packet, length=len(packet)), NOW)
    assert isinstance(unit, Datagram)
    message = Message(unit.payload)
    message.check_length(cut=False)
    assert message.anomaly is None
    assert message.content_length == len(unit.payload) - message.body_start
    return unit, message


def test_a_request_goes_to_the_other_end(dialog: Dialog) -> None:
    unit, message = read(dialog.request("INVITE", 7, body=dialog.offer()))
    assert (unit.src, unit.sport) == (bytes([192, 168, 50, 2]), 5060)
    assert (unit.dst, unit.dport) == (bytes([198, 51, 100, 50]), 5062)
    assert message.method == "INVITE"
    assert message.request_uri == dialog.uri
    assert message.cseq == ("7", "INVITE")
    assert message.field("contact") == "<sip:0312345600@203.0.113.1:5060>"
    assert ";tag=" not in (message.field("to") or "")


def test_an_answer_has_what_the_request_had(dialog: Dialog) -> None:
    _, asked = read(dialog.request("INVITE", 7))
    unit, answer = read(dialog.answer("200 OK", 7, "INVITE", body=dialog.accepted()))
    assert unit.src == bytes([198, 51, 100, 50])
    assert answer.status == 200
    assert answer.branch == asked.branch != ""
    for name in ("from", "call-id", "cseq"):
        assert answer.field(name) == asked.field(name)
    assert answer.field("to") == f"{asked.field('to')};tag={dialog.to_tag}"
    assert "received=203.0.113.1;rport=5060" in answer.values("via")[0]


def test_what_the_called_end_asks_has_the_tags_the_other_way_round(
    dialog: Dialog,
) -> None:
    _, invite = read(dialog.request("INVITE", 7))
    unit, bye = read(dialog.request("BYE", 1, within=True, back=True))
    assert unit.src == bytes([198, 51, 100, 50])
    assert bye.field("to") == invite.field("from")
    assert bye.field("from") == f"{invite.field('to')};tag={dialog.to_tag}"
    assert bye.request_uri == "sip:0312345600@203.0.113.1:5060"
    unit, answer = read(dialog.answer("200 OK", 1, "BYE", back=True))
    assert unit.src == bytes([192, 168, 50, 2])
    assert answer.branch == bye.branch != invite.branch
    assert answer.field("to") == bye.field("to")


def test_a_cancel_is_of_its_invite(dialog: Dialog) -> None:
    branch = branch_of(7, "INVITE")
    _, invite = read(dialog.request("INVITE", 7))
    _, cancel = read(dialog.request("CANCEL", 7, branch=branch))
    _, answer = read(dialog.answer("200 OK", 7, "CANCEL", branch=branch))
    assert cancel.branch == answer.branch == invite.branch
    assert cancel.request_uri == invite.request_uri
    assert cancel.field("to") == invite.field("to")
    assert cancel.cseq == ("7", "CANCEL")


@pytest.mark.parametrize("size", [0, 1, 2, 501])
def test_checksums_add_up(dialog: Dialog, size: int) -> None:
    packet = dialog.request("INVITE", 7, body="x" * size)
    assert folded(packet[:20]) == 0xFFFF
    udp = packet[20:]
    pseudo = packet[12:20] + bytes([0, 17]) + len(udp).to_bytes(2)
    assert folded(pseudo + udp) == 0xFFFF


def folded(data: bytes) -> int:
    """Add 16-bit words with end-around carry (RFC 1071), one after the other."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"))
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_a_proof_is_that_of_the_example_in_rfc_2617() -> None:
    line = Line("Mufasa", "testrealm@host.com", "Circle Of Life")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    shown = proof(line, "GET", "/dir/index.html", nonce, "00000001", "0a4f113b")
    assert shown == "6629fae49393a05397450978507c4ef1"


def test_credentials_answer_their_challenge(dialog: Dialog) -> None:
    line = Line("0312345600", "itsp.example.jp", "secret")
    asks = challenge("WWW-Authenticate", line.realm, "abc", stale=True)
    _, refused = read(dialog.answer("401 Unauthorized", 1, "REGISTER", fields=asks))
    assert 'nonce="abc"' in (refused.field("www-authenticate") or "")
    assert "stale=true" in (refused.field("www-authenticate") or "")
    shown = credentials("Authorization", line, "REGISTER", dialog.uri, "abc", 2)
    _, again = read(dialog.request("REGISTER", 2, fields=shown))
    assert again.credentials is not None
    assert again.auth_user == "0312345600"
    assert b'nonce="abc"' in again.credentials
    assert b"nc=00000002" in again.credentials
