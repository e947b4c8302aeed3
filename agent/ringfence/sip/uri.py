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


_HIERARCHICAL = frozenset({"sip", "sips"})


def parse_uri(text: str) -> Uri:
    """Split a URI, or a bare dial string, into its parts.

    RFC 3261 section 19.1.1: `sip:user:password@host:port;uri-parameters?headers`.
    The user part may itself hold `;`, `?` and `/`, so `@` is looked for first; of
    several the last one ahead of the headers counts, as receivers split there.
    """
    scheme, colon, rest = text.strip().partition(":")
    scheme = scheme.strip().lower()
    if not colon or not scheme.replace("+", "").replace("-", "").isalnum():
        return Uri("", text.strip(), "", "", "")
    if scheme[0].isdigit() or scheme[0] in "+-":  # "0100:5060" is no scheme
        return Uri("", text.strip(), "", "", "")
    if scheme not in _HIERARCHICAL:
        return Uri(scheme, rest.strip(), "", "", "")

    first_at = rest.find("@")
    if first_at < 0:
        user, authority = "", rest
    else:
        headers = rest.find("?", first_at)
        at = rest.rfind("@", 0, headers if headers >= 0 else len(rest))
        user, authority = rest[:at], rest[at + 1 :]
        user = user.partition(":")[0]

    cut = len(authority)
    for mark in ";?":
        found = authority.find(mark)
        if 0 <= found < cut:
            cut = found
    hostport, params = authority[:cut].strip(), authority[cut:]
    if hostport.startswith("["):  # RFC 3261 section 25.1: IPv6reference
        host, _, after = hostport[1:].partition("]")
        port = after.lstrip(":")
    else:
        host, _, port = hostport.partition(":")
    return Uri(scheme, user.strip(), host.strip().lower(), port.strip(), params)
