"""What people and scripts read of a judged message: records, masks, text.

Knows CONTRACT.md's key names. Both shells use it, so that a log line and a replay
line of one message say the same.
"""

import socket
from typing import Final

from ringfence.decision import Decision, Finding, Verdict
from ringfence.engine import Counters
from ringfence.facts import Facts
from ringfence.packet import Datagram

MASKED_DIGITS: Final = 4
"""Last digits of a telephone number that a log does not show, as on carriers' bills."""

_LONG: Final = 7
"""Digits from which a user part is taken for a telephone number, not an extension."""

MAX_TEXT: Final = 256
"""Characters of any text a stranger sent that one record holds."""

Record = dict[str, object]


def address_text(address: bytes) -> str:
    """Write an address as people do."""
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, address)


def mask_number(text: str) -> str:
    """Hide the last digits of what may be a telephone number.

    Separators and escapes stay where they are; short extensions are left alone.
    """
    places = [at for at, char in enumerate(text) if char.isdigit()]
    if len(places) < _LONG:
        return text
    hidden = set(places[-MASKED_DIGITS:])
    return "".join("x" if at in hidden else char for at, char in enumerate(text))


def mask_uri(text: str) -> str:
    """Hide the number in a URI's user part; the host stays readable."""
    user, at, host = text.partition("@")
    if at:
        return mask_number(user) + at + host
    return text if text[:4].lower() in ("sip:", "sips") else mask_number(text)


def message_record(finding: Finding, *, full_numbers: bool) -> Record:
    """Return the keys that a replay message and a logged decision share."""
    facts = finding.facts
    assert isinstance(facts, Facts)  # noqa: S101 - tells the type checker
    ruling = finding.ruling
    message, packet = facts.message, facts.packet
    sender = message.name_addr("from")
    receiver = message.name_addr("to")
    cseq = message.cseq
    record: Record = {
        "src": address_text(packet.src),
        "sport": packet.sport,
        "dst": address_text(packet.dst),
        "dport": packet.dport,
        "transport": "udp" if isinstance(packet, Datagram) else "tcp",
        "kind": "response" if message.method is None else "request",
        "method": message.method,
        "status": message.status,
        "uri": message.request_uri,
        "from_user": (sender.uri.user or None) if sender else None,
        "to_user": (receiver.uri.user or None) if receiver else None,
        "call_id": message.call_id,
        "cseq_method": cseq[1] or None,
        "user_agent": message.field("user-agent"),
        "auth_user": message.auth_user,
        "side": facts.side,
        "country": facts.origin.country,
        "destination": _destination(facts),
        "verdict": ruling.verdict.word,
        "rule": ruling.rule,
        "reason": ruling.reason,
        "ban_s": ruling.ban_s,
        "would": None if ruling.would is None else ruling.would.word,
        "anomaly": message.anomaly,
    }
    if not full_numbers:
        _mask(record, facts)
    for key, value in record.items():
        if isinstance(value, str) and len(value) > MAX_TEXT:
            record[key] = value[:MAX_TEXT] + "…"
    return record


def _destination(facts: Facts) -> Record | None:
    reading = facts.reading
    if reading is None:
        return None
    return {
        "class": reading.kind,
        "number": reading.number,
        "country": reading.country,
    }


def _mask(record: Record, facts: Facts) -> None:
    for key in ("from_user", "to_user", "auth_user"):
        value = record[key]
        if isinstance(value, str):
            record[key] = mask_number(value)
    uri = record["uri"]
    if isinstance(uri, str):
        record["uri"] = mask_uri(uri)
    destination = record["destination"]
    if isinstance(destination, dict):
        number = str(destination["number"])
        masked = destination["number"] = mask_number(number)
        if len(number) >= _LONG:
            record["reason"] = str(record["reason"]).replace(number, masked)


def summary_record(counters: Counters) -> Record:
    """Return what a run did, with the keys of CONTRACT's `summary`."""
    return {
        "packets": counters.packets,
        "messages": counters.messages,
        "malformed": counters.malformed,
        "accepted": counters.accepted,
        "dropped": counters.dropped,
        "rejected": counters.rejected,
        "held": counters.held,
        "bans": 0,
        "state_full": counters.state_full,
        "rules": dict(sorted(counters.rules.items())),
    }


HEADINGS: Final = (
    f"{'frame':>7}  {'time':>12}  {'from':<28} {'to':<28} {'message':<12} "
    f"{'caller':<14} {'called':<22} verdict"
)


def text_row(frame: int, since_start: float, record: Record) -> str:
    """Return one line of the replay table."""
    source = f"{record['src']}:{record['sport']}"
    target = f"{record['dst']}:{record['dport']}"
    message = record["method"] or record["status"]
    destination = record["destination"]
    called = record["to_user"]
    if isinstance(destination, dict):
        called = f"{destination['number']} {destination['country'] or ''}"
    row = (
        f"{frame:>7}  {since_start:>12.3f}  {source:<28} {target:<28} {message!s:<12} "
        f"{record['from_user'] or '-'!s:<14} {called or '-'!s:<22} {record['verdict']}"
    )
    if record["rule"] is not None:
        row += f"  {record['rule']}: {record['reason']}"
    if record["would"] is not None:
        row += f" (monitor only; would {record['would']})"
    return _printable(row)


def malformed_row(frame: int, since_start: float, decision: Decision) -> str:
    """Return the replay table's line for a packet that could not be read."""
    return (
        f"{frame:>7}  {since_start:>12.3f}  malformed: {decision.malformed} "
        f"{decision.verdict.word}"
    )


def text_summary(counters: Counters) -> str:
    """Return what a person wants to know at the end of a replay."""
    lines = [
        f"{counters.packets} packets, {counters.messages} SIP messages, "
        f"{counters.malformed} malformed",
        f"accepted {counters.accepted}, dropped {counters.dropped}, "
        f"rejected {counters.rejected}"
        + (f", held back by monitoring {counters.held}" if counters.held else ""),
    ]
    lines += [
        f"  {rule}: {count}" for rule, count in sorted(counters.rules.items())
    ] or ["  no rule matched"]
    return "\n".join(lines)


def worst(decision: Decision) -> bool:
    """Tell whether a decision is worth a log line: something was or would be stopped."""
    return decision.verdict is not Verdict.ACCEPT or any(
        finding.ruling.would is not None for finding in decision.findings
    )


def _printable(text: str) -> str:
    """Keep a stranger's control characters out of a terminal."""
    return "".join(char if char.isprintable() else "·" for char in text)
