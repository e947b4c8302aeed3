"""A bundle's vectors, run: whether its rules do what their author says.

Asks as `ringfence explain` and `ringfence replay` do, so that a vector means what a
person sees there. Each vector gets an engine that has seen nothing before.
"""

import json
from collections.abc import Callable, Iterable

from ringfence.bundle.vectors import Vector
from ringfence.decision import Decision
from ringfence.engine import Engine, Settings
from ringfence.errors import ConfigError
from ringfence.explain import explain
from ringfence.facts.country import parse_address
from ringfence.packet import LINKTYPE_RAW, Instant, Packet

_ROUTER = bytes([192, 168, 0, 254])
_ROUTER6 = bytes([0xFD, *bytes(14), 1])
_WHEN = Instant(0.0, 0.0)


def run_vectors(
    vectors: Iterable[Vector], settings_of: Callable[[str], Settings], where: str
) -> list[str]:
    """Run vectors; return what each one that fails says, with its line.

    `settings_of` makes the settings of a site, given as text of a configuration; it is
    asked once for each different one.
    """
    sites: dict[str, Settings] = {}
    problems: list[str] = []
    for vector in vectors:
        if vector.site not in sites:
            try:
                sites[vector.site] = settings_of(vector.site)
            except ConfigError as error:
                problems += [
                    f"{where}:{vector.line}: site: {problem}"
                    for problem in error.problems
                ]
                continue
        found = _asked(vector, sites[vector.site])
        problems += [
            f"{where}:{vector.line}: {_shown(vector)}: {key} = "
            f"{json.dumps(found.get(key), ensure_ascii=False)}: "
            f"expected {json.dumps(wanted, ensure_ascii=False)}"
            for key, wanted in vector.expected.items()
            if key not in found or found[key] != wanted
        ]
    return problems


def _shown(vector: Vector) -> str:
    return vector.what or f"{vector.send.partition(' ')[0]} from {vector.sender}"


def _asked(vector: Vector, settings: Settings) -> dict[str, object]:
    if vector.what:
        return explain(vector.what, settings)
    if parse_address(vector.sender) is None:
        return {"verdict": f"nothing: {vector.sender} is no address"}
    decision = judge(vector.send, vector.sender, settings)
    rules = [finding.ruling.rule for finding in decision.findings]
    return {"verdict": decision.verdict.word, "rule": rules[0] if rules else None}


def judge(message: str, sender: str, settings: Settings) -> Decision:
    """Judge one SIP message that comes over UDP from an address, as the first ever."""
    source = parse_address(sender)
    if source is None:
        raise ValueError(f"{sender} is no address")
    data = _datagram(source, message.encode("utf-8", "replace"))
    return Engine(settings).inspect(Packet(data, LINKTYPE_RAW, len(data)), _WHEN)


def _datagram(source: bytes, payload: bytes) -> bytes:
    """Put UDP and IP headers in front; nobody looks at their check sums here."""
    length = 8 + len(payload)
    udp = b"".join(n.to_bytes(2) for n in (5060, 5060, length, 0)) + payload
    if len(source) == 16:
        head = bytes([0x60, 0, 0, 0]) + length.to_bytes(2) + bytes([17, 64])
        return head + source + _ROUTER6 + udp
    head = bytes([0x45, 0]) + (20 + length).to_bytes(2) + bytes([0, 1, 0, 0, 64, 17])
    return head + bytes(2) + source + _ROUTER + udp
