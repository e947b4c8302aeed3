"""Header field values that hold addresses: From, To, Contact, Via.

Knows name-addr and addr-spec (RFC 3261 section 25.1), comma-separated lists with
quoted strings, and Via (section 20.42). Lenient like its callers: whatever a value
holds, something is returned, and no input costs more than one pass.
"""

from typing import Final, NamedTuple

from ringfence.sip.uri import Uri, parse_uri

MAX_VALUES: Final = 32
"""Values read of one list field; a REGISTER with more bindings is not a phone's."""


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
    host: str
    """Lower case, brackets of an IPv6 literal removed."""
    params: str

    @property
    def branch(self) -> str:
        """The branch parameter (RFC 3261 section 8.1.1.7), or ""."""
        return param(self.params, "branch")


def param(params: str, name: str) -> str:
    """Return the value of one `;name=value` parameter, or ""."""
    for part in params.split(";"):
        key, _, value = part.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"')
    return ""


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


def parse_name_addr(text: str) -> NameAddr:
    """Read a From-, To- or Contact-like value; see `NameAddr`.

    Without angle brackets every `;` belongs to the field, not to the URI
    (RFC 3261 section 20.10).
    """
    text = text.strip()
    display = ""
    if text[:1] == '"':
        end = _closing_quote(text, 1)
        if end > 0:
            display = text[1:end].replace('\\"', '"')
            text = text[end + 1 :].lstrip()
    opening = text.find("<")
    if opening >= 0:
        if not display:
            display = text[:opening].strip()
        inside, _, params = text[opening + 1 :].partition(">")
        inside = inside.strip()
        return NameAddr(display, parse_uri(inside), inside, params.strip())
    uri_text, semicolon, params = _split_bare(text)
    return NameAddr(display, parse_uri(uri_text), uri_text, semicolon + params)


def _split_bare(text: str) -> tuple[str, str, str]:
    """Split an addr-spec from its field's parameters.

    A `;` before the `@` belongs to the user part (RFC 4475 section 3.1.1.13).
    """
    at = text.find("@")
    semicolon = text.find(";", at + 1 if at >= 0 else 0)
    if semicolon < 0:
        return text.strip(), "", ""
    return text[:semicolon].strip(), ";", text[semicolon + 1 :]


def split_values(text: str) -> list[str]:
    """Split a list field at its commas, minding quotes and angle brackets."""
    if "," not in text:
        text = text.strip()
        return [text] if text else []
    found: list[str] = []
    start = at = 0
    size = len(text)
    while at < size and len(found) < MAX_VALUES:
        char = text[at]
        if char == '"':
            end = _closing_quote(text, at + 1)
            at = size if end < 0 else end + 1
        elif char == "<":
            end = text.find(">", at)
            at = size if end < 0 else end + 1
        elif char == ",":
            found.append(text[start:at].strip())
            at += 1
            start = at
        else:
            at += 1
    if len(found) < MAX_VALUES:
        found.append(text[start:].strip())
    return [value for value in found if value]


def parse_via(text: str) -> Via:
    """Read one Via value; white space may stand around every part of it."""
    head, semicolon, params = text.partition(";")
    protocol, _, sent_by = head.strip().rpartition(" ")
    if sent_by.startswith(":"):  # "host :5060": the port got parted from its host
        protocol, _, host = protocol.rstrip().rpartition(" ")
        sent_by = host + sent_by
    transport = protocol.rpartition("/")[2].strip().upper()
    if sent_by.startswith("["):
        host = sent_by[1:].partition("]")[0]
    else:
        host = sent_by.partition(":")[0]
    return Via(transport, host.strip().lower(), semicolon + params)
