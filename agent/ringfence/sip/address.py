"""Header field values that hold addresses: From, To, Contact, Via.

Knows name-addr and addr-spec (RFC 3261 section 25.1), lists and parameters with
quoted strings in them, and Via (section 20.42). Lenient like its callers: whatever a
value holds, something is returned, and no input costs more than one pass.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from ringfence.sip.uri import Uri, parse_uri, split_host

MAX_VALUES: Final = 70
"""Values read of one list field. Max-Forwards starts at 70 (RFC 3261 section 8.1.1.6),
so no honest message gathers more Vias, and no phone has as many bindings."""

MAX_PARAMS: Final = 32
"""Parameters of one value that are looked at; phones send fewer than ten."""

# RFC 3261 section 25.1: quoted-pair  =  "\" (%x00-09 / %x0B-0C / %x0E-7F)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_QUOTE_OR_COMMA = re.compile('[",]')
_QUOTE_BRACKET_OR_COMMA = re.compile('[",<]')
_QUOTE_OR_SEMICOLON = re.compile('[";]')
_QUOTE_OR_BRACKET = re.compile('["<]')


class NameAddr(NamedTuple):
    """`"Display" <uri>;params`, taken apart."""

    display: str
    """Without its quotes; "" when absent."""
    uri: Uri
    uri_text: str
    params: str
    """From the first `;` after the address on, or ""."""

    @property
    def tag(self) -> str:
        """The tag parameter (RFC 3261 section 19.3), or ""."""
        return param(self.params, "tag")


class Via(NamedTuple):
    """One Via value: `SIP/2.0/UDP host:port;params`."""

    transport: str
    """Upper case; "" when the value has another shape."""
    host: str
    """Lower case, brackets of an IPv6 literal removed."""
    params: str

    @property
    def branch(self) -> str:
        """The branch parameter (RFC 3261 section 8.1.1.7), or ""."""
        return param(self.params, "branch")


def param(params: str, name: str) -> str:
    """Return the value of one `;name=value` parameter, or ""."""
    if '"' in params:
        parts = _split(params, _QUOTE_OR_SEMICOLON, MAX_PARAMS + 1)
    else:
        parts = params.split(";", MAX_PARAMS + 1)[: MAX_PARAMS + 1]
    for part in parts:
        key, _, value = part.partition("=")
        if key.strip().lower() == name:
            return unquote(value)
    return ""


def unquote(text: str) -> str:
    """Strip a token, or undo the quotes and escapes of a quoted-string."""
    text = text.strip()
    if text[:1] != '"':
        return text
    end = _closing_quote(text, 1)
    return _unescape(text[1:] if end < 0 else text[1:end])


def _unescape(text: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", text) if "\\" in text else text


def _closing_quote(text: str, start: int) -> int:
    """Index of the `"` that ends a quoted-string opened before `start`, or -1."""
    at = start
    while True:
        at = text.find('"', at)
        if at < 0:
            return -1
        escapes = at
        while escapes > start and text[escapes - 1] == "\\":
            escapes -= 1
        if (at - escapes) % 2 == 0:
            return at
        at += 1


def _pieces(text: str, marks: re.Pattern[str]) -> Iterator[str]:
    """Split at a mark outside quotes and angle brackets, as far as somebody asks."""
    start = at = 0
    while mark := marks.search(text, at):
        at = mark.end()
        if mark[0] == '"':
            at = _closing_quote(text, at) + 1
        elif mark[0] == "<":
            at = text.find(">", at) + 1
        else:
            yield text[start : at - 1]
            start = at
        if at == 0:  # no end in sight: the rest is one piece
            break
    yield text[start:]


def _split(text: str, marks: re.Pattern[str], most: int) -> list[str]:
    """Return the first `most` pieces."""
    return list(islice(_pieces(text, marks), most))


def parse_name_addr(text: str) -> NameAddr:
    """Read a From-, To- or Contact-like value; see `NameAddr`.

    Without angle brackets every `;` belongs to the field, not to the URI
    (RFC 3261 section 20.10).
    """
    text = text.strip()
    display = ""
    start = 0
    if text[:1] == '"':
        start = _closing_quote(text, 1) + 1
        display = _unescape(text[1 : start - 1]) if start else ""
    opening = text.find("<", start)
    if opening >= 0 and text.find('"', start, opening) >= 0:
        opening = _opening_bracket(text, start)
    if opening >= 0:
        display = display or unquote(text[start:opening])
        inside, _, params = text[opening + 1 :].partition(">")
        inside = inside.strip()
        return NameAddr(display, parse_uri(inside), inside, params.strip())
    uri_text, semicolon, params = _split_bare(text[start:].lstrip())
    return NameAddr(display, parse_uri(uri_text), uri_text, semicolon + params)


def _opening_bracket(text: str, start: int) -> int:
    """Index of the first `<` from `start` on that is not inside quotes, or -1."""
    while mark := _QUOTE_OR_BRACKET.search(text, start):
        if mark[0] == "<":
            return mark.start()
        start = _closing_quote(text, mark.end()) + 1
        if start == 0:  # a quote that never ends quotes nothing
            return text.find("<", mark.end())
    return -1


def _split_bare(text: str) -> tuple[str, str, str]:
    """Split an addr-spec from its field's parameters.

    A `;` before the `@` belongs to the user part (RFC 4475 section 3.1.1.13).
    """
    at = text.find("@")
    semicolon = text.find(";", at + 1)
    if semicolon < 0:
        return text, "", ""
    return text[:semicolon].rstrip(), ";", text[semicolon + 1 :]


def split_values(text: str, most: int = MAX_VALUES) -> list[str]:
    """Split a list field at its commas, minding quotes and angle brackets.

    Of more than `most` values the first are returned.
    """
    if "," not in text:
        text = text.strip()
        return [text] if text else []
    values = _split(text, _QUOTE_BRACKET_OR_COMMA, most)
    return [value for value in map(str.strip, values) if value]


def parse_via(text: str) -> Via:
    """Read one Via value; white space may stand around every part of it.

    RFC 3261 section 25.1: via-parm = sent-protocol LWS sent-by *( SEMI via-params ),
    sent-protocol = protocol-name SLASH protocol-version SLASH transport.
    """
    head, semicolon, params = text.partition(";")
    words = head.split("/", 2)[-1].split(None, 1)
    transport = words[0].upper() if len(words) == 2 else ""
    host = split_host(words[-1])[0] if words else ""
    return Via(transport, host, semicolon + params)


def credential(text: str, name: str) -> str | None:
    """Return one parameter of credentials such as `Digest username="…", …`.

    RFC 7616 section 3.4. None when there is no such parameter.
    """
    scheme, _, params = text.strip().partition(" ")
    if "=" in scheme:  # no scheme at all
        params = text
    for part in islice(_pieces(params, _QUOTE_OR_COMMA), MAX_PARAMS):
        key, equals, value = part.partition("=")
        if equals and key.strip().lower() == name:
            return unquote(value)
    return None
