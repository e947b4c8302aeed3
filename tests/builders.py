"""SIP messages, packets and settings for tests, in a line each."""

from collections.abc import Mapping
from pathlib import Path
from struct import pack
from typing import Final

from ringfence.config import assemble, parse_config
from ringfence.engine import Engine, Settings
from ringfence.facts.country import parse_address
from ringfence.packet import Instant, Packet
from ringfence.rules import Rule, RuleSet, compile_rule

REPOSITORY: Final = Path(__file__).parent.parent
RULES: Final = REPOSITORY / "rules"
COUNTRIES: Final = Path(__file__).parent / "countries.csv"

ROUTER: Final = "203.0.113.1"
JAPAN: Final = "198.51.100.10"
ABROAD: Final = "192.0.2.10"
NOWHERE: Final = "203.0.113.77"
"""An address that the country table does not have."""
INSIDE: Final = "192.168.50.20"
ROUTER6: Final = "2001:db8:50::1"
JAPAN6: Final = "2001:db8:81::10"
ABROAD6: Final = "2001:db8:31::10"

NOW: Final = Instant(1000.0, 1_795_000_000.0)
LISTED: Final = "01023276123456"
"""Dials Sierra Leone, which is on the block list."""
UNLISTED: Final = "01012125551234"
"""Dials the United States, which are not."""

SYN, ACK, FIN, RST, PSH = 0x02, 0x10, 0x01, 0x04, 0x08


def octets(address: str) -> bytes:
    """Turn an address into what packets carry."""
    found = parse_address(address)
    assert found is not None, address
    return found


def sip(
    method: str = "OPTIONS",
    uri: str = f"sip:{ROUTER}",
    fields: Mapping[str, str | None] | None = None,
    body: bytes = b"",
) -> bytes:
    """Write an honest phone's request; `fields` replaces fields, None leaves one out."""
    lines: dict[str, str | None] = {
        "Via": f"SIP/2.0/UDP {INSIDE}:5060;branch=z9hG4bK776asdhds;rport",
        "Max-Forwards": "70",
        "From": "<sip:201@example.com>;tag=1928301774",
        "To": f"<{uri}>",
        "Call-ID": "a84b4c76e66710@example.com",
        "CSeq": f"314159 {method}",
        "Contact": f"<sip:201@{INSIDE}>",
        "User-Agent": "Desk Phone 1.0",
        "Content-Length": str(len(body)),
    }
    lines.update(fields or {})
    head = [f"{method} {uri} SIP/2.0"]
    head += [f"{name}: {value}" for name, value in lines.items() if value is not None]
    return "\r\n".join([*head, "", ""]).encode() + body


def register(fields: Mapping[str, str | None] | None = None) -> bytes:
    """Write a REGISTER that names no address abroad."""
    return sip("REGISTER", fields=fields)


def invite(
    number: str = "0312345678", fields: Mapping[str, str | None] | None = None
) -> bytes:
    """Write an INVITE that dials a number."""
    return sip("INVITE", f"sip:{number}@{ROUTER}", fields)


def response(
    status: int = 200, fields: Mapping[str, str | None] | None = None
) -> bytes:
    """Write a response to an OPTIONS."""
    return sip(fields=fields).replace(
        f"OPTIONS sip:{ROUTER} SIP/2.0".encode(), f"SIP/2.0 {status} Reason".encode(), 1
    )


def ip(payload: bytes, protocol: int, src: str, dst: str) -> bytes:
    """Put an IPv4 or IPv6 header in front, as the addresses are."""
    source, target = octets(src), octets(dst)
    if len(source) == 4:
        total = 20 + len(payload)
        head = pack(">BBHHHBBH", 0x45, 0, total, 1, 0, 64, protocol, 0)
    else:
        head = pack(">IHBB", 6 << 28, len(payload), protocol, 64)
    return head + source + target + payload


def udp(
    payload: bytes,
    src: str = INSIDE,
    dst: str = "",
    *,
    sport: int = 5060,
    dport: int = 5060,
    indev: int = -1,
) -> Packet:
    """Make a UDP packet as the queue delivers it."""
    dst = dst or (ROUTER6 if ":" in src else ROUTER)
    head = pack(">HHHH", sport, dport, 8 + len(payload), 0)
    data = ip(head + payload, 17, src, dst)
    return Packet(data, length=len(data), indev=indev)


def tcp(
    payload: bytes = b"",
    seq: int = 1,
    flags: int = ACK | PSH,
    src: str = INSIDE,
    dst: str = "",
    *,
    sport: int = 40_000,
    dport: int = 5060,
    indev: int = -1,
    ack: int = 0,
) -> Packet:
    """Make a TCP packet as the queue delivers it."""
    dst = dst or (ROUTER6 if ":" in src else ROUTER)
    head = pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65_535, 0, 0)
    data = ip(head + payload, 6, src, dst)
    return Packet(data, length=len(data), indev=indev)


def settings(toml: str = "", *rules: Rule) -> Settings:
    """Make settings of a configuration, with the test countries and given rules."""
    config = parse_config(toml, "test")._replace(origin_table=str(COUNTRIES))
    made = assemble(config, RULES)
    return made._replace(rules=RuleSet(rules)) if rules else made


def engine(toml: str = "", *rules: Rule) -> Engine:
    """Make an engine on such settings."""
    return Engine(settings(toml, *rules))


def rule(
    match: dict[str, object] | None = None,
    *,
    id: str = "test-rule",
    severity: str = "high",
    judges: str = "source",
    verdict: str = "drop",
    reason: str = "a test matched",
) -> Rule:
    """Compile a rule; by default it matches every request from outside."""
    made, problems = compile_rule(
        rule_table(
            match,
            id=id,
            severity=severity,
            judges=judges,
            verdict=verdict,
            reason=reason,
        ),
        f"{id}.toml",
    )
    assert problems == []
    return made


def rule_table(
    match: dict[str, object] | None = None,
    *,
    id: str = "test-rule",
    severity: str = "high",
    judges: str = "source",
    verdict: str = "drop",
    reason: str = "a test matched",
) -> dict[str, object]:
    """Write a rule as its parsed file would be."""
    return {
        "id": id,
        "rev": 1,
        "severity": severity,
        "judges": judges,
        "match": {"on": "request", **({"side": "outside"} if match is None else match)},
        "then": {"verdict": verdict, "reason": reason},
        "docs": {
            "what": "What it is.",
            "why": "Why it is bad.",
            "false_positives": "Whom it hits by mistake.",
            "references": ["RFC 3261"],
        },
    }
