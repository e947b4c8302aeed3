"""URIs as SIP carries them, split without judging.

Knows the shape of `sip:`, `sips:` and `tel:` URIs (RFC 3261 section 19.1, RFC 3966
section 3) and keeps any other scheme whole. It must not decode, normalise or refuse:
what a thief writes is what the number reader has to see, so nothing here raises.
"""

from typing import NamedTuple


class Uri(NamedTuple):
    """The parts of one URI, as written (percent-encoding kept)."""

    scheme: str
    """Lower case, without the colon; "" when there is none (a bare dial string)."""
    user: str
    """The user part with its own parameters (`+81…;isub=1`); for `tel:` and for
    schemes without a host, all that follows the colon; "" when there is none."""
    host: str
    """Lower case, brackets of an IPv6 literal removed; "" when there is none."""
    port: str
    """Digits as written; "" when absent."""
    params: str
    """What follows the host from the first `;` or `?` on, that character included."""


def parse_uri(text: str) -> Uri:
    """Split a URI, or a bare dial string, into its parts.

    RFC 3261 section 19.1.1: `sip:user:password@host:port;uri-parameters?headers`.
    The user part may itself hold `;`, `?` and `/`, and no part may hold a second `@`,
    so the first one ends it: pjsip, chan_sip, Kamailio and Sofia-SIP split there too.
    Angle brackets are taken off, as chan_sip does even in a Request-URI.
    """
    text = text.strip()
    if text[:1] == "<":
        text = text[1:].partition(">")[0].strip()
    scheme, colon, rest = text.partition(":")
    if scheme != "sip":  # as most write it
        scheme = scheme.strip().lower()
        if not colon or not _is_scheme(scheme):
            return Uri("", text, "", "", "")
        if scheme not in ("sip", "sips"):
            return Uri(scheme, rest.strip(), "", "", "")

    user, at, authority = rest.partition("@")
    if at:
        user = user.partition(":")[0].strip()
    else:
        user, authority = "", rest
    cut = authority.find(";")
    headers = authority.find("?", 0, cut if cut >= 0 else len(authority))
    if headers >= 0:
        cut = headers
    params = ""
    if cut >= 0:
        authority, params = authority[:cut], authority[cut:]
    host, port = split_host(authority)
    return Uri(scheme, user, host, port, params)


def split_host(text: str) -> tuple[str, str]:
    """Split `host:port` as in URIs and Via; the host comes back in lower case.

    RFC 3261 section 25.1 wants an IPv6 address in brackets; one without (RFC 5118
    section 4.5 shows them) is taken whole, as its last group cannot be told from a
    port.
    """
    text = text.strip().lower()
    if text[:1] == "[":
        host, _, after = text[1:].partition("]")
        return host.strip(), after.strip().removeprefix(":").strip()
    host, colon, port = text.partition(":")
    if colon:
        if ":" in port:
            return text, ""
        return host.rstrip(), port.lstrip()
    return host, ""


def _is_scheme(text: str) -> bool:
    """RFC 3986 section 3.1, minus the dot: "03.5555:5060" is no scheme."""
    return (
        text.replace("+", "").replace("-", "").isalnum()
        and not text[0].isdigit()
        and text[0] not in "+-"
    )
