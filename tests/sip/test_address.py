"""From, To, Contact and Via values, lists, parameters and credentials."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.sip.address import (
    MAX_PARAMS,
    MAX_VALUES,
    NameAddr,
    Via,
    credential,
    param,
    parse_name_addr,
    parse_via,
    split_values,
    unquote,
)

SCRIBBLE = st.text('"\\<>,;:=@[]/ abcsip', max_size=40)

# text, display, URI as written, user, host, tag
NAME_ADDRS = [
    ("<sip:201@pbx>;tag=a", "", "sip:201@pbx", "201", "pbx", "a"),
    ("sip:201@pbx", "", "sip:201@pbx", "201", "pbx", ""),
    ("sip:201@pbx;tag=a;x", "", "sip:201@pbx", "201", "pbx", "a"),
    ("sip:201@pbx ; tag = a", "", "sip:201@pbx", "201", "pbx", "a"),
    ("sip:pbx;tag=a", "", "sip:pbx", "", "pbx", "a"),
    # RFC 4475 section 3.1.1.13: the ; is the user part's
    ("sip:user;par=u%40example.net@pbx;tag=a", "", None, "user;par=u%40example.net", "pbx", "a"),
    ('"Bob" <sip:201@pbx>', "Bob", "sip:201@pbx", "201", "pbx", ""),
    ('"Bob"<sip:201@pbx>;TAG=a', "Bob", "sip:201@pbx", "201", "pbx", "a"),
    ("Bob <sip:201@pbx>", "Bob", "sip:201@pbx", "201", "pbx", ""),
    ("Bob B. Bobson <sip:201@pbx>", "Bob B. Bobson", "sip:201@pbx", "201", "pbx", ""),
    ("  < sip:201@pbx > ; tag=a ", "", "sip:201@pbx", "201", "pbx", "a"),
    ('"" <sip:201@pbx>', "", "sip:201@pbx", "201", "pbx", ""),
    # Quoted strings: escapes, and what looks like structure inside them
    (r'"a\"b\\" <sip:201@pbx>', r'a"b' + "\\", "sip:201@pbx", "201", "pbx", ""),
    (r'"BEL:\a" <sip:201@pbx>', "BEL:a", "sip:201@pbx", "201", "pbx", ""),
    ('"a <sip:decoy@x>" <sip:201@pbx>', "a <sip:decoy@x>", "sip:201@pbx", "201", "pbx", ""),
    ('Bob "a<b" <sip:201@pbx>', 'Bob "a<b"', "sip:201@pbx", "201", "pbx", ""),
    ('"a;tag=x" <sip:201@pbx>;tag=a', "a;tag=x", "sip:201@pbx", "201", "pbx", "a"),
    ('"Doe, John" <sip:201@pbx>', "Doe, John", "sip:201@pbx", "201", "pbx", ""),
    ("Doe, John <sip:201@pbx>", "Doe, John", "sip:201@pbx", "201", "pbx", ""),
    ('<sip:201@pbx>;x="<;tag=b";tag=a', "", "sip:201@pbx", "201", "pbx", "a"),
    # Without brackets, display name or not
    ('"Bob" sip:201@pbx;tag=a', "Bob", "sip:201@pbx", "201", "pbx", "a"),
    # Unfinished
    ('"Bob <sip:201@pbx>', "Bob", "sip:201@pbx", "201", "pbx", ""),
    ('"a" "b <sip:201@pbx>', "a", "sip:201@pbx", "201", "pbx", ""),
    ("<sip:201@pbx", "", "sip:201@pbx", "201", "pbx", ""),
    ("<>", "", "", "", "", ""),
    ("*", "", "*", "*", "", ""),
    ("", "", "", "", "", ""),
    ("<sip:201@[2001:db8::1]:5070>;tag=a", "", None, "201", "2001:db8::1", "a"),
    ("<tel:+81312345678>", "", "tel:+81312345678", "+81312345678", "", ""),
    ("はなこ <sip:201@pbx>", "はなこ", "sip:201@pbx", "201", "pbx", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "display", "uri", "user", "host", "tag"), NAME_ADDRS)
def test_name_addr(
    text: str, display: str, uri: str | None, user: str, host: str, tag: str
) -> None:
    found = parse_name_addr(text)
    assert (found.display, found.uri.user, found.uri.host) == (display, user, host)
    assert found.tag == tag
    if uri is not None:
        assert found.uri_text == uri


@pytest.mark.parametrize("case", NAME_ADDRS)
def test_name_addr_truncated_and_with_more_behind(case: tuple[str, ...]) -> None:
    text = case[0]
    for size in range(len(text)):
        assert isinstance(parse_name_addr(text[:size]), NameAddr)
    if text.endswith(">"):
        assert parse_name_addr(text + ";tag=z").tag == "z"
        assert parse_name_addr(text + " \t ") == parse_name_addr(text)


@pytest.mark.parametrize(
    ("params", "value"),
    [
        (";branch=z9", "z9"),
        ("; x = 1 ; Branch = z9 ", "z9"),
        (';branch="z9"', "z9"),
        (r';branch="z\"9"', 'z"9'),
        (';x=";branch=no";branch=z9', "z9"),
        (';x="branch=no;branch=z9', ""),
        (";branch", ""),
        (";branch=", ""),
        (";branch=a=b", "a=b"),
        (";branch=a;branch=b", "a"),
        (";xbranch=a", ""),
        ("branch=z9", "z9"),
        ("", ""),
    ],
)
def test_param(params: str, value: str) -> None:
    assert param(params, "branch") == value


@pytest.mark.parametrize("filler", [";x", ';x="y"'])
def test_params_looked_at(filler: str) -> None:
    assert param(filler * (MAX_PARAMS - 1) + ";tag=a", "tag") == "a"
    assert param(filler * MAX_PARAMS + ";tag=a", "tag") == ""


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("token", "token"),
        (" token ", "token"),
        ('"quoted"', "quoted"),
        (' "quoted" rest', "quoted"),
        (r'"a\\\"b"', r"a\"b"),
        ('"open', "open"),
        ('"', ""),
        ('""', ""),
        ("", ""),
    ],
)
def test_unquote(text: str, plain: str) -> None:
    assert unquote(text) == plain


VALUES = {
    "<sip:a@x>": ["<sip:a@x>"],
    "<sip:a@x>, <sip:b@y>": ["<sip:a@x>", "<sip:b@y>"],
    " a , b ,c ": ["a", "b", "c"],
    ",a,,b,": ["a", "b"],
    '"x, y" <sip:a@x>, <sip:b@y;p=",">': ['"x, y" <sip:a@x>', '<sip:b@y;p=",">'],
    r'"x\", y" <sip:a@x>,b': [r'"x\", y" <sip:a@x>', "b"],
    "<sip:a,b@x>,c": ["<sip:a,b@x>", "c"],
    '<sip:a@x>;p="<,>",c': ['<sip:a@x>;p="<,>"', "c"],
    '"never, ends': ['"never, ends'],
    "<never, ends": ["<never, ends"],
    "SIP/2.0/UDP a;x=1,SIP/2.0/UDP b": ["SIP/2.0/UDP a;x=1", "SIP/2.0/UDP b"],
    "*": ["*"],
    ",,,": [],
    "  ": [],
    "": [],
}


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    assert split_values(text) == VALUES[text]


def test_values_read_of_one_line() -> None:
    values = [f"<sip:{number}@x>" for number in range(MAX_VALUES + 1)]
    assert split_values(",".join(values[:-1])) == values[:-1]
    assert split_values(",".join(values)) == values[:-1]


@pytest.mark.parametrize(
    ("text", "via"),
    [
        ("SIP/2.0/UDP pbx", ("UDP", "pbx", "")),
        ("SIP/2.0/UDP PBX:5060;branch=a", ("UDP", "pbx", "a")),
        ("SIP/2.0/tcp 192.0.2.1;rport;branch=a", ("TCP", "192.0.2.1", "a")),
        ("SIP/2.0/UDP\tpbx ;branch=a", ("UDP", "pbx", "a")),
        # RFC 4475 section 3.1.1.1
        (" SIP  / 2.0  /  TCP  \t spindle.example.com ; branch = a ; x", ("TCP", "spindle.example.com", "a")),
        ("SIP/2.0/UDP 192.168.255.111 : 5060", ("UDP", "192.168.255.111", "")),
        ("SIP/2.0/UDP pbx :5060", ("UDP", "pbx", "")),
        # RFC 5118 sections 4.1 and 4.5
        ("SIP/2.0/UDP [2001:DB8::9:1];branch=a", ("UDP", "2001:db8::9:1", "a")),
        ("SIP/2.0/UDP [2001:db8::9:1]:5060;received=[::1]", ("UDP", "2001:db8::9:1", "")),
        ("SIP/2.0/UDP 2001:db8::9:1;branch=a", ("UDP", "2001:db8::9:1", "a")),
        ("SIP/2.0/UDP 8.8.8.8/x;branch=a", ("UDP", "8.8.8.8/x", "a")),
        ('SIP/2.0/UDP pbx;x=";branch=b";branch=a', ("UDP", "pbx", "a")),
        # Another shape
        ("SIP/2.0/UDP", ("", "udp", "")),
        ("SIP/2.0/UDP ;branch=a", ("", "udp", "a")),
        ("UDP pbx", ("UDP", "pbx", "")),
        ("pbx", ("", "pbx", "")),
        (";branch=a", ("", "", "a")),
        ("", ("", "", "")),
    ],
)  # fmt: skip
def test_via(text: str, via: tuple[str, str, str]) -> None:
    found = parse_via(text)
    assert (found.transport, found.host, found.branch) == via
    for size in range(len(text)):
        assert isinstance(parse_via(text[:size]), Via)


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ('Digest username="201", realm="pbx"', "201"),
        ('Digest realm="pbx",username="201"', "201"),
        ("Digest username=201,realm=pbx", "201"),
        ('  DIGEST  Username = "201" ', "201"),
        ('username="201"', "201"),
        (r'Digest username="a\"b"', 'a"b'),
        ('Digest realm="username=no, username=no", username="201"', "201"),
        ('Digest realm="x", cnonce="username=\\"no\\"", username="201"', "201"),
        ('Digest xusername="no"', None),
        ('Digest username=""', ""),
        ("Digest username", None),
        ('Digest realm="pbx', None),
        ("Basic MjAxOnNlY3JldA==", None),
        ("", None),
    ],
)
def test_credential(text: str, user: str | None) -> None:
    assert credential(text, "username") == user


def test_credential_parameters_looked_at() -> None:
    assert credential("Digest " + "a=b," * (MAX_PARAMS - 1) + "username=c", "username")
    assert not credential("Digest " + "a=b," * MAX_PARAMS + "username=c", "username")


@given(SCRIBBLE)
def test_any_text_gives_an_address_and_invents_nothing(text: str) -> None:
    found = parse_name_addr(text)
    assert found.uri_text in text
    assert found.params in text
    via = parse_via(text)
    assert via.host in text.lower()
    assert via.params in text
    assert all(value in text for value in split_values(text))
    _ = found.tag, via.branch, credential(text, "username"), unquote(text)


@given(SCRIBBLE, SCRIBBLE)
def test_no_quoted_display_name_hides_the_address(display: str, more: str) -> None:
    quoted = display.replace("\\", "\\\\").replace('"', '\\"')
    found = parse_name_addr(f'"{quoted}" <sip:201@pbx>;x="{quoted}";tag=a')
    assert found.uri.user == "201"
    assert found.tag == "a"
    assert found.display == display or not display
    assert split_values(f'"{quoted}" <sip:201@pbx>, {more}')[0].endswith("@pbx>")


HOSTILE = {
    "commas": ",",
    "quotes": '"',
    "escapes": '"\\',
    "backslashes": "\\",
    "open brackets": "<",
    "closed": "<>",
    "quote and bracket": '"<',
    "semicolons": ";",
    "colons": ":",
    "ats": "@",
    "slashes": "/",
    "blanks": " ",
    "mixed": 'a,"b\\"<c>;d=',
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_cost_grows_no_faster_than_the_text(piece: str) -> None:
    """Eight times the text may cost 24 times as much; 64 times would be quadratic."""

    def cost(size: int) -> float:
        text = piece * (size // len(piece))
        best = 1.0
        for _ in range(5):
            start = process_time()
            found = parse_name_addr('"x' + text)
            _ = found.tag
            _ = parse_name_addr(text).tag
            _ = parse_via(text).branch
            split_values(text)
            split_values('"' + text)
            param('"' + text, "tag")
            credential(text, "username")
            best = min(best, process_time() - start)
        return best

    assert cost(65_536) < 24 * cost(8_192) + 0.001
