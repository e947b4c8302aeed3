"""Digest authentication as a client does it (RFC 3261 section 22, RFC 7616).

MD5 without qop: what the lab's registrar asks for. Knows the two header fields and
nothing of who uses them.
"""

import hashlib
import re
from typing import NamedTuple

_CHALLENGE = re.compile(rb"^(WWW|Proxy)-Authenticate: Digest (.*)\r$", re.M | re.I)


class Challenge(NamedTuple):
    """What a 401 or 407 asks for."""

    realm: str
    nonce: str
    proxy: bool


def challenge_of(response: bytes) -> Challenge | None:
    """Return the challenge of an answer, None if it has none."""
    found = _CHALLENGE.search(response)
    if found is None:
        return None
    realm, nonce = (
        re.search(rb'%s="([^"]*)"' % name, found[2]) for name in (b"realm", b"nonce")
    )
    if realm is None or nonce is None:
        return None
    return Challenge(realm[1].decode(), nonce[1].decode(), found[1].lower() == b"proxy")


def proof(challenge: Challenge, user: str, password: str, method: str, uri: str) -> str:
    """Return the digest that shows that somebody knows a password."""
    who = _md5(f"{user}:{challenge.realm}:{password}")
    return _md5(f"{who}:{challenge.nonce}:{_md5(f'{method}:{uri}')}")


def credentials(
    challenge: Challenge, user: str, password: str, method: str, uri: str
) -> str:
    """Return the whole header line that answers a challenge."""
    name = "Proxy-Authorization" if challenge.proxy else "Authorization"
    return (
        f'{name}: Digest username="{user}", realm="{challenge.realm}", '
        f'nonce="{challenge.nonce}", uri="{uri}", '
        f'response="{proof(challenge, user, password, method, uri)}", algorithm=MD5'
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
