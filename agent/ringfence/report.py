"""What people and scripts read of a judged message: records, masks, text.

Knows CONTRACT.md's key names. Both shells use it, so that a log line and a replay
line of one message say the same.
"""

import re
import socket
from typing import Final

from ringfence.decision import Decision, Finding, Verdict
from ringfence.engine import Counters
from ringfence.facts import Facts
from ringfence.packet import Datagram, Segment

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


_PIECE: Final = re.compile(
    # A digit, also percent-encoded (nested too); another escape; what parts numbers.
    r"(?P<digit>%(?:25)*3[0-9]|\d)|%[0-9A-Fa-f]{2}|(?P<border>[A-Za-z;,=?])|."
)


def mask_number(text: str) -> str:
    """Hide the last digits of what may be telephone numbers.

    Separators stay where they are, short extensions are left alone. Letters,
    parameters and pauses set one number apart from the next.
    """
    numbers: list[list[re.Match[str]]] = [[]]
    for piece in _PIECE.finditer(text):
        if piece["digit"]:
            numbers[-1].append(piece)
        elif piece["border"]:
            numbers.append([])
    hidden = [
        digit
        for digits in numbers
        if len(digits) >= _LONG
        for digit in digits[-MASKED_DIGITS:]
    ]
    shown: list[str] = []
    at = 0
    for digit in hidden:
        shown += text[at : digit.start()], "x"
        at = digit.end()
    return "".join([*shown, text[at:]])


def mask_uri(text: str) -> str:
    """Hide the number in a URI's user part; the host stays readable."""
    user, at, host = text.partition("@")
    if at:
        return mask_number(user) + at + host
    scheme, _, rest = text.partition(":")
    if scheme.lower() in ("sip", "sips") and ("." in rest or "[" in rest):
        return text  # an address or a domain, not a number without a host
    return mask_number(text)


def packet_of(finding: Finding) -> Datagram | Segment:
    """Return the packet that completed a message."""
    facts = finding.facts
    assert isinstance(facts, Facts)  # noqa: S101 - tells the type checker
    return facts.packet


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
        _mask(record)
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


_MASKS: Final = {
    "uri": mask_uri,
    "from_user": mask_number,
    "to_user": mask_number,
    "auth_user": mask_number,
}


def _mask(record: Record) -> None:
    """Mask numbers wherever a record has them, its reason included."""
    masked: dict[str, str] = {}
    for key, mask in _MASKS.items():
        text = record[key]
        if isinstance(text, str):
            record[key] = masked[text] = mask(text)
    destination = record["destination"]
    if isinstance(destination, dict):
        number = str(destination["number"])
        destination["number"] = masked[number] = mask_number(number)
    reason = str(record["reason"])
    for text, hidden in masked.items():
        if hidden != text:
            reason = reason.replace(text, hidden)
    record["reason"] = reason


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
        "bans": counters.bans,
        "state_full": counters.state_full,
        "drops": dict(sorted(counters.drops.items())),
        "rules": dict(sorted(counters.rules.items())),
    }


HEADINGS: Final = (
    f"{'frame':>7}  {'time':>12}  {'from':<28} {'to':<28} {'message':<12} "
    f"{'caller':<14} {'called':<22} verdict"
)


def text_row(frame: int, since_start: float, record: Record) -> str:
    """Return one line of the replay table."""
    source = _end(record["src"], record["sport"])
    target = _end(record["dst"], record["dport"])
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
    if record["ban_s"]:
        row += f" (ban {record['ban_s']} s)"
    if record["would"] is not None:
        row += f" (monitor only; would {record['would']})"
    return _printable(row)


def _end(address: object, port: object) -> str:
    """Write address and port; RFC 3986 puts an IPv6 address in brackets."""
    text = str(address)
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


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
        + (f", held back by monitoring {counters.held}" if counters.held else "")
        + (f", bans {counters.bans}" if counters.bans else ""),
    ]
    lines += [
        f"  packets dropped, {reason}: {count}"
        for reason, count in sorted(counters.drops.items())
    ]
    lines += [
        f"  {rule}: {count}" for rule, count in sorted(counters.rules.items())
    ] or ["  no rule matched"]
    return "\n".join(lines)


def worst(decision: Decision) -> bool:
    """Tell whether a decision is worth a log line: something was or would be stopped."""
    return decision.verdict is not Verdict.ACCEPT or any(
        finding.ruling.stops for finding in decision.findings
    )


def _printable(text: str) -> str:
    """Keep a stranger's control characters out of a terminal."""
    return "".join(char if char.isprintable() else "·" for char in text)
