"""Verdicts a second out of the kernel's queue, the agent's beside those that accept all.

The agent and its queue are there with each binding: netfilterqueue's, and Python's own.

The queue is filled first, while its consumer holds still; then the consumer drains
it and takes its own time. So the sender's speed is no part of the figure. The kernel
says that every packet got its verdict, and which.
"""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE
from typing import Final, NamedTuple

from bench import processes, traffic
from bench.figures import Part, Series, Skipped
from bench.link import QUEUE, VERDICTS, Link, wait_for

BUFFER: Final = 256 << 20
"""Bytes of socket buffer a consumer asks for: 4 KiB for each of 50,000 packets."""

MIXES: Final[dict[str, Callable[[traffic.Sources, int], list[traffic.Leg]]]] = {
    "foreign REGISTER": traffic.foreign,
    "honest REGISTER": traffic.honest,
    "INVITE, half listed": traffic.calls,
}
_VERDICTS_OF: Final = {
    "foreign REGISTER": {"dropped": 1.0},
    "honest REGISTER": {"passed": 1.0},
    "INVITE, half listed": {"passed": 0.5, "rejected": 0.5},
}
"""Share of each verdict that the agent gives; the others leave all unmarked."""

NAMES: Final = {
    "c": "C loop, accept all",
    "library": "netfilterqueue, accept all",
    "ours-netfilterqueue": "ringfence queue over it, accept all",
    "ours-python": "ringfence queue in Python, accept all",
    "agent-netfilterqueue": "ringfence agent over netfilterqueue",
    "agent-python": "ringfence agent with the queue in Python",
}


class Drain(NamedTuple):
    """One round of one consumer."""

    wall: float
    user: float
    system: float


class _Process:
    """A consumer, from the bench's side."""

    def __init__(self, command: Sequence[str], folder: Path, link: Link) -> None:
        self._popen = processes.start(command, folder, link.near, stdin=PIPE)
        self.pid = self._popen.pid

    def ask(self, command: str) -> list[str]:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(f"{command}\n".encode())
        self._popen.stdin.flush()
        words = self._popen.stdout.readline().decode().split()
        if not words:
            raise RuntimeError(f"a consumer ended at {command!r}, see above")
        return words[1:]

    def close(self) -> None:
        processes.end(self._popen)


def measure(folder: Path, places: traffic.Sources, packets: int, rounds: int) -> Part:
    """Time every consumer on every mix, in turn, round by round."""
    if importlib.util.find_spec("netfilterqueue") is None:
        raise Skipped("netfilterqueue is not installed, the yardstick of all")
    mixes = {
        name: [traffic.ipv4(leg) for leg in build(places, packets)]
        for name, build in MIXES.items()
    }
    notes = []
    with ExitStack() as closing:
        link = closing.enter_context(Link())
        link.add_queue_rule()
        common = [str(QUEUE), str(packets), str(BUFFER)]
        commands = {
            kind: [sys.executable, "-m", "bench.consumers", kind, *common]
            for kind in NAMES
            if kind != "c"
        }
        try:
            program = folder / "accept"
            source = Path(__file__).with_name("accept.c")
            processes.compile_c(source, program, "netfilter_queue", "nfnetlink")
            commands = {"c": [str(program), *common], **commands}
        except Skipped as reason:
            notes.append(f"skipped: C loop: {reason}")
        running: dict[str, _Process] = {}
        for kind, command in commands.items():
            running[kind] = _Process(command, folder, link)
            closing.callback(running[kind].close)
        drains: dict[tuple[str, str], list[Drain]] = {}
        for number in range(rounds + 1):
            for mix, filled in mixes.items():
                for kind, process in running.items():
                    drain = _round(link, process, filled, kind, mix)
                    if number:  # the first one warms up
                        drains.setdefault((mix, kind), []).append(drain)
    sizes = ", ".join(
        f"{name} {sum(map(len, packets_)) // len(packets_)}"
        for name, packets_ in mixes.items()
    )
    notes += [
        f"{packets} packets waiting in the queue, {rounds} rounds after one to warm up;"
        " median (lowest to highest).",
        f"Bytes a packet, from the IP header: {sizes}.",
        "of C, of nfq: the figure over that of the C or the netfilterqueue loop, median "
        "of the rounds' ratios.",
        "CPU is user and system time of the consumer's process; the kernel's work for "
        "a verdict is in it.",
    ]
    return _part(drains, list(running), packets, notes)


def _round(
    link: Link, process: _Process, packets: Sequence[bytes], kind: str, mix: str
) -> Drain:
    process.ask("bind")
    before = link.counters("bench")
    filled = link.fill(packets, process.pid)
    wall, user, system = map(float, process.ask("drain"))
    state = wait_for(process.pid, waiting=0)
    after = link.counters("bench")
    process.ask("unbind")
    given = {name: after[name] - before[name] for name in VERDICTS}
    shares = _VERDICTS_OF[mix] if kind.startswith("agent") else {"unmarked": 1.0}
    expected = {name: int(len(packets) * shares.get(name, 0)) for name in VERDICTS}
    if given != expected or state.full or state.unsent or filled.last_id < len(packets):
        raise RuntimeError(f"{NAMES[kind]}, {mix}: {given}, not {expected}; {state}")
    return Drain(wall, user, system)


def _part(
    drains: dict[tuple[str, str], list[Drain]],
    kinds: list[str],
    packets: int,
    notes: list[str],
) -> Part:
    tables: list[list[Sequence[str]]] = []
    record: dict[str, object] = {"packets": packets}
    for mix in MIXES:
        columns = (mix, "verdicts/s", "of C", "of nfq", "CPU µs a packet", "of nfq")
        rows: list[Sequence[str]] = [columns]
        rate: dict[str, Series] = {}
        cpu: dict[str, Series] = {}
        for kind in kinds:
            rounds = drains[mix, kind]
            rate[kind] = Series.of(packets / drain.wall for drain in rounds)
            cpu[kind] = Series.of(
                (drain.user + drain.system) / packets * 1e6 for drain in rounds
            )
        for kind in kinds:
            over = {
                base: rate[kind].over(rate[base])
                for base in ("c", "library")
                if base in rate
            }
            cpu_over = cpu[kind].over(cpu["library"])
            rows.append(
                (
                    NAMES[kind],
                    rate[kind].text(),
                    f"{over['c'].median:.2f}" if "c" in over else "-",
                    f"{over['library'].median:.2f}",
                    cpu[kind].text(1),
                    f"{cpu_over.median:.1f}",
                )
            )
            record[f"{mix}/{kind}"] = {
                "verdicts_per_second": rate[kind].record(),
                "cpu_us_per_packet": cpu[kind].record(),
                "cpu_over_library": cpu_over.record(),
                **{f"rate_over_{base}": over[base].record() for base in over},
            }
        tables.append(rows)
    return Part("Live verdicts", notes, tables, record)
