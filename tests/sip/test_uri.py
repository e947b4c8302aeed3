"""URIs as they are written, honestly and otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.sip.uri import Uri, parse_uri, split_host

CASES = {
    # RFC 3261 section 19.1.3
    "sip:alice@atlanta.com": Uri("sip", "alice", "atlanta.com", "", ""),
    "sip:alice:secretword@atlanta.com;transport=tcp": Uri(
        "sip", "alice", "atlanta.com", "", ";transport=tcp"
    ),
    "sips:alice@atlanta.com?subject=project%20x&priority=urgent": Uri(
        "sips", "alice", "atlanta.com", "", "?subject=project%20x&priority=urgent"
    ),
    "sip:+1-212-555-1212:1234@gateway.com;user=phone": Uri(
        "sip", "+1-212-555-1212", "gateway.com", "", ";user=phone"
    ),
    "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com": Uri(
        "sip", "", "atlanta.com", "", ";method=REGISTER?to=alice%40atlanta.com"
    ),
    "sip:alice;day=tuesday@atlanta.com": Uri(
        "sip", "alice;day=tuesday", "atlanta.com", "", ""
    ),
    # Case, ports, blanks
    "SIP:Alice@Atlanta.COM:5070": Uri("sip", "Alice", "atlanta.com", "5070", ""),
    "  sip : 201 @ pbx : 5060 ;lr ": Uri("sip", "201", "pbx", "5060", ";lr"),
    "sip:pbx": Uri("sip", "", "pbx", "", ""),
    "sip:201@pbx?a=b;c": Uri("sip", "201", "pbx", "", "?a=b;c"),
    "sip:201@": Uri("sip", "201", "", "", ""),
    "sip:@pbx": Uri("sip", "", "pbx", "", ""),
    "sip:": Uri("sip", "", "", "", ""),
    # The first @ ends the user part: for pjsip, chan_sip, Kamailio and Sofia-SIP.
    "sip:100@pbx@other": Uri("sip", "100", "pbx@other", "", ""),
    "sip:0102325@pbx;x=@y": Uri("sip", "0102325", "pbx", "", ";x=@y"),
    "sip:0102325@pbx?x=@y": Uri("sip", "0102325", "pbx", "", "?x=@y"),
    "sip:100?x@pbx": Uri("sip", "100?x", "pbx", "", ""),
    "sip:100:pw:more@pbx": Uri("sip", "100", "pbx", "", ""),
    "sip:%31%30%30@pbx": Uri("sip", "%31%30%30", "pbx", "", ""),
    # Angle brackets: RFC 4475 section 3.1.2.7; chan_sip takes them off.
    "<sip:100@pbx>": Uri("sip", "100", "pbx", "", ""),
    "< sip:100@pbx;lr > ;x": Uri("sip", "100", "pbx", "", ";lr"),
    "<sip:100@pbx": Uri("sip", "100", "pbx", "", ""),
    # IPv6, RFC 5118
    "sip:user@[2001:DB8::10]": Uri("sip", "user", "2001:db8::10", "", ""),
    "sip:[2001:db8::10]:5070;lr": Uri("sip", "", "2001:db8::10", "5070", ";lr"),
    "sip:user@[2001:db8::10": Uri("sip", "user", "2001:db8::10", "", ""),
    "sip:user@[2001:db8::10]x:1": Uri("sip", "user", "2001:db8::10", "x:1", ""),
    "sip:2001:db8::10": Uri("sip", "", "2001:db8::10", "", ""),
    "sip:user@2001:db8::10": Uri("sip", "user", "2001:db8::10", "", ""),
    # Other schemes
    "tel:+81-3-1234-5678": Uri("tel", "+81-3-1234-5678", "", "", ""),
    "TEL:7042;phone-context=example.com": Uri(
        "tel", "7042;phone-context=example.com", "", "", ""
    ),
    "urn:service:sos.fire": Uri("urn", "service:sos.fire", "", "", ""),
    "soap.beep://192.0.2.103:3002": Uri("", "soap.beep://192.0.2.103:3002", "", "", ""),
    "nobody-knows+it:what?": Uri("nobody-knows+it", "what?", "", "", ""),
    # Bare dial strings
    "0312345678": Uri("", "0312345678", "", "", ""),
    "+81:5": Uri("", "+81:5", "", "", ""),
    "0100:5060": Uri("", "0100:5060", "", "", ""),
    "-x:5060": Uri("", "-x:5060", "", "", ""),
    ":100": Uri("", ":100", "", "", ""),
    "*": Uri("", "*", "", "", ""),
    "": Uri("", "", "", "", ""),
}


@pytest.mark.parametrize("text", CASES)
def test_parts(text: str) -> None:
    assert parse_uri(text) == CASES[text]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("pbx", "pbx", ""),
        ("PBX:5060", "pbx", "5060"),
        (" pbx : 5060 ", "pbx", "5060"),
        ("pbx:", "pbx", ""),
        (":5060", "", "5060"),
        ("[::1]", "::1", ""),
        ("[::1] : 5060", "::1", "5060"),
        ("[ ::1 ]:5060", "::1", "5060"),
        ("[::1", "::1", ""),
        ("[", "", ""),
        ("::1", "::1", ""),
        ("2001:db8::9:5060", "2001:db8::9:5060", ""),
        ("192.0.2.1:5060", "192.0.2.1", "5060"),
        ("", "", ""),
    ],
)
def test_host_and_port(text: str, host: str, port: str) -> None:
    assert split_host(text) == (host, port)


@pytest.mark.parametrize("text", CASES)
def test_truncated_anywhere_it_is_still_split(text: str) -> None:
    for size in range(len(text)):
        assert isinstance(parse_uri(text[:size]), Uri)


@given(st.one_of(st.text(), st.text("sip:;?@[]<>0 ")))
def test_any_text_gives_a_uri_and_invents_nothing(text: str) -> None:
    uri = parse_uri(text)
    for part in uri:
        assert part.lower() in text.lower()


@given(
    st.from_regex(r"[0-9A-Za-z;?/%+.-]{1,30}", fullmatch=True), st.text("ab.:1[];?@")
)
def test_nothing_behind_the_user_part_changes_it(user: str, rest: str) -> None:
    assert parse_uri(f"sip:{user}@{rest}").user == user
