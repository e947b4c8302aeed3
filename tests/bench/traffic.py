"""What the bench sends: honest calls, foreign registrations, calls to listed numbers.

Packets are built whole, so that one list goes to every consumer. Sources come from
the embedded country table, spread over it, since a table asked for one address only
would lie in the cache; the traffic stays in the bench's own namespaces.
"""

import itertools
import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ringfence.facts.country import ISO_COUNTRIES, CountryTable

SERVER: Final = "203.0.113.1"
"""The agent's own address; RFC 5737."""
GATEWAY: Final = "203.0.113.254"
INSIDE: Final = "192.168.50.20"
PORT: Final = 5060
HOME: Final = "JP"

SOURCES: Final = 512
"""Different source addresses of each kind."""

DOMESTIC: Final = ("0312345678", "09012345678", "0120123456", "03-9876-5432")
LISTED: Final = (
    "01023276123456",
    "0033-010-232-76-123456",
    "+23276123456",
    "0081-010-37712345678",
)
"""Sierra Leone, plainly, by a carrier and as E.164; Monaco by another carrier."""


class Leg(NamedTuple):
    """One message and the address it comes from; it goes to `SERVER`."""

    source: str
    payload: bytes
    reply: bool = False
    """Goes the other way, from `SERVER` to `source`."""


class Sources(NamedTuple):
    """Addresses at home and abroad."""

    home: list[str]
    abroad: list[str]


def sources(table: CountryTable) -> Sources:
    """Pick addresses spread over the whole IPv4 table."""
    home, _ = table.home_ranges({HOME})
    abroad, _ = table.home_ranges(ISO_COUNTRIES - {HOME})
    return Sources(_spread(home), _spread(abroad))


def _spread(ranges: Sequence[tuple[int, int]]) -> list[str]:
    rows = (ranges[at * len(ranges) // SOURCES] for at in range(SOURCES))
    return [socket.inet_ntoa(((first + last) // 2).to_bytes(4)) for first, last in rows]


def _head(
    start: str, source: str, user: str, to: str, number: int, method: str, more: str
) -> str:
    """Write what every message of a dialog has; `number` makes it a dialog apart."""
    return (
        f"{start}\r\n"
        f"Via: SIP/2.0/UDP {source}:5060;branch=z9hG4bK{number:08x}{method};rport\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:{user}@{SERVER}>;tag={number:08x}a\r\n"
        f"To: <sip:{to}@{SERVER}>{more}\r\n"
        f"Call-ID: {number:016x}@{source}\r\n"
        f"CSeq: {1 + number % 99} {method}\r\n"
    )


def _phone(source: str, user: str) -> str:
    return (
        f"Contact: <sip:{user}@{source}:5060>\r\n"
        "User-Agent: Bench phone 1.0\r\n"
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER, INFO\r\n"
    )


def _credentials(user: str, method: str, number: int) -> str:
    return (
        f'Authorization: Digest username="{user}", realm="bench", '
        f'nonce="{number:032x}", uri="sip:{SERVER}", algorithm=MD5, '
        f'response="{number * 7:032x}"\r\n'
        if method == "REGISTER"
        else ""
    )


def _whole(head: str, body: str = "") -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{head}{kind}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def _session(source: str) -> str:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {source}\r\ns=-\r\nc=IN IP4 {source}\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    )


def register(source: str, number: int) -> bytes:
    """Build a REGISTER with credentials."""
    user = str(100 + number % 400)
    start = f"REGISTER sip:{SERVER} SIP/2.0"
    head = _head(start, source, user, user, number, "REGISTER", "")
    credentials = _credentials(user, "REGISTER", number)
    return _whole(head + _phone(source, user) + credentials + "Expires: 300\r\n")


def invite(source: str, number: int, dialled: str) -> bytes:
    """Build an INVITE with a session description."""
    user = str(100 + number % 400)
    start = f"INVITE sip:{dialled}@{SERVER} SIP/2.0"
    head = _head(start, source, user, dialled, number, "INVITE", "")
    return _whole(head + _phone(source, user), _session(source))


def _request(method: str, source: str, number: int, dialled: str) -> bytes:
    user = str(100 + number % 400)
    start = f"{method} sip:{dialled}@{SERVER} SIP/2.0"
    head = _head(start, source, user, dialled, number, method, f";tag={number:08x}b")
    return _whole(head + "User-Agent: Bench phone 1.0\r\n")


def _answer(status: str, source: str, number: int, method: str, body: str) -> bytes:
    user = str(100 + number % 400)
    head = _head(
        f"SIP/2.0 {status}", source, user, user, number, method, f";tag={number:08x}b"
    )
    challenge = (
        f'WWW-Authenticate: Digest realm="bench", nonce="{number:032x}", '
        "algorithm=MD5\r\n"
        if status.startswith("401")
        else ""
    )
    return _whole(head + "Server: Bench exchange 1.0\r\n" + challenge, body)


def office(places: Sources, count: int) -> list[Leg]:
    """Return what an office's line carries, over and over.

    Registrations, calls and their answers; one message of twenty is a foreign
    REGISTER, one a call to a listed number.
    """
    return list(itertools.islice(_office(places), count))


def _office(places: Sources) -> Iterator[Leg]:
    for number in itertools.count(1):
        home = places.home[number % SOURCES]
        abroad = places.abroad[number % SOURCES]
        domestic = DOMESTIC[number % len(DOMESTIC)]
        listed = LISTED[number % len(LISTED)]
        session = _session(SERVER)

        def answer(
            status: str, method: str, source: str, number: int, body: str = ""
        ) -> Leg:
            return Leg(source, _answer(status, source, number, method, body), True)

        yield Leg(home, register(home, number))
        yield answer("401 Unauthorized", "REGISTER", home, number)
        yield Leg(home, register(home, number + 1))
        yield answer("200 OK", "REGISTER", home, number)
        yield Leg(INSIDE, invite(INSIDE, number, domestic))
        yield answer("100 Trying", "INVITE", INSIDE, number)
        yield answer("180 Ringing", "INVITE", INSIDE, number)
        yield answer("200 OK", "INVITE", INSIDE, number, session)
        yield Leg(INSIDE, _request("ACK", INSIDE, number, domestic))
        yield Leg(INSIDE, _request("BYE", INSIDE, number, domestic))
        yield answer("200 OK", "BYE", INSIDE, number)
        yield Leg(home, _request("OPTIONS", home, number, "100"))
        yield answer("200 OK", "OPTIONS", home, number)
        yield Leg(home, invite(home, number, domestic))
        yield answer("486 Busy Here", "INVITE", home, number)
        yield Leg(home, _request("ACK", home, number, domestic))
        yield Leg(INSIDE, invite(INSIDE, number, listed))
        yield Leg(abroad, register(abroad, number))
        yield Leg(home, _request("SUBSCRIBE", home, number, "100"))
        yield Leg(home, register(home, number + 2))


def foreign(places: Sources, count: int) -> list[Leg]:
    """Return REGISTERs from abroad: all dropped."""
    abroad = itertools.islice(itertools.cycle(places.abroad), count)
    return [Leg(source, register(source, at)) for at, source in enumerate(abroad)]


def honest(places: Sources, count: int) -> list[Leg]:
    """Return REGISTERs from home: all pass."""
    home = itertools.islice(itertools.cycle(places.home), count)
    return [Leg(source, register(source, at)) for at, source in enumerate(home)]


def calls(places: Sources, count: int) -> list[Leg]:
    """Return INVITEs from inside, to domestic and to listed numbers in turn."""
    del places  # a call is judged by its number
    return [
        Leg(INSIDE, invite(INSIDE, at, (LISTED if at % 2 else DOMESTIC)[at // 2 % 4]))
        for at in range(count)
    ]


def ipv4(leg: Leg) -> bytes:
    """Put UDP and IPv4 headers in front, checksums right (UDP: none)."""
    ends = socket.inet_aton(leg.source), socket.inet_aton(SERVER)
    source, target = reversed(ends) if leg.reply else ends
    size = 28 + len(leg.payload)
    head: bytes = (
        struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, 64, 17, 0) + source + target
    )
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    check = ~(total + (total >> 16)) & 0xFFFF
    head = head[:10] + check.to_bytes(2) + head[12:]
    return head + struct.pack(">HHHH", PORT, PORT, size - 20, 0) + leg.payload


def ethernet(packet: bytes) -> bytes:
    """Put an Ethernet header in front."""
    return bytes.fromhex("020000000001 020000000002 0800") + packet


def write_capture(path: Path, frames: Sequence[bytes]) -> None:
    """Write a classic pcap file, Ethernet, a frame a millisecond."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for at, frame in enumerate(frames):
            seconds, rest = divmod(at, 1000)
            stamp = struct.pack(
                "<IIII", 1_767_225_600 + seconds, rest * 1000, len(frame), len(frame)
            )
            file.write(stamp + frame)
