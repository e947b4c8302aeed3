"""Torture messages, other stacks' test vectors, attack tools: all read, none escapes.

What other parsers refuse we mostly read. A PBX may be more lenient than any of them,
and what it reads must have been held against the rules: refusing is for receivers.
"""

import csv
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from ringfence.sip.address import parse_via
from ringfence.sip.framing import next_message
from ringfence.sip.message import Message
from ringfence.sip.startline import looks_like_sip
from sip.examples import read

CORPUS: Final = Path(__file__).parents[2].parent / "shared" / "corpus"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not CORPUS.is_dir(), reason="no corpus beside the repository (../shared/corpus)"
    ),
]

MALFORMED: Final = {
    # A request without a version; every receiver we know drops it.
    "torture/rfc4475/test.dat",
    # RFC 4475 section 3.1.2.19: a status of ten digits. The second one is cut short.
    "vectors/jain-sip/torture-364.sip",
    "vectors/jain-sip/torture-365.sip",
}
"""What cannot be read, besides the vectors that are no messages but bodies and URIs."""

FLAWED: Final = {
    "torture/kamailio/bad_via3.sip": "sip.version",
    "torture/rfc4475/badvers.dat": "sip.version",
    "torture/rfc4475/mcl01.dat": "sip.repeated-field",
    "torture/rfc4475/ncl.dat": "sip.content-length",
    "vectors/jain-sip/torture-038.sip": "sip.version",
    "vectors/jain-sip/torture-352.sip": "sip.version",
    "vectors/jain-sip/torture-336.sip": "sip.repeated-field",
    "vectors/jain-sip/torture-374.sip": "sip.repeated-field",
    "vectors/pjsip/msg_test-001.sip": "sip.lone-cr",
}
"""Flaws that are meant."""

ACCIDENTS: Final = {None, "sip.no-blank-line", "sip.content-length"}
"""Of all others: they were cut out of source code, with LF for CRLF."""


class Reading(NamedTuple):
    """What we make of a message that another parser refuses."""

    method: str
    from_user: str
    to_user: str
    why: str
    """Why that is right for a firewall."""


READ_ALL_THE_SAME: Final = {
    "rfc4475/badaspec.dat": Reading(
        "OPTIONS",
        "a.g.bell",
        "t.watson",
        "Blanks inside the brackets of To: a lenient receiver strips them, so do we.",
    ),
    "rfc4475/badbranch.dat": Reading(
        "OPTIONS", "caller", "user", "An empty branch: only the transaction suffers."
    ),
    "rfc4475/badinv01.dat": Reading(
        "INVITE",
        "caller",
        "j.user",
        "Empty values in Via and Contact lists: passed over, the call goes on.",
    ),
    "rfc4475/badvers.dat": Reading(
        "OPTIONS",
        "a.g.bell",
        "t.watson",
        "SIP/7.0: a receiver that answers it all the same is no way past us; flagged.",
    ),
    "rfc4475/cparam01.dat": Reading(
        "REGISTER", "watson", "watson", "A valid message; an unknown Contact parameter."
    ),
    "rfc4475/escruri.dat": Reading(
        "INVITE",
        "caller",
        "user",
        "Header fields in the Request-URI: who ignores them calls the user.",
    ),
    "rfc4475/insuf.dat": Reading(
        "INVITE",
        "",
        "",
        "To, From and Call-ID are missing: the number dialled is in the Request-URI.",
    ),
    "rfc4475/inv2543.dat": Reading(
        "INVITE",
        "+13035551111",
        "+16505552222",
        "A valid RFC 2543 message: no tag, no branch, no Max-Forwards.",
    ),
    "rfc4475/invut.dat": Reading(
        "INVITE", "caller", "j.user", "A valid message; the body's type is unknown."
    ),
    "rfc4475/mcl01.dat": Reading(
        "OPTIONS",
        "other",
        "user",
        "Two lengths that differ: read, flagged, and on TCP no body is believed.",
    ),
    "rfc4475/mismatch02.dat": Reading(
        "NEWMETHOD",
        "caller",
        "j.user",
        "CSeq says INVITE: the start-line is what receivers act on.",
    ),
    "rfc4475/ncl.dat": Reading(
        "INVITE",
        "caller",
        "j.user",
        "A negative length: on UDP the datagram ends the body anyway; flagged.",
    ),
    "rfc4475/novelsc.dat": Reading(
        "OPTIONS", "caller", "user", "A valid message; the URI scheme is unknown."
    ),
    "rfc4475/regaut01.dat": Reading(
        "REGISTER", "j.user", "j.user", "A valid message; the scheme of its credentials is unknown."
    ),
    "rfc4475/regescrt.dat": Reading(
        "REGISTER", "user", "user", "A valid message; a Route is escaped in its Contact."
    ),
    "rfc4475/scalar02.dat": Reading(
        "REGISTER",
        "user",
        "user",
        "Numbers too large for 32 bits: text to us until somebody needs a number.",
    ),
    "rfc4475/sdp01.dat": Reading(
        "INVITE", "caller", "j_user", "A valid message; it accepts no SDP answer."
    ),
    "rfc4475/trws.dat": Reading(
        "OPTIONS",
        "local-resource",
        "remote-target",
        "Blanks behind the version: pjsip, chan_sip and Kamailio skip them.",
    ),
    "rfc4475/unkscm.dat": Reading(
        "OPTIONS", "caller", "user", "A valid message; the URI scheme is unknown."
    ),
    "rfc4475/zeromf.dat": Reading(
        "OPTIONS", "caller", "user", "A valid message with Max-Forwards 0."
    ),
}  # fmt: skip
"""Messages that one of the two parsers in `expected-opinions.csv` refuses."""


def files() -> list[Path]:
    folders = [CORPUS / name for name in ("torture", "vectors", "attack/messages")]
    found = [path for folder in folders for path in folder.rglob("*")]
    return sorted(path for path in found if path.is_file() and path.suffix != ".csv")


def name(path: Path) -> str:
    return path.relative_to(CORPUS).as_posix()


def is_message(path: Path) -> bool:
    """Tell messages from the XML bodies and the URIs among pjsip's fuzzing seeds."""
    return path.suffix not in (".xml", ".txt", ".uri")


@pytest.mark.parametrize("path", files(), ids=name)
def test_a_message_or_malformed(path: Path) -> None:
    raw = path.read_bytes()
    found = read(raw)
    assert (found is None) == (name(path) in MALFORMED or not is_message(path))
    if found is not None:
        assert looks_like_sip(raw)
        flaws = {FLAWED[name(path)]} if name(path) in FLAWED else ACCIDENTS
        assert found.anomaly in flaws
    # Cut short, and with something behind it: still one or the other.
    for size in range(0, len(raw), 13):
        read(raw[:size])
    read(raw + raw)


@pytest.mark.parametrize("path", files(), ids=name)
def test_the_same_from_a_stream(path: Path) -> None:
    """What is read from a datagram is read from a stream that ends there, too."""
    raw = path.read_bytes()
    alone = read(raw)
    if alone is None:
        return
    framed = next_message(raw, cut=True).message
    assert framed is not None
    assert framed.method == alone.method
    assert framed.request_uri == alone.request_uri
    for field in ("from", "to", "via", "contact", "call-id", "cseq"):
        assert framed.values(field) == alone.values(field)


def test_all_of_them_are_there() -> None:
    names = {name(path) for path in files()}
    assert len(names) > 370
    assert names >= MALFORMED
    assert names >= FLAWED.keys()


def opinions() -> list[dict[str, str]]:
    with (CORPUS / "torture" / "expected-opinions.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_what_others_refuse() -> None:
    refused = {
        row["file"]
        for row in opinions()
        if row["codewandler/sipx_expect"] != "ParseOk"
        or row["emiago/sipgo_dir"] == "invalid"
    }
    unread = {file.removeprefix("torture/") for file in MALFORMED}
    assert refused == READ_ALL_THE_SAME.keys() | (refused & unread)
    assert not READ_ALL_THE_SAME.keys() & unread


@pytest.mark.parametrize("file", READ_ALL_THE_SAME)
def test_what_we_read_in_it(file: str) -> None:
    expected = READ_ALL_THE_SAME[file]
    found = Message((CORPUS / "torture" / file).read_bytes())
    sender, receiver = found.name_addr("from"), found.name_addr("to")
    assert found.method == expected.method
    assert (sender.uri.user if sender else "") == expected.from_user
    assert (receiver.uri.user if receiver else "") == expected.to_user


def test_what_is_valid_and_tortuous() -> None:
    """Names, blanks, escapes and folds that only a whole grammar gets right."""
    torture = CORPUS / "torture"
    odd = Message((torture / "rfc4475" / "intmeth.dat").read_bytes())
    assert odd.method == "!interesting-Method0123456789_*+`.%indeed'~"
    sender, receiver = odd.name_addr("from"), odd.name_addr("to")
    assert sender is not None
    assert receiver is not None
    assert (sender.display, sender.uri.user) == (
        "token1~` token2'+_ token3*%!.-",
        "mundane",
    )
    assert sender.tag == "_token~1'+`*%!-."
    assert receiver.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert receiver.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"

    semicolon = Message((torture / "rfc4475" / "semiuri.dat").read_bytes())
    assert semicolon.request_uri == "sip:user;par=u%40example.net@example.com"

    mapped = Message((torture / "rfc5118" / "ipv4-mapped-ipv6").read_bytes())
    assert parse_via(mapped.values("via")[0]).host == "::ffff:192.0.2.10"
    literal = Message((torture / "rfc5118" / "port-unambiguous").read_bytes())
    assert literal.request_uri == "sip:[2001:db8::10]:5070"

    # pjsip's own test of how lenient it is: CR alone ends lines, LF folds.
    lenient = Message((CORPUS / "vectors" / "pjsip" / "msg_test-001.sip").read_bytes())
    sender, receiver = lenient.name_addr("from"), lenient.name_addr("to")
    assert sender is not None
    assert receiver is not None
    assert (sender.display, sender.uri.user) == ("Hi I'm Joe", "joe.user")
    assert (receiver.display, receiver.uri.user) == ("Fellow User", "user")
    assert len(lenient.values("contact")) == 3
    assert len(lenient.values("route")) == 2
    hosts = [parse_via(value).host for value in lenient.values("via")]
    assert hosts == [
        *("bigbox3.site3.atlanta.com", "pc33.atlanta.com", "10.2.1.1", "192.168.1.1")
    ]
