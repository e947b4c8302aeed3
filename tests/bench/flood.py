"""Honest phones under a flood: how many get through, and how much later.

The same phones, registrar and carrier three times: without a flood, under it without
ringfence, under it with ringfence. A success is what a phone calls one: its 200. Sender,
router, registrar, carrier and phones share this machine's processors.
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any, Final, NamedTuple

from lab import peers
from lab.addresses import SIP_PORT, WAN
from lab.agent import Agent
from lab.messages import datagram, request
from lab.network import Lab
from lab.phones import Phone, Tried
from lab.requirements import missing

from bench import processes
from bench.figures import Part, Skipped

FOREIGN_SOURCES: Final = 10_000
FOREIGN_RATE: Final = 100_000
DOMESTIC_SOURCES: Final = 200
DOMESTIC_RATE: Final = 1_000

PHONES: Final = 20
CALLERS: Final = 5
"""Every so many phones, one calls as well."""
EVERY: Final = 1.0
"""Seconds from one registration of a phone to the next."""
GIVE_UP: Final = 3.0
"""Seconds a phone waits for an answer; it repeats after 0.5 and 1.5."""

_LEAD: Final = 1.0
"""Seconds that the flood runs before phones are measured."""
_REST: Final = 2 * GIVE_UP
"""Seconds that it runs after the last try began: each has two requests."""
_PHONE_NET: Final = "198.51.100."
_FOREIGN_NET: Final = "198.18."
_DOMESTIC_NET: Final = "198.19.0."

_HONEST: Final = ("registrations", "calls")
RUNS: Final = ("no flood", "flood, no ringfence", "flood, ringfence")


class Attempt(NamedTuple):
    """One registration or call of an honest phone."""

    begin: float
    went: Tried


class Run(NamedTuple):
    """What one of the three came to."""

    honest: dict[str, list[Tried]]
    flood: dict[str, Any]
    """What the sender says; empty without one."""
    reached: float
    """Packets a second that reached the router from outside."""
    inwards: float
    """Packets a second that the router sent on inside."""
    agent: dict[str, Any]
    """The agent's last counters; empty without one."""
    cpu: float
    """The agent's share of one processor."""


def measure(folder: Path, seconds: float) -> Part:
    """Run the three, `seconds` each, more than seven."""
    if seconds <= _LEAD + _REST:
        raise Skipped(f"a flood takes more than {_LEAD + _REST:g} s")
    if lacks := missing():
        raise Skipped(f"the lab needs {', '.join(lacks)}")
    program = folder / "flood"
    processes.compile_c(Path(__file__).with_name("flood.c"), program)
    mixes = []
    for name, net, count, rate in (
        ("foreign", _FOREIGN_NET, FOREIGN_SOURCES, FOREIGN_RATE),
        ("domestic", _DOMESTIC_NET, DOMESTIC_SOURCES, DOMESTIC_RATE),
    ):
        path = folder / f"{name}.packets"
        path.write_bytes(b"".join(_packets(net, count)))
        mixes += [str(path), str(rate)]
    runs = {name: _run(name, program, mixes, seconds) for name in RUNS}
    return _part(runs, seconds)


def _packets(net: str, count: int) -> Iterator[bytes]:
    """Yield a REGISTER without credentials from each of so many sources."""
    for number in range(count):
        tail = f"{number >> 8}.{number & 255}" if net.count(".") == 2 else f"{number}"
        source = f"{net}{tail}"
        user = str(peers.OFFICE[number % len(peers.OFFICE)])
        payload = request(
            "REGISTER", source, WAN, user=user, call_id="00000000", branch=_BRANCH
        )
        packet = datagram(source, WAN, payload)
        yield len(packet).to_bytes(2) + packet


_BRANCH: Final = "z9hG4bK-00000000"


def _run(name: str, program: Path, mixes: Sequence[str], seconds: float) -> Run:
    with ExitStack() as closing:
        lab = closing.enter_context(Lab(nat=True, record=False))
        for number in range(PHONES):
            lab.outside.ip(f"address add {_PHONE_NET}{100 + number}/32 dev lo")
        peers.start_registrar(lab)
        peers.start_trunk(lab)
        agent = Agent(lab) if name.endswith(", ringfence") else None
        if agent is not None:
            agent.wait_ready()
            agent.wait_offload()
        sender = None
        if name != RUNS[0]:
            sender = closing.enter_context(_sender(lab, program, mixes, seconds))
        before, cpu = _passed(lab), _cpu(agent)
        begin = time.monotonic()
        attempts = _honest(lab, begin + seconds - _REST)
        took = time.monotonic() - begin
        flood: dict[str, Any] = {}
        if sender is not None:
            flood = json.loads(sender.communicate(timeout=30)[0])
            took = flood["seconds"]
        after, used = _passed(lab), _cpu(agent) - cpu
        counters = agent.stop(timeout=20) if agent is not None else {}
        return Run(
            {
                kind: [one.went for one in made if one.begin >= begin + _LEAD]
                for kind, made in attempts.items()
            },
            flood,
            (after[0] - before[0]) / took,
            (after[1] - before[1]) / took,
            counters,
            used / took,
        )


@contextmanager
def _sender(
    lab: Lab, program: Path, mixes: Sequence[str], seconds: float
) -> Iterator["subprocess.Popen[bytes]"]:
    """Flood the router, on the last processor: there the router works for it too."""
    (wan,) = json.loads(lab.router.run("ip", "-j", "link", "show", "wan"))
    last = {max(os.sched_getaffinity(0))}
    with lab.outside.entered():
        process = subprocess.Popen(  # noqa: S603 - the bench's own command
            [str(program), "wire", wan["address"], str(seconds), *mixes],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    os.sched_setaffinity(process.pid, last)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _passed(lab: Lab) -> tuple[int, int]:
    """Return the packets that came from outside, and those sent on inside."""
    text = lab.router.run("ip", "-j", "-s", "link", "show")
    links = {link["ifname"]: link["stats64"] for link in json.loads(text)}
    return links["wan"]["rx"]["packets"], links["lan"]["tx"]["packets"]


def _cpu(agent: Agent | None) -> float:
    if agent is None:
        return 0.0
    fields = Path(f"/proc/{agent.process.pid}/stat").read_text("ascii").split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _honest(lab: Lab, end: float) -> dict[str, list[Attempt]]:
    """Let the phones register and call until `end`; return all their attempts."""
    made: dict[str, list[Attempt]] = {kind: [] for kind in _HONEST}

    def live(number: int, phone: Phone) -> None:
        due = time.monotonic() + number / PHONES * EVERY
        while (now := time.monotonic()) < end:
            if now < due:
                time.sleep(due - now)
                continue
            due = max(due + EVERY, now)
            made["registrations"].append(Attempt(now, phone.register()))
            if number % CALLERS == 0 and (now := time.monotonic()) < end:
                made["calls"].append(Attempt(now, phone.call("0312345678")))

    threads = []
    for number in range(PHONES):
        user = str(peers.OFFICE[number])
        phone = Phone(
            lab.udp(lab.outside, f"{_PHONE_NET}{100 + number}", SIP_PORT),
            user,
            peers.password_of(user),
            lab.registrar,
            give_up=GIVE_UP,
        )
        threads.append(threading.Thread(target=live, args=(number, phone)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made


def _delays(tried: Sequence[Tried]) -> list[float]:
    """Return median, 95th and 99th percentile in ms of what succeeded, if any."""
    times = [went.seconds * 1e3 for went in tried if went.ok]
    if len(times) < 2:
        return []
    cut = quantiles(times, n=100, method="inclusive")
    return [cut[49], cut[94], cut[98]]


def _part(runs: dict[str, Run], seconds: float) -> Part:
    tables: list[list[Sequence[str]]] = []
    record: dict[str, object] = {"seconds": seconds}
    for kind in _HONEST:
        columns = ("tried", "through", "of tried", "median ms", "p95", "p99", "of calm")
        rows: list[Sequence[str]] = [(f"honest {kind}", *columns)]
        calm = _delays(runs[RUNS[0]].honest[kind])
        for name, run in runs.items():
            tried = run.honest[kind]
            through = sum(went.ok for went in tried)
            share = through / max(1, len(tried))
            delays = _delays(tried)
            cells = [f"{delay:,.1f}" for delay in delays] or ["-"] * 3
            over = f"{delays[0] / calm[0]:.1f}" if delays and calm else "-"
            rows.append(
                (name, f"{len(tried)}", f"{through}", f"{share:.1%}", *cells, over)
            )
            record[f"{name}/{kind}"] = {
                "tried": len(tried),
                "succeeded": share,
                "ms": dict(zip(("median", "p95", "p99"), delays, strict=False)),
            }
        tables.append(rows)
    heads = ("sent foreign", "sent domestic", "reached the router", "sent on inside")
    rows = [("packets a second", *heads)]
    for name, run in runs.items():
        sent = run.flood.get("sent", (0, 0))
        took = run.flood.get("seconds", seconds)
        figures = [*(count / took for count in sent), run.reached, run.inwards]
        rows.append((name, *(f"{figure:,.0f}" for figure in figures)))
        record[f"{name}/packets"] = dict(zip(heads, figures, strict=True))
    tables.append(rows)
    run = runs[RUNS[2]]
    kernel = run.agent["kernel"]
    shown = ("foreign", "sampled", "asked", "flooded", "banned")
    record["agent"] = run.agent
    notes = [
        f"{seconds:g} s each; REGISTER from {FOREIGN_SOURCES:,} foreign and "
        f"{DOMESTIC_SOURCES} domestic sources, no two alike, aimed at {FOREIGN_RATE:,} "
        f"and {DOMESTIC_RATE:,} a second; without credentials and for accounts that "
        "exist, so nobody is banned for them.",
        f"{PHONES} phones register once a second, challenged each time; each "
        f"{CALLERS}th calls too. A try without an answer for {GIVE_UP:g} s has failed, "
        "and a phone that waits misses its next ones. Tries begin between second "
        f"{_LEAD:g} and {seconds - _REST:g}. Delays are those of successes; of calm: the "
        "median over that of the run without a flood.",
        f"{len(os.sched_getaffinity(0))} processors are shared by sender, router, "
        "registrar, carrier, phones and agent; sender and the router's work for its "
        "packets are on the last of them.",
        "ringfence: kernel "
        + ", ".join(f"{name} {kernel[name]:,}" for name in shown)
        + f"; agent {run.agent['messages']:,} messages, {run.agent['queue_full']:,} "
        f"met a full queue, {run.cpu:.0%} of one processor.",
    ]
    return Part("Honest phones under a flood", notes, tables, record)
