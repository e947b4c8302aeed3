"""What it costs to follow calls: `CallView` on messages that the engine has judged.

    python -m bench.calls [CALLS [ROUNDS]]

Facts of whole calls, INVITE to the answer to BYE, are made anew for each round and the
numbers in them read beforehand, as the engine has done when it asks; the rest counts.
Engine.inspect on the same packets stands beside it.
"""

import gc
import sys
import time
from collections.abc import Sequence
from typing import Final

from builders import settings, udp
from dialling import Line
from ringfence.calls import CallView
from ringfence.engine import Engine
from ringfence.facts import Facts
from ringfence.packet import Instant, Packet

from bench.figures import Series

_CALLS: Final = 2_000
_ROUNDS: Final = 9


def whole_call(number: int) -> list[Facts]:
    """Return the messages of one call, in order."""
    line = Line(call_id=f"{number:016x}@x", tag=f"t{number:x}", branch=f"b{number:x}")
    return [
        line.invite(),
        line.answer(100, ""),
        line.answer(180),
        line.answer(200),
        line.request("ACK", to_tag="to1"),
        line.request("BYE", to_tag="to1"),
        line.answer(200, method="BYE"),
    ]


def follow(messages: Sequence[Facts]) -> float:
    """Return the CPU seconds that a view takes for all of them."""
    fresh = [Facts(one.world, one.packet, one.side, one.message) for one in messages]
    for one in fresh:
        assert (one.number_ruling is None) != (one.message.method == "INVITE")
    seen = CallView().seen
    told = 0
    gc.collect()
    begin = time.process_time()
    for at, one in enumerate(fresh):
        told += len(seen(one, Instant(at / 100, 0.0)))
    spent = time.process_time() - begin
    assert told == 3 * len(messages) // 7
    return spent


def judge(packets: Sequence[Packet]) -> float:
    """Return the CPU seconds that the engine takes for all of them."""
    inspect = Engine(settings()).inspect
    gc.collect()
    begin = time.process_time()
    for at, packet in enumerate(packets):
        inspect(packet, Instant(at / 100, 0.0))
    return time.process_time() - begin


def main() -> int:
    """Measure, and say what came out."""
    calls, rounds = [int(word) for word in sys.argv[1:3]] or [_CALLS, _ROUNDS]
    messages = [one for number in range(calls) for one in whole_call(number)]
    packets = []
    for one in messages:
        ends = (".".join(map(str, end)) for end in (one.packet.src, one.packet.dst))
        packets.append(udp(one.message.raw, *ends))
    each = 1e6 / len(messages)
    mine, engine = [], []
    for _ in range(rounds):
        mine.append(follow(messages) * each)
        engine.append(judge(packets) * each)
    sys.stdout.write(
        f"CPU µs a message, {calls} calls of 7, {rounds} rounds, median (lowest to "
        f"highest):\nCallView.seen   {Series.of(mine).text(1)}\n"
        f"Engine.inspect  {Series.of(engine).text(1)}\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
