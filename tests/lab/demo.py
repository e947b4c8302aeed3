"""`make demo`: the same calls and attacks twice, without ringfence and with it.

Every figure is counted on the wires at the far ends of the router, not taken from
the agent; what the agent says is printed beside it. Exits with 0 only if everything
was as it must be, 1 if not, 3 if this machine cannot hold the lab.
"""

import sys
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from lab import peers
from lab.addresses import (
    PBX,
    PHONE_ABROAD,
    PHONE_INSIDE,
    PHONE_JP,
    SCANNER_ABROAD,
    SCANNER_JP,
    TRUNK,
    WAN,
)
from lab.agent import Agent, Event
from lab.namespaces import LabError
from lab.network import Lab
from lab.peers import Result
from lab.requirements import missing

TOKYO: Final = "0312345678"
FRAUD: Final = "0033-010-232-76123456"
"""Sierra Leone, dialled through a carrier's prefix as in the documented frauds."""
PATIENCE: Final = 3
"""Seconds a phone waits: enough for three retransmissions."""

MAP: Final = f"""\
  OUTSIDE                               ROUTER                   INSIDE
  Japan   {PHONE_JP}  phone                               {PBX}  Kamailio
          {SCANNER_JP}  sipvicious    {WAN}         {PHONE_INSIDE}  phone
          {TRUNK}  carrier       ringfence
  abroad  {PHONE_ABROAD}     phone
          {SCANNER_ABROAD}     sipvicious
"""


class Step(NamedTuple):
    """One attempt, what is counted of it, and what must become of it."""

    title: str
    passes: bool
    """Whether it must get through behind ringfence."""
    attempt: Callable[[Lab], Result]
    marks: bytes
    """What the counted requests have in them."""
    counted: str
    """The same in words."""
    source: str
    """Who sends them: an address outside, or the PBX on its way out."""
    rules: tuple[str, ...] = ()
    """One of these rules must stop it."""
    gets: str = "answers"
    """What the answers are called: status codes, or what a scan found."""

    @property
    def where(self) -> str:
        """Where arrivals are counted."""
        return "at the carrier" if self.source == PBX else "at the PBX"


class Outcome(NamedTuple):
    """What one attempt came to."""

    sent: int
    arrived: int
    result: Result


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - printing is what a demo does


def _register(address: str) -> Callable[[Lab], Result]:
    return lambda lab: peers.register(
        lab, lab.outside, address, lab.registrar, timeout=PATIENCE
    )


def _call_from_outside(number: str) -> Callable[[Lab], Result]:
    return lambda lab: peers.call(
        lab, lab.outside, PHONE_JP, lab.registrar, number, timeout=PATIENCE
    )


def _call_from_inside(number: str) -> Callable[[Lab], Result]:
    return lambda lab: peers.call(
        lab, lab.inside, PHONE_INSIDE, PBX, number, user="202"
    )


def _scan(tool: peers.Scanner, address: str) -> Callable[[Lab], Result]:
    return lambda lab: tool(lab, address, lab.registrar)


def steps() -> list[Step]:
    """List everything the demo tries, in order."""

    def call(title: str, number: str, outside: bool, passes: bool) -> Step:
        attempt = _call_from_outside(number) if outside else _call_from_inside(number)
        target = WAN if outside else TRUNK
        return Step(
            title=title,
            passes=passes,
            attempt=attempt,
            marks=f"INVITE sip:{number}@{target}".encode(),
            counted="INVITE",
            source=PHONE_JP if outside else PBX,
            rules=("blocked-destination",),
        )

    def scan(title: str, tool: peers.Scanner, address: str, method: str) -> Step:
        return Step(
            title=title,
            passes=False,
            attempt=_scan(tool, address),
            marks=f"{method} sip:".encode(),
            counted=method,
            source=address,
            rules=("scanner", "foreign-registration"),
            gets="finds",
        )

    def register(title: str, address: str, passes: bool) -> Step:
        return Step(
            title=title,
            passes=passes,
            attempt=_register(address),
            marks=b"REGISTER sip:",
            counted="REGISTER",
            source=address,
            rules=("foreign-registration",),
        )

    return [
        register("phone in Japan registers", PHONE_JP, passes=True),
        call(f"phone in Japan calls {TOKYO}", TOKYO, outside=True, passes=True),
        call("phone on the desk calls 119", "119", outside=False, passes=True),
        register("phone abroad, right password", PHONE_ABROAD, passes=False),
        scan("svmap from abroad", peers.svmap, SCANNER_ABROAD, "OPTIONS"),
        scan("svwar from abroad", peers.svwar, SCANNER_ABROAD, "REGISTER"),
        scan("svmap from Japan", peers.svmap, SCANNER_JP, "OPTIONS"),
        scan("svwar from Japan", peers.svwar, SCANNER_JP, "REGISTER"),
        call(f"desk calls {FRAUD}", FRAUD, outside=False, passes=False),
        call(f"outside calls {FRAUD}", FRAUD, outside=True, passes=False),
        call("phone in Japan calls 119", "119", outside=True, passes=True),
    ]


def take(lab: Lab, step: Step) -> Outcome:
    """Do one step and count, at both ends, what it sent and what arrived."""
    outwards = step.source == PBX
    near, far = lab.outside_wire, lab.inside_wire
    if outwards:
        near, far = far, near
    since_near, since_far = near.position(), far.position()
    result = step.attempt(lab)
    lab.settle()
    sent = near.find(sent=True, src=step.source, has=step.marks, since=since_near)
    # Masquerading replaces the PBX's address on its way out.
    source = WAN if outwards else step.source
    came = far.find(sent=False, src=source, has=step.marks, since=since_far)
    return Outcome(len(sent), len(came), result)


def judge(step: Step, outcome: Outcome, said: list[Event]) -> str:
    """Return what is wrong with an outcome behind ringfence; empty if nothing is."""
    if outcome.sent == 0:
        return "nothing was sent"
    if step.passes:
        if not outcome.result.ok:
            return "should have been answered"
        if outcome.arrived != outcome.sent:
            return "something was lost"
        return "ringfence objected" if said else ""
    if outcome.arrived:
        return "should not have arrived"
    if outcome.result.ok:
        return "should have got nothing"
    if not any(event["rule"] in step.rules for event in said):
        return f"ringfence did not name {' or '.join(step.rules)}"
    return ""


def show(step: Step, outcome: Outcome, said: list[Event] | None) -> None:
    """Print what happened in one step; `said` is None where no agent runs."""
    say(f"  {step.title}")
    say(f"      sent      {outcome.sent} {step.counted}")
    say(f"      arrived   {outcome.arrived} {step.where}")
    say(f"      {step.gets:9} {' '.join(outcome.result.answers) or 'nothing'}")
    if said:
        last = said[-1]
        say(f"      ringfence {last['verdict']}, {last['rule']}: {last['reason']}")
    elif said is not None:
        say("      ringfence no objection")


def _open_router() -> list[Outcome]:
    outcomes = []
    with Lab(nat=True) as lab:
        peers.start_registrar(lab)
        peers.start_trunk(lab)
        for step in steps():
            outcomes.append(take(lab, step))
            show(step, outcomes[-1], None)
    return outcomes


def _guarded_router() -> tuple[list[tuple[Outcome, str]], str]:
    rows = []
    with Lab(nat=True) as lab:
        peers.start_registrar(lab)
        peers.start_trunk(lab)
        before = lab.router.ruleset()
        begin = time.monotonic()
        with Agent(lab) as agent:
            ready = agent.wait_ready()
            say(f"  ringfence is ready after {time.monotonic() - begin:.2f} s")
            say(f"      queue {ready['queue']} by {ready['statement']}")
            say(f"      strangers come in by {', '.join(ready['wan'])}")
            say(f"      rules {', '.join(ready['rules'])}")
            for step in steps():
                known = len(agent.decisions())
                outcome = take(lab, step)
                said = agent.decisions()[known:]
                rows.append((outcome, judge(step, outcome, said)))
                show(step, outcome, said)
            counters = agent.stop()
        left = lab.router.ruleset()
        say("  ringfence has stopped")
        judged = ("messages", "accepted", "dropped", "rejected")
        say("      " + ", ".join(f"{name} {counters[name]}" for name in judged))
    return rows, "" if left == before else f"the kernel is not as before:\n{left}"


def _summary(
    without: list[Outcome], rows: list[tuple[Outcome, str]], kernel: str
) -> bool:
    """Print the table; True when everything was as it must be."""
    fine = not kernel
    say(f"\n{'arrived of sent:':38} without    with ringfence")
    for step, first, (second, problem) in zip(steps(), without, rows, strict=True):
        if not problem and not (first.result.ok and first.arrived):
            problem = "did not work without ringfence either"
        fine = fine and not problem
        counts = [f"{one.arrived} of {one.sent}" for one in (first, second)]
        must = "passes" if step.passes else "stopped"
        verdict = f"WRONG: {problem}" if problem else must
        say(f"  {step.title:36} {counts[0]:10} {counts[1]:10} {verdict}")
    say(f"  {'ringfence stops':36} {'':10} {'':10} {kernel or 'kernel as before'}")
    return fine


def main() -> int:
    """Run the whole demo."""
    begin = time.monotonic()
    try:
        lacks = missing()
        if lacks:
            say(f"the demo needs {', '.join(lacks)}")
            return 3
        say(MAP)
        say("1. Without ringfence")
        without = _open_router()
        say("\n2. With ringfence, embedded rules, no settings but a country table")
        rows, kernel = _guarded_router()
        fine = _summary(without, rows, kernel)
    except LabError as error:
        say(f"the lab failed: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; everything has been removed")
        return 130
    took = time.monotonic() - begin
    say(f"\n{'All as it must be' if fine else 'NOT as it must be'} ({took:.0f} s)")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
