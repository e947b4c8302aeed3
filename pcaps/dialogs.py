"""SIP messages of one dialog as they pass the router, in UDP and IPv4.

Knows what RFC 3261 wants in each message and how digests are made; it must not know
who calls whom, or why. A packet begins with its IP header (link type 101).
"""

import hashlib
import ipaddress
from functools import cache
from struct import pack
from typing import NamedTuple

from chance import Chance

Timed = tuple[float, bytes]
"""When a packet passes the router, in seconds since 1970, and the packet."""

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, NOTIFY, REFER, INFO, PRACK"


class Agent(NamedTuple):
    """One end that speaks SIP."""

    address: str
    """Where the router sees it."""
    port: int
    host: str
    """What it calls itself in Via, Contact and SDP, without port: behind a NAT that
    may be another address."""
    host_port: int
    software: str
    seen_as: str = ""
    """The address at which others find it, if the router puts another there."""


class Line(NamedTuple):
    """An account: who may call at whose exchange."""

    user: str
    realm: str
    password: str


# Packets --------------------------------------------------------------------------


@cache
def _packed(address: str) -> bytes:
    return ipaddress.IPv4Address(address).packed


def _checksum(data: bytes) -> int:
    """Compute the Internet checksum (RFC 1071): a remainder is the same sum."""
    return 0xFFFF - (int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF or 0xFFFF)


def datagram(source: Agent, target: Agent, payload: bytes) -> bytes:
    """Put UDP and IPv4 headers in front of a message."""
    ends = _packed(source.address) + _packed(target.address)
    size = 8 + len(payload)
    ports = pack(">HHH", source.port, target.port, size)
    sum_ = _checksum(ends + pack(">HH", 17, size) + ports + b"\0\0" + payload)
    head = pack(">BBHHHBB", 0x45, 0, 20 + size, 0, 0x4000, 63, 17)
    head += pack(">H", _checksum(head + b"\0\0" + ends)) + ends
    return head + ports + pack(">H", sum_ or 0xFFFF) + payload


# Bodies and fields ----------------------------------------------------------------


def session(
    agent: Agent, port: int, version: int = 1, direction: str = "sendrecv"
) -> str:
    """Write a session description (RFC 8866) of a call with PCMU."""
    host = agent.host
    return (
        f"v=0\r\no=- {port} {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\n"
        f"t=0 0\r\nm=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
        f"a={direction}\r\n"
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@cache
def _secret(line: Line) -> str:
    return _md5(f"{line.user}:{line.realm}:{line.password}")


def challenge(field: str, realm: str, nonce: str, *, stale: bool = False) -> str:
    """Write the header field that asks for a password (RFC 7616, MD5)."""
    old = ", stale=true" if stale else ""
    return (
        f'{field}: Digest realm="{realm}", nonce="{nonce}", algorithm=MD5, '
        f'qop="auth"{old}\r\n'
    )


def proof(
    line: Line, method: str, uri: str, nonce: str, count: str, cnonce: str
) -> str:
    """Compute the response to a challenge with qop auth."""
    return _md5(
        f"{_secret(line)}:{nonce}:{count}:{cnonce}:auth:{_md5(f'{method}:{uri}')}"
    )


def credentials(
    field: str, line: Line, method: str, uri: str, nonce: str, used: int
) -> str:
    """Write the header field that shows that somebody knows the password.

    `used` counts how often the nonce was used, this time included.
    """
    cnonce, count = nonce[::-1][:16], f"{used:08x}"
    shown = proof(line, method, uri, nonce, count, cnonce)
    return (
        f'{field}: Digest username="{line.user}", realm="{line.realm}", '
        f'nonce="{nonce}", uri="{uri}", response="{shown}", algorithm=MD5, '
        f'cnonce="{cnonce}", qop=auth, nc={count}\r\n'
    )


def branch_of(cseq: int, method: str, *, back: bool = False) -> str:
    """Name the transaction of a request within its dialog."""
    return f"{cseq:x}{method}{int(back)}"


# Dialogs --------------------------------------------------------------------------


class Dialog:
    """Two ends, and what all messages between them have in common."""

    __slots__ = (
        *("called", "caller", "called_contact", "caller_contact"),
        *("_from", "_from_tag", "_ports", "_suffix", "_to"),
        *("call_id", "to_tag", "uri"),
    )

    def __init__(
        self,
        caller: Agent,
        called: Agent,
        *,
        uri: str,
        from_: str,
        to: str,
        call_id: str,
        contacts: tuple[str, str],
        chance: Chance,
    ) -> None:
        """Begin; `from_` and `to` are name-addr, `contacts` the users of both ends."""
        self.caller, self.called = caller, called
        self.uri = uri
        self.call_id = call_id
        self._from, self._to = from_, to
        self._from_tag = chance.hex(12)
        self.to_tag = chance.hex(12)
        """The other end's; several ends may answer one INVITE."""
        self._suffix = chance.hex(12)
        self._ports = 2 * chance.whole(5_000, 9_999), 2 * chance.whole(5_000, 9_999)
        self.caller_contact, self.called_contact = (
            f"sip:{user}@{end.host}:{end.host_port}"
            for user, end in zip(contacts, (caller, called), strict=True)
        )

    def offer(self, version: int = 1, direction: str = "sendrecv") -> str:
        """Write the calling end's session description."""
        return session(self.caller, self._ports[0], version, direction)

    def accepted(self, version: int = 1, direction: str = "sendrecv") -> str:
        """Write the called end's session description."""
        return session(self.called, self._ports[1], version, direction)

    def _via(self, agent: Agent, branch: str) -> str:
        return (
            f"SIP/2.0/UDP {agent.host}:{agent.host_port}"
            f";branch=z9hG4bK{branch}{self._suffix}"
        )

    def _common(self, cseq: int, method: str, back: bool, tag: str) -> str:
        """Write From, To, Call-ID and CSeq of a request or of its answers."""
        ours, theirs = f"{self._from};tag={self._from_tag}", self._to
        if tag:
            theirs += f";tag={tag}"
        if back:
            ours, theirs = theirs, ours
        return (
            f"From: {ours}\r\nTo: {theirs}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {cseq} {method}\r\n"
        )

    def request(
        self,
        method: str,
        cseq: int,
        *,
        branch: str = "",
        within: bool = False,
        back: bool = False,
        tag: str = "",
        fields: str = "",
        body: str = "",
    ) -> bytes:
        """Write a request as a packet.

        `within` the dialog it carries both tags and goes to the contact; `back` says
        that the called end sends it. The ACK to a refusal and a CANCEL have the
        `branch` of their INVITE, the ACK also the refusing end's `tag`.
        """
        source, target = self.caller, self.called
        uri = self.called_contact if within else self.uri
        if back:
            source, target, uri = target, source, self.caller_contact
        tag = tag or (self.to_tag if within else "")
        if method in ("INVITE", "REGISTER", "UPDATE"):
            contact = self.called_contact if back else self.caller_contact
            fields = f"Contact: <{contact}>\r\nAllow: {ALLOW}\r\n{fields}"
        via = self._via(source, branch or branch_of(cseq, method, back=back))
        head = (
            f"{method} {uri} SIP/2.0\r\nVia: {via};rport\r\nMax-Forwards: 70\r\n"
            f"{self._common(cseq, method, back, tag)}"
            f"{fields}User-Agent: {source.software}\r\n"
        )
        return datagram(source, target, _whole(head, body))

    def answer(
        self,
        status: str,
        cseq: int,
        method: str,
        *,
        branch: str = "",
        back: bool = False,
        tag: str | None = None,
        fields: str = "",
        body: str = "",
    ) -> bytes:
        """Write an answer to such a request as a packet.

        `branch` and `back` as in the request; `tag` is the answering end's in place of `to_tag`; "" for none (100 Trying).
        """
        source, target = self.called, self.caller
        contact = self.called_contact
        if back:
            source, target, contact = target, source, self.caller_contact
        if method in ("INVITE", "UPDATE") and status[0] in "12" and status[:3] != "100":
            fields = f"Contact: <{contact}>\r\nAllow: {ALLOW}\r\n{fields}"
        via = self._via(target, branch or branch_of(cseq, method, back=back))
        tag = self.to_tag if tag is None else tag
        head = (
            f"SIP/2.0 {status}\r\n"
            f"Via: {via};received={target.seen_as or target.address};rport={target.port}\r\n"
            f"{self._common(cseq, method, back, tag)}"
            f"{fields}Server: {source.software}\r\n"
        )
        return datagram(source, target, _whole(head, body))


def _whole(head: str, body: str) -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{head}{kind}Content-Length: {len(body)}\r\n\r\n{body}".encode()
