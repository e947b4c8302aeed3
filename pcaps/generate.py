"""Writes the captures in this folder, and what replay says of them.

    python pcaps/generate.py [FOLDER]

Every message is written here, from traits that the rules' documentation names; none
is copied from a capture. Addresses are those set aside for documentation (RFC 5737,
RFC 3849) and private ones. No clock and no chance: each run writes the same bytes.
Captures need only the standard library; the `expected.jsonl` files are what the
installed `ringfence replay` prints, without the folder of each file.
"""

import ipaddress
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from struct import pack
from typing import NamedTuple

HERE = Path(__file__).resolve().parent

PBX = "203.0.113.1"
PBX6 = "2001:db8:50::1"
PHONE = "192.168.50.20"
PHONE6 = "2001:db8:50::20"
TRUNK = "198.51.100.50"
JAPAN = "198.51.100.10"
JAPAN6 = "2001:db8:81::10"
STRANGER_IN_JAPAN = "198.51.100.66"
ABROAD = "192.0.2.10"
ABROAD6 = "2001:db8:31::10"
NO_COUNTRY = "203.0.113.77"
SHARED_NAT = "100.64.3.4"

START = 1_795_000_000
"""Seconds since 1970 of each capture's first packet."""
STEP_US = 20_000
"""Microseconds between two packets."""
SNAPLEN = 65_535
ETHERNET = 1

Fields = dict[str, str | None]
Frames = list[bytes]
Timed = tuple[float, bytes]
"""Seconds since the capture's first packet, and a frame."""
Case = tuple[str, Frames]
"""File name without `.pcap`, and its frames."""


# Packets --------------------------------------------------------------------------


def checksum(data: bytes) -> int:
    """Compute the Internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_frame(src: str, dst: str, protocol: int, segment: bytes) -> bytes:
    """Put IP and Ethernet headers in front of a UDP or TCP one."""
    source = ipaddress.ip_address(src)
    target = ipaddress.ip_address(dst)
    ends = source.packed + target.packed
    at = 6 if protocol == 17 else 16
    pseudo = ends + pack(">II", len(segment), protocol)
    sum_ = checksum(pseudo + segment) or 0xFFFF
    segment = segment[:at] + pack(">H", sum_) + segment[at + 2 :]
    if source.version == 4:
        head = pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, protocol, 0)
        head = head[:10] + pack(">H", checksum(head + ends)) + head[12:]
        ethertype = 0x0800
    else:
        head = pack(">IHBB", 6 << 28, len(segment), protocol, 64)
        ethertype = 0x86DD
    link = bytes.fromhex("020000000002020000000001") + pack(">H", ethertype)
    return link + head + ends + segment


def udp(payload: bytes, src: str, dst: str = "", sport: int = 5060) -> Frames:
    """Send one datagram to the PBX."""
    dst = dst or (PBX6 if ":" in src else PBX)
    head = pack(">HHHH", sport, 5060, 8 + len(payload), 0)
    return [ip_frame(src, dst, 17, head + payload)]


def tcp(payload: bytes, src: str, dst: str = "", sport: int = 40_000) -> Frames:
    """Open a connection to the PBX and send a message in two segments."""
    dst = dst or (PBX6 if ":" in src else PBX)

    def segment(seq: int, ack: int, flags: int, data: bytes = b"") -> bytes:
        head = pack(">HHIIBBHHH", sport, 5060, seq, ack, 5 << 4, flags, 65_535, 0, 0)
        return ip_frame(src, dst, 6, head + data)

    answer = pack(">HHIIBBHHH", 5060, sport, 900, 101, 5 << 4, 0x12, 65_535, 0, 0)
    half = len(payload) // 2
    return [
        segment(100, 0, 0x02),
        ip_frame(dst, src, 6, answer),
        segment(101, 901, 0x10),
        segment(101, 901, 0x18, payload[:half]),
        segment(101 + half, 901, 0x18, payload[half:]),
    ]


def capture(frames: Iterable[bytes | Timed]) -> bytes:
    """Write a pcap file (draft-ietf-opsawg-pcap), little-endian, microseconds.

    Frames without a time of their own come one `STEP_US` after the other.
    """
    parts = [pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, ETHERNET)]
    for number, one in enumerate(frames):
        timed = (number * STEP_US / 1e6, one) if isinstance(one, bytes) else one
        when, frame = timed
        seconds, micros = divmod(round(when * 1_000_000), 1_000_000)
        size = len(frame)
        parts += pack("<IIII", START + seconds, micros, size, size), frame
    return b"".join(parts)


# Messages -------------------------------------------------------------------------


def message(first: str, fields: Fields, body: str = "") -> bytes:
    """Write start-line, fields and body; a field that is None is left out."""
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return ("\r\n".join([first, *lines, "", ""]) + body).encode()


def phone(
    method: str, uri: str, src: str, fields: Fields | None = None, user: str = "201"
) -> bytes:
    """Write what an honest phone sends; `fields` replaces or adds fields."""
    host = f"[{src}]" if ":" in src else src
    pbx = f"[{PBX6}]" if ":" in src else PBX
    lines: Fields = {
        "Via": f"SIP/2.0/UDP {host}:5060;branch=z9hG4bK{_digest(method, uri, src)};rport",
        "Max-Forwards": "70",
        "From": f"<sip:{user}@{pbx}>;tag={_digest(uri, user)}",
        "To": f"<{uri}>" if method != "REGISTER" else f"<sip:{user}@{pbx}>",
        "Call-ID": f"{_digest(src, method, uri)}@{host}",
        "CSeq": f"1 {method}",
        "Contact": f"<sip:{user}@{host}:5060>",
        "User-Agent": "Desk Phone 1.0",
    }
    lines.update(fields or {})
    lines["Content-Length"] = "0"
    return message(f"{method} {uri} SIP/2.0", lines)


def _digest(*words: str) -> str:
    """Give ten characters that look like chance and are none."""
    value = 0
    for char in "/".join(words):
        value = (value * 131 + ord(char)) % 36**10
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    return "".join(letters[value // 36**place % 36] for place in range(10))


def register(src: str, fields: Fields | None = None) -> bytes:
    """Write an honest phone's registration."""
    uri = f"sip:[{PBX6}]" if ":" in src else f"sip:{PBX}"
    return phone("REGISTER", uri, src, {"Expires": "3600", **(fields or {})})


# foreign-registration -------------------------------------------------------------


def foreign_registration() -> Iterator[Case]:
    """Registrations from abroad, and from where they may come."""
    relay = "198.51.100.50"
    direct = f"SIP/2.0/UDP {relay}:5060;branch=z9hG4bKrelay1"

    def relayed(contact: str, via: str | None = None) -> Frames:
        """Register through a relay in Japan."""
        return udp(register(relay, {"Contact": contact, "Via": via or direct}), relay)

    yield "hit-source-abroad", udp(register(ABROAD), ABROAD)
    yield "hit-source-abroad-ipv6", udp(register(ABROAD6), ABROAD6)
    yield "hit-source-abroad-tcp", tcp(register(ABROAD), ABROAD)
    yield "hit-source-in-no-country", udp(register(NO_COUNTRY), NO_COUNTRY)
    yield (
        "hit-odd-spelling",
        udp(
            register(ABROAD).replace(b"REGISTER sip:", b"\r\n\r\nregister sip:", 1),
            ABROAD,
        ),
    )
    yield "hit-contact-abroad", relayed(f"<sip:201@{ABROAD}:5060>")
    yield "hit-contact-abroad-ipv6", relayed(f"<sip:201@[{ABROAD6}]>;expires=60")
    yield "hit-contact-abroad-mapped", relayed(f"<sip:201@[::ffff:{ABROAD}]>")
    yield (
        "hit-second-contact-abroad",
        relayed(f'"A, B" <sip:201@{JAPAN}>;q=0.9, <sip:201@{ABROAD}>;q=0.1'),
    )
    yield (
        "hit-compact-contact-abroad",
        udp(
            register(relay, {"Contact": None, "m": f"\r\n\t<sip:201@{ABROAD}>"}), relay
        ),
    )
    yield (
        "hit-via-abroad",
        relayed(
            f"<sip:201@{PHONE}>",
            f"{direct}, SIP/2.0/UDP {ABROAD}:5060;branch=z9hG4bKphone1",
        ),
    )
    second = f"{direct}\r\nVia: SIP / 2.0 / UDP [{ABROAD6}]:5060;branch=z9hG4bKphone2"
    yield "hit-second-via-line-abroad", relayed(f"<sip:201@{PHONE}>", second)

    yield "near-miss-japan", udp(register(JAPAN), JAPAN)
    yield "near-miss-japan-ipv6", udp(register(JAPAN6), JAPAN6)
    yield "near-miss-japan-tcp", tcp(register(JAPAN), JAPAN)
    yield "near-miss-inside", udp(register(PHONE), PHONE)
    yield "near-miss-inside-ipv6", udp(register(PHONE6), PHONE6)
    yield (
        "near-miss-inside-names-an-address-abroad",
        udp(register(PHONE, {"Contact": f"<sip:201@{ABROAD}>"}), PHONE),
    )
    yield "near-miss-private-address-on-the-wan", udp(register(SHARED_NAT), SHARED_NAT)
    yield "near-miss-contact-private", relayed(f"<sip:201@{PHONE}:5060>")
    yield "near-miss-contact-unspecified", relayed("<sip:201@0.0.0.0>")
    yield "near-miss-contact-domestic", relayed(f"<sip:201@{JAPAN}>")
    yield "near-miss-contact-in-no-country", relayed(f"<sip:201@{NO_COUNTRY}>")
    yield "near-miss-contact-by-name", relayed("<sip:201@phone.example.com>")
    yield "near-miss-contact-of-all", relayed("*")
    yield "near-miss-address-abroad-as-the-user", relayed(f"<sip:{ABROAD}@{JAPAN}>")
    yield (
        "near-miss-via-domestic",
        relayed(
            f"<sip:201@{PHONE}>",
            f"{direct}, SIP/2.0/UDP {JAPAN}:5060;branch=z9hG4bKphone3",
        ),
    )
    yield (
        "near-miss-no-registration",
        [
            *udp(phone("OPTIONS", f"sip:{PBX}", ABROAD), ABROAD),
            *udp(phone("INVITE", f"sip:201@{PBX}", ABROAD), ABROAD),
            *udp(phone("SUBSCRIBE", f"sip:201@{PBX}", ABROAD), ABROAD),
        ],
    )


# blocked-destination --------------------------------------------------------------


def calls(*uris: str, src: str = PHONE) -> Frames:
    """Dial one number after the other; what is no URI is dialled as its user."""
    frames: Frames = []
    for uri in uris:
        if uri.partition(":")[0].lower() not in ("sip", "sips", "tel", "urn"):
            uri = f"sip:{uri}@{PBX}"
        frames += udp(phone("INVITE", uri, src), src)
    return frames


def blocked_destination() -> Iterator[Case]:
    """Calls to listed numbers in many spellings, and calls that only look alike."""
    # Here and not above: it builds on this module.
    from forwarding import forwarded

    yield from forwarded()
    yield "hit-dialled-inside", calls("01023276123456")
    yield "hit-through-the-trunk", calls("01023276123456", src=TRUNK)
    yield "hit-from-abroad", calls("01023276123456", src=ABROAD)
    yield "hit-tcp", tcp(phone("INVITE", f"sip:01023276123456@{PBX}", PHONE), PHONE)
    yield "hit-ipv6", udp(phone("INVITE", f"sip:+23276123456@[{PBX6}]", PHONE6), PHONE6)
    yield (
        "hit-global",
        calls(
            f"sip:+23276123456@{PBX};user=phone",
            "tel:+232-76-123456",
            f"sip:%2B23276123456@{PBX}",
            f"sip:76123456;phone-context=+232@{PBX};user=phone",
        ),
    )
    yield (
        "hit-separators",
        calls(
            "010-232-76-123456",
            "010.232.76123456",
            "010(232)76123456",
            "010/232/76123456",
        ),
    )
    yield (
        "hit-percent-encoded",
        calls("%30%31%30%32%33%32%37%36%31%32%33%34%35%36", "010%2D232%2D76123456"),
    )
    yield (
        "hit-other-scripts",
        calls(
            "010232\uff17\uff16123456",
            "010\u2010232\u201076123456",
            "010\u200b23276123456",
        ),
    )
    yield (
        "hit-parameters",
        calls("01023276123456;isub=1411", "01023276123456;rn=+81312345678;npdi"),
    )
    yield (
        "hit-carrier-selection",
        calls(
            "0033-010-232-76123456",
            "0061-010-232-76123456",
            "122-0033-010-232-76123456",
        ),
    )
    yield (
        "hit-prefixes",
        calls(
            *("184-010-232-76123456", "186-010-232-76123456"),
            *("0-184-010-232-76123456", "9-0033-010-232-76123456"),
            *("0000-010-232-76123456", "*67#01023276123456"),
        ),
    )
    yield (
        "hit-foreign-prefixes",
        calls(
            "01123276123456", "001123276123456", "00023276123456", "+8101037799123456"
        ),
    )
    yield (
        "hit-emergency-number-in-front",
        calls("11001023276123456", "11901023276123456"),
    )
    yield "hit-satellite", calls("010881612345678", "010870773111111")
    yield "hit-nobody-has-the-code", calls("0102812345678")

    yield "near-miss-sapporo", calls("0112716677", "011-271-6677", "00112716677")
    yield "near-miss-toll-free", calls("0120123456", "0037123456", "0078-123-456")
    yield (
        "near-miss-domestic",
        calls(
            *("0312345678", "+81312345678", "09012345678", "05012345678"),
            *("0532345678", "00532345678", "0063-090-1234-5678", "186-090-1234-5678"),
        ),
    )
    yield "near-miss-local", calls("2327612")
    yield "near-miss-extension", calls("201", "8001", "232")
    yield "near-miss-by-name", calls(f"sip:alice@{PBX}", f"sip:s23276123456x@{PBX}")
    yield (
        "near-miss-unlisted-country",
        calls(
            "01012125551234", "+12125551234", "010-82-10-1234-5678", "tel:+442079460123"
        ),
    )
    yield (
        "near-miss-emergency",
        calls(
            *("110", "118", "119", "0119", "9110", "0-119", "186-119", "184119"),
            *(f"sip:119@{PBX};user=phone", "tel:119", f"sip:%31%31%39@{PBX}"),
            *(
                "urn:service:sos",
                "urn:service:sos.fire",
                f"sip:sos@{PBX}",
                "112",
                "911",
            ),
        ),
    )
    yield "near-miss-emergency-from-outside", calls("119", "0119", src=TRUNK)
    yield "near-miss-special", calls("104", "117", "171", "188", "%237119", "%239110")
    yield (
        "near-miss-not-dialled",
        [
            *udp(phone("OPTIONS", f"sip:01023276123456@{PBX}", PHONE), PHONE),
            *udp(phone("MESSAGE", f"sip:01023276123456@{PBX}", PHONE), PHONE),
            *udp(phone("BYE", f"sip:01023276123456@{PBX}", PHONE), PHONE),
        ],
    )
    yield (
        "near-miss-caller-and-not-called",
        udp(phone("INVITE", f"sip:201@{PBX}", TRUNK, user="+23276123456"), TRUNK),
    )


# scanner --------------------------------------------------------------------------
#
# A tool's message is a function of its traits. The hit has them all; each near miss
# has one of them replaced by what an honest phone sends.


class Tool(NamedTuple):
    """One signature's case."""

    name: str
    hits: list[bytes]
    near_misses: list[bytes]


def hex_text(text: str) -> str:
    """Spell a text in hex digits, as sipvicious does in its tags."""
    return text.encode().hex()


def svmap(
    method: str = "OPTIONS", display: str = "sipvicious", host: str = "1.1.1.1"
) -> bytes:
    """Sweep for servers: it asks every address for the same user."""
    caller = f'"{display}"<sip:100@{host}>'
    return message(
        f"{method} sip:100@{PBX} SIP/2.0",
        {
            "Via": "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-1234567890;rport",
            "Max-Forwards": "70",
            "To": caller,
            "From": f"{caller};tag={hex_text('cb00710113c4')}01{hex_text('24680')}",
            "User-Agent": "friendly-scanner",
            "Call-ID": "975310864209753108642097",
            "Contact": "sip:100@127.0.0.1:5060",
            "CSeq": f"1 {method}",
            "Accept": "application/sdp",
            "Content-Length": "0",
        },
    )


def svwar(
    method: str = "REGISTER",
    tag: str = hex_text("301") + "01" + hex_text("13579"),
    branch: str = "z9hG4bK-987654321",
    call_id: str = "1357924680",
    contact: str = f"sip:301@{PBX}",
) -> bytes:
    """Try one extension after the other; each probe's tag spells the extension."""
    uri = f"sip:{PBX}" if method == "REGISTER" else f"sip:301@{PBX}"
    user = f'"301"<sip:301@{PBX}>'
    return message(
        f"{method} {uri} SIP/2.0",
        {
            "Via": f"SIP/2.0/UDP 127.0.0.1:5060;branch={branch};rport",
            "Max-Forwards": "70",
            "To": user,
            "From": f"{user};tag={tag}",
            "User-Agent": "friendly-scanner",
            "Call-ID": call_id,
            "Contact": contact,
            "CSeq": f"1 {method}",
            "Accept": "application/sdp",
            "Content-Length": "0",
        },
    )


def svcrack(
    user: str = "123", host: str = "1.1.1.1", call_id: str = "24681357"
) -> bytes:
    """Guess a password; before the challenge the tag spells nothing."""
    return svwar(tag="192837465", call_id=call_id, contact=f"sip:{user}@{host}")


SIPPTS_BRANCH = (
    "q7w8e9r0t1y2u3i4o5p6a7s8d9f0g1h2j3k4l5z6x7c8v9b0n1m2q3w4e5r6t7y8u9i0o1p"
)


def sippts(
    method: str = "REGISTER", branch: str = SIPPTS_BRANCH, tag: str = "1a2b3c4d"
) -> bytes:
    """Try an extension or a call: no magic cookie, 71 characters of chance."""
    uri = f"sip:{PBX}" if method == "REGISTER" else f"sip:302@{PBX}"
    return message(
        f"{method} {uri} SIP/2.0",
        {
            "Via": f"SIP/2.0/UDP {STRANGER_IN_JAPAN}:40001;branch={branch};rport",
            "From": f" <sip:302@{PBX}>;tag={tag}",
            "To": f" <sip:302@{PBX}>",
            "Contact": f"<sip:302@{STRANGER_IN_JAPAN}:40001;transport=UDP>;expires=120",
            "Call-ID": "5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b",
            "CSeq": f"1 {method}",
            "Max-Forwards": "70",
            "User-Agent": "pplsip",
            "Content-Length": "0",
        },
    )


def nmap_nse(
    method: str = "OPTIONS", display: str = "Nmap NSE", cseq: str = "1234"
) -> bytes:
    """Ask for methods or users from Nmap's scripts."""
    user = f'"{display}" <sip:303@{PBX}>'
    here = f"{STRANGER_IN_JAPAN}:40002"
    return message(
        f"{method} sip:{PBX} SIP/2.0",
        {
            "Via": f"SIP/2.0/UDP {here};rport;branch=z9hG4bKaBcDeFgHiJkLmNoPqRsTuVwXy",
            "Max-Forwards": "70",
            "From": f"{user};tag=aBcDeFgHiJkLmNoPqRsT",
            "To": user,
            "Call-ID": "ZyXwVuTsRqPoNmLkJiHgFeDcBa",
            "CSeq": f"{cseq} {method}",
            "User-Agent": "Nmap NSE",
            "Contact": f'"{display}" <sip:303@{here}>',
            "Expires": "0",
            "Content-Length": " 0",
        },
    )


def nmap_probe(tag: str = "root", host: str = "nm", call_id: str = "50000") -> bytes:
    """Ask what service listens: one fixed text for every port."""
    return message(
        "OPTIONS sip:nm SIP/2.0",
        {
            "Via": "SIP/2.0/UDP nm;branch=foo;rport",
            "From": f"<sip:nm@{host}>;tag={tag}",
            "To": "<sip:nm2@nm2>",
            "Call-ID": call_id,
            "CSeq": "42 OPTIONS",
            "Max-Forwards": "70",
            "Content-Length": "0",
            "Contact": "<sip:nm@nm>",
            "Accept": "application/sdp",
        },
    )


def metasploit_enumerator(
    method: str = "REGISTER", tag: str = "70c00e8c", max_forwards: str = "20"
) -> bytes:
    """Try zero-padded extensions; the message ends without its blank line."""
    here = f"{STRANGER_IN_JAPAN}:40003"
    whole = message(
        f"{method} sip:0304@{PBX} SIP/2.0",
        {
            "Via": f"SIP/2.0/UDP {here};branch=z9hG4bK.1a2b3c4d;rport;alias",
            "From": f"0304 <sip:Kq3xZ@{STRANGER_IN_JAPAN}>;tag={tag}",
            "To": f"0304 <sip:0304@{PBX}>",
            "Call-ID": f"1928374650@{STRANGER_IN_JAPAN}",
            "CSeq": f"1 {method}",
            "Contact": f"<sip:Kq3xZ@{here}>",
            "Content-Length": "0",
            "Max-Forwards": max_forwards,
            "User-Agent": "Kq3xZ",
            "Accept": "text/plain",
        },
    )
    return whole.removesuffix(b"\r\n")


def metasploit_spoof(
    method: str = "INVITE",
    tag: str = "",
    branch: str = "",
    max_forwards: str = "20",
) -> bytes:
    """Ring a phone with a text in place of the caller's name."""
    return message(
        f"{method} sip:@{PBX} SIP/2.0",
        {
            "To": f"<sip:{PBX}>",
            "Via": f"SIP/2.0/UDP {STRANGER_IN_JAPAN}{branch}",
            "From": f'"You have been called"<sip:{JAPAN}>{tag}',
            "Call-ID": f"123{PBX}",
            "CSeq": f"1 {method}",
            "Max-Forwards": max_forwards,
            "Contact": f"<sip:{PBX}>",
        },
    )


def sipcli(user_agent: str = "sipcli/v1.8", display: str = "305") -> bytes:
    """Try dial prefixes; the number called stands in the display name too."""
    here = f"{STRANGER_IN_JAPAN}:40004"
    return message(
        f"INVITE sip:305@{PBX} SIP/2.0",
        {
            "To": f"{display}<sip:305@{PBX}>",
            "From": f"200<sip:200@{PBX}>;tag=5a6b7c8d",
            "Via": f"SIP/2.0/UDP {here};branch=z9hG4bK-0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "Call-ID": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "CSeq": "1 INVITE",
            "Contact": f"<sip:200@{here}>",
            "Max-Forwards": "70",
            "User-Agent": user_agent,
            "Content-Length": "0",
        },
    )


FIFTY_LETTERS = "thequickbrownfoxjumpsoverthelazydogandrunsawayfast"


def cisco_v11(user_agent: str = "Cisco v11.0.0", call_id: str = FIFTY_LETTERS) -> bytes:
    """Guess passwords of short extensions, fifty letters of chance a try."""
    here = f"{STRANGER_IN_JAPAN}:40005"
    return message(
        f"REGISTER sip:{PBX} SIP/2.0",
        {
            "Via": f"SIP/2.0/UDP {here};branch=z9hG4bK0a1b2c3d-4e5f;rport",
            "To": f'"30"<sip:30@{PBX}>',
            "From": f'"30"<sip:30@{PBX}>;tag=qwertyui',
            "CSeq": "1 REGISTER",
            "Call-ID": call_id,
            "Max-Forwards": "70",
            "Contact": f"<sip:30@{here};rinstance=0a1b2c3d4e5f6071>",
            "User-Agent": user_agent,
            "Content-Length": "0",
            "Expires": "3600",
        },
    )


def pjsip_gateway(
    method: str = "REGISTER",
    user_agent: str = "Cisco-SIPGateway/IOS-12.x",
    branch: str = "z9hG4bKPj0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
) -> bytes:
    """Register and call with a soft phone's library under a gateway's name."""
    uri = f"sip:{PBX}" if method == "REGISTER" else f"sip:306@{PBX}"
    here = f"{STRANGER_IN_JAPAN}:40006"
    return message(
        f"{method} {uri} SIP/2.0",
        {
            "Via": f"SIP/2.0/UDP {here};rport;branch={branch}",
            "Max-Forwards": "70",
            "From": f"<sip:101@{PBX}>;tag=0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
            "To": f"<{uri}>",
            "Call-ID": "1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809",
            "CSeq": f"4242 {method}",
            "Contact": f"<sip:101@{here};ob>",
            "User-Agent": user_agent,
            "Content-Length": " 0",
        },
    )


TOOLS = [
    Tool(
        "sipvicious-svmap",
        [svmap(), svmap("INVITE")],
        [svmap(display="Reception"), svmap(host="pbx.example.com")],
    ),
    Tool(
        "sipvicious-svwar-or-svcrack",
        [svwar(), svwar("INVITE"), svwar("OPTIONS")],
        [
            svwar(tag="192837465"),
            svwar(branch="z9hG4bK987654321"),
            svwar(call_id="1357924680@127.0.0.1"),
        ],
    ),
    Tool(
        "sipvicious-svcrack",
        [svcrack()],
        [
            svcrack(user="301"),
            svcrack(host=STRANGER_IN_JAPAN),
            svcrack(call_id="24681357@127.0.0.1"),
        ],
    ),
    Tool(
        "sippts",
        [sippts(), sippts("INVITE"), sippts("OPTIONS")],
        [
            sippts(branch=SIPPTS_BRANCH[:70]),
            sippts(branch=SIPPTS_BRANCH + "a"),
            sippts(branch=SIPPTS_BRANCH[:70] + "P"),
            sippts(branch=f"z9hG4bK{SIPPTS_BRANCH[:64]}"),
            sippts(tag="1a2b3c4d5"),
            sippts(tag="1A2B3C4D"),
        ],
    ),
    Tool(
        "nmap-nse-scripts",
        [nmap_nse(), nmap_nse("REGISTER")],
        [nmap_nse(display="Reception"), nmap_nse(cseq="1235")],
    ),
    Tool(
        "nmap-service-detection",
        [nmap_probe()],
        [
            nmap_probe(tag="7c3a"),
            nmap_probe(host="pbx.example.com"),
            nmap_probe(call_id="50001"),
        ],
    ),
    Tool(
        "metasploit-enumerator",
        [metasploit_enumerator(), metasploit_enumerator("OPTIONS")],
        [
            metasploit_enumerator(tag="70c00e8d"),
            metasploit_enumerator(max_forwards="70"),
        ],
    ),
    Tool(
        "metasploit-invite-spoof",
        [metasploit_spoof()],
        [
            metasploit_spoof("OPTIONS"),
            metasploit_spoof(tag=";tag=1"),
            metasploit_spoof(branch=";branch=z9hG4bK1"),
            metasploit_spoof(max_forwards="70"),
        ],
    ),
    Tool(
        "sipcli",
        [sipcli(), sipcli("sipcli/v2.0", '"305"')],
        [sipcli("Desk Phone 1.0"), sipcli(display='"Sales"'), sipcli(display="")],
    ),
    Tool(
        "password-guesser-posing-as-cisco-v11",
        [cisco_v11()],
        [
            cisco_v11("Cisco v11.0.1"),
            cisco_v11(call_id=FIFTY_LETTERS[:49]),
            cisco_v11(call_id=FIFTY_LETTERS + "x"),
            cisco_v11(call_id=FIFTY_LETTERS[:49] + "7"),
        ],
    ),
    Tool(
        "pjsip-posing-as-a-cisco-gateway",
        [pjsip_gateway(), pjsip_gateway("INVITE")],
        [
            pjsip_gateway(user_agent="Cisco-CP8841/12.8.1"),
            pjsip_gateway(branch="z9hG4bK0a1b2c3d4e5f"),
        ],
    ),
]

USER_AGENTS = [
    "friendly-scanner",
    "sipvicious",
    "pplsip",
    "sipcli/v1.8",
    "Nmap NSE",
    "Cisco v11.0.0",
    "Cisco-SIPGateway/IOS-12.x",
    "sipsak 0.9.8.1",
]


def scanner() -> Iterator[Case]:
    """Every signature's tool, and the same messages less one trait."""
    stranger = STRANGER_IN_JAPAN
    for tool in TOOLS:
        hits = [udp(text, stranger, sport=40_000)[0] for text in tool.hits]
        yield f"hit-{tool.name}", hits
        near = [udp(text, stranger, sport=40_000)[0] for text in tool.near_misses]
        yield f"near-miss-{tool.name}", near
    yield "hit-tcp", tcp(sippts(), stranger)
    yield "hit-inside", udp(svmap(), PHONE, sport=40_000)
    yield (
        "near-miss-user-agent-alone",
        [udp(register(JAPAN, {"User-Agent": name}), JAPAN)[0] for name in USER_AGENTS],
    )
    yield (
        "near-miss-responses",
        [
            udp(
                text.replace(text.partition(b"\r\n")[0], b"SIP/2.0 200 OK", 1), stranger
            )[0]
            for text in (svmap(), svwar(), sippts())
        ],
    )


# ----------------------------------------------------------------------------------

RULES = {
    "blocked-destination": blocked_destination,
    "foreign-registration": foreign_registration,
    "scanner": scanner,
}


def expected(folder: Path) -> str:
    """Judge the captures of one folder; give what replay prints of them."""
    command = [sys.executable, "-m", "ringfence", "replay", "--format", "jsonl"]
    files = sorted(str(path) for path in folder.glob("*.pcap"))
    done = subprocess.run(  # noqa: S603 - the project's own command
        [*command, "--config", "ringfence.toml", *files],
        cwd=HERE,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    lines = []
    for line in done.stdout.splitlines():
        record = json.loads(line)
        record["file"] = Path(record["file"]).name
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def write(to: Path) -> None:
    """Write every rule's folder below `to`; captures that are no more are removed."""
    # Here and not above: it builds on this module.
    from behaviour import RULES as BEHAVIOUR
    from counting import RULES as COUNTING

    every: dict[str, Callable[[], Iterable[tuple[str, Iterable[bytes | Timed]]]]]
    every = {**RULES, **COUNTING, **BEHAVIOUR}
    for rule_id, cases in every.items():
        folder = to / rule_id
        folder.mkdir(parents=True, exist_ok=True)
        named = {f"{name}.pcap": frames for name, frames in cases()}
        for path in folder.glob("*.pcap"):
            if path.name not in named:
                path.unlink()
        for name, frames in named.items():
            (folder / name).write_bytes(capture(frames))
        text = expected(folder)
        (folder / "expected.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE)
