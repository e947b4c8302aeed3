"""The office's line under judgement: traffic into an engine, and what became of it.

What is stopped has no consequences: no answer, no call; see `incident.Traffic`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from call import Call
from incident import Passing, Traffic
from ringfence.decision import Decision, Verdict
from ringfence.engine import Engine
from ringfence.packet import Instant, Packet


class Outcome(NamedTuple):
    """What an engine made of some traffic."""

    messages: int
    malformed: Counter[str]
    """By reason."""
    passed: list[Call]
    stopped: list[Call]
    """Calls of which a message was stopped, in the order in which that happened."""
    registrations_stopped: int

    def hindered(self) -> list[Call]:
        """List honest calls that were stopped."""
        return [call for call in self.stopped if not call.theft]

    def let_through(self) -> list[Call]:
        """List the thief's calls that were not."""
        return [call for call in self.passed if call.theft]


def judge(
    engine: Engine,
    traffic: Traffic,
    seen: Callable[[Passing, Decision], None] | None = None,
) -> Outcome:
    """Feed an engine; `seen` is told of each packet and what was decided."""
    malformed: Counter[str] = Counter()
    calls: dict[str, Call] = {}
    stopped: dict[str, Call] = {}
    messages = registrations = 0
    for passing, decision in _decided(engine, traffic):
        messages += len(decision.findings)
        if decision.malformed is not None:
            malformed[decision.malformed] += 1
        call = passing.call
        if call is not None:
            calls.setdefault(call.call_id, call)
        if decision.verdict is not Verdict.ACCEPT:
            if call is None:
                registrations += 1
            else:
                stopped.setdefault(call.call_id, call)
                traffic.refuse(call, passing.time)
        if seen is not None:
            seen(passing, decision)
    passed = [call for name, call in calls.items() if name not in stopped]
    return Outcome(messages, malformed, passed, list(stopped.values()), registrations)


def _decided(engine: Engine, traffic: Traffic) -> Iterator[tuple[Passing, Decision]]:
    first: float | None = None
    for passing in traffic:
        first = passing.time if first is None else first
        packet = Packet(passing.packet, length=len(passing.packet))
        now = Instant(passing.time - first, passing.time)
        yield passing, engine.inspect(packet, now)
