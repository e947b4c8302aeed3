"""What it costs to follow calls: the engine, and the same one that does not look at them.

    python -m bench.calls [CALLS [ROUNDS]]

Whole calls, INVITE to the answer to BYE, and registrations with their answers; an
engine of the default rules, but without a limit of calls or money, so that all pass.
"""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from builders import register, settings, udp
from dialling import ABROAD, HOME, Line
from ringfence.decision import Ruling
from ringfence.engine import Engine
from ringfence.facts import Facts
from ringfence.packet import Instant, Packet

from bench.figures import Part, Series

_CALLS: Final = 2_000
_ROUNDS: Final = 9
_APART: Final = 700.0
"""Seconds from one call to the next: no rule takes them for a theft."""

_CONFIG: Final = "[budget]\nday = 0\nmonth = 0\n"


class Deaf(Engine):
    """An engine that does not look at calls."""

    def _on_the_line(self, facts: Facts, ruling: Ruling, now: Instant) -> Ruling:
        return ruling


def whole_call(number: int, called: str) -> list[Packet]:
    """Return the messages of one call, in order."""
    line = Line(
        number=called,
        call_id=f"{number:016x}@x",
        tag=f"t{number:x}",
        branch=f"b{number:x}",
    )
    messages = [
        line.invite(),
        line.answer(100, ""),
        line.answer(180),
        line.answer(200),
        line.request("ACK", to_tag="to1"),
        line.request("BYE", to_tag="to1"),
        line.answer(200, method="BYE"),
    ]
    found = []
    for one in messages:
        ends = (".".join(map(str, end)) for end in (one.packet.src, one.packet.dst))
        found.append(udp(one.message.raw, *ends))
    return found


def registration(number: int) -> list[Packet]:
    """Return a REGISTER of a phone inside."""
    fields = {"Call-ID": f"{number:016x}@x", "CSeq": f"{1 + number % 9} REGISTER"}
    return [udp(register(fields))]


KINDS: Final[dict[str, Callable[[int], list[Packet]]]] = {
    "call abroad": lambda number: whole_call(number, ABROAD),
    "call at home": lambda number: whole_call(number, HOME),
    "registration": registration,
}


def judge(engine: Engine, packets: Sequence[Sequence[Packet]]) -> float:
    """Return the CPU seconds that an engine takes for all of them."""
    inspect = engine.inspect
    gc.collect()
    begin = time.process_time()
    for at, whole in enumerate(packets):
        now = Instant(at * _APART, at * _APART)
        for packet in whole:
            inspect(packet, now)
    spent = time.process_time() - begin
    if engine.counters.accepted != sum(map(len, packets)):
        raise RuntimeError(f"the engine let {engine.counters.accepted} messages pass")
    return spent


def measure(calls: int = _CALLS, rounds: int = _ROUNDS) -> Part:
    """Time both engines round by round."""
    made = settings(_CONFIG)
    rows: list[Sequence[str]] = [
        ("each message of a", "µs", "µs, calls not looked at", "ratio")
    ]
    record: dict[str, object] = {}
    for name, of in KINDS.items():
        packets = [of(number) for number in range(calls)]
        each = 1e6 / sum(map(len, packets))
        whole, deaf = [], []
        for _ in range(rounds):
            whole.append(judge(Engine(made), packets) * each)
            deaf.append(judge(Deaf(made), packets) * each)
        mine, base = Series.of(whole), Series.of(deaf)
        ratio = mine.over(base)
        rows.append((name, mine.text(1), base.text(1), ratio.text(2)))
        record[name] = {
            "cpu_us_per_message": mine.record(),
            "cpu_us_without": base.record(),
            "ratio": ratio.record(),
        }
    notes = [f"{calls} of each, {rounds} rounds; median (lowest to highest)."]
    return Part("Following calls", notes, [rows], record)


def main() -> int:
    """Measure, and say what came out."""
    calls, rounds = [int(word) for word in sys.argv[1:3]] or [_CALLS, _ROUNDS]
    sys.stdout.write(measure(calls, rounds).text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
