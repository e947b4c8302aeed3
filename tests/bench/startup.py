"""From exec to `ready`, and what the running agent holds in memory.

Knows the program from outside only: its command line, its events, /proc.
"""

import json
import os
import selectors
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from bench import processes, traffic
from bench.figures import Part, Series, Skipped
from bench.link import Link

JUDGED: Final = 20_000
"""Messages after which memory is looked at again."""

AIM_SECONDS: Final = 0.5
AIM_MB: Final = 24.0

_PATIENCE: Final = 20.0
"""Seconds to the next event, or to the end after SIGTERM, before the bench gives up."""

_NOT_HERE: Final = 3
"""Exit code of the agent where a privilege or a kernel feature is missing."""


class _Agent:
    """`ringfence run` in a namespace, ready."""

    def __init__(self, folder: Path, link: Link) -> None:
        empty = folder / "empty.toml"
        empty.write_text(f'[state]\nfile = "{folder}/state.json"\n')
        begun, begin = os.pipe()
        command = [*processes.agent_command(), "run", "--config", str(empty)]

        def stamp() -> None:
            os.write(begin, struct.pack("d", time.monotonic()))

        self.popen = processes.start(command, folder, link.near, last=stamp)
        os.close(begin)
        try:
            self.ready = self._wait("ready")
            at = time.monotonic()
            self.seconds = at - float(struct.unpack("d", os.read(begun, 8))[0])
        except BaseException:
            processes.end(self.popen)
            raise
        finally:
            os.close(begun)

    def _wait(self, kind: str) -> dict[str, Any]:
        """Read events up to one of that kind."""
        assert self.popen.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout, selectors.EVENT_READ)
            while selector.select(_PATIENCE):
                line = self.popen.stdout.readline()
                if not line and self.popen.wait(_PATIENCE) == _NOT_HERE:
                    raise Skipped("ringfence run cannot work here, see above")
                if not line:
                    break
                event: dict[str, Any] = json.loads(line)
                if event["type"] == kind:
                    return event
        raise RuntimeError(f"ringfence run did not say {kind}, see above")

    def memory(self) -> dict[str, float]:
        return memory(self.popen.pid)

    def stop(self) -> dict[str, Any]:
        """Send SIGTERM; return its last counters."""
        self.popen.send_signal(signal.SIGTERM)
        counters = self._wait("counters")
        if self.popen.wait(_PATIENCE) != 0:
            raise RuntimeError(f"ringfence run ended with {self.popen.returncode}")
        return counters

    def close(self) -> None:
        processes.end(self.popen)


def memory(process: int) -> dict[str, float]:
    """Return a process's memory in MB (10^6 bytes), by what it is counted as.

    `rss` is resident, shared pages included; `pss` gives each shared page to its
    sharers in parts; `private` is what only this process has.
    """
    kib: dict[str, int] = {}
    for name in ("status", "smaps_rollup"):
        for line in Path(f"/proc/{process}/{name}").read_text("ascii").splitlines():
            key, _, value = line.partition(":")
            if value.endswith(" kB"):
                kib[key] = int(value.split()[0])
    found = {
        "rss": kib["VmRSS"],
        "pss": kib["Pss"],
        "private": kib["Private_Clean"] + kib["Private_Dirty"],
        "file": kib["RssFile"],
    }
    return {name: value * 1024 / 1e6 for name, value in found.items()}


def measure(folder: Path, places: traffic.Sources, starts: int) -> Part:
    """Start the agent over and over, with and without its cache, then use it."""
    cached: list[float] = []
    uncached: list[float] = []
    rows: list[Sequence[str]] = [("start-up, exec to ready", "ms", "aim")]
    with ExitStack() as closing:
        link = closing.enter_context(Link())

        def started() -> _Agent:
            agent = _Agent(folder, link)
            closing.callback(agent.close)
            return agent

        started().stop()  # the first one reads everything from the disk
        for _ in range(starts):
            shutil.rmtree(folder / "run" / "ringfence", ignore_errors=True)
            for times in (uncached, cached):
                agent = started()
                times.append(agent.seconds * 1e3)
                agent.stop()
        bare = Series.of(_interpreter(folder) * 1e3 for _ in range(starts))

        agent = started()
        statement = agent.ready["statement"]
        held = {"agent, ready": agent.memory()}
        packets = [traffic.ipv4(leg) for leg in traffic.office(places, JUDGED * 2)]
        requests = [packet for packet in packets if packet[28:36] != b"SIP/2.0 "]
        link.feed(requests[:JUDGED], agent.popen.pid)
        held[f"agent, {JUDGED} messages judged"] = agent.memory()
        held["bare interpreter"] = _interpreter_memory(folder)
        counters = agent.stop()
    # The kernel judges most of what comes from abroad by itself.
    judged = counters["messages"] + counters["kernel"]["foreign"]
    if judged != JUDGED or counters["internal_errors"]:
        raise RuntimeError(f"expected {JUDGED} messages judged: {counters}")

    figures = {
        "country table cached": Series.of(cached),
        "country table unpacked anew": Series.of(uncached),
        "bare interpreter, `python -c pass`": bare,
    }
    for name, series in figures.items():
        aim = "" if "bare" in name else f"< {AIM_SECONDS * 1e3:.0f}"
        rows.append((name, series.text(), aim))
    sizes: list[Sequence[str]] = [
        ("memory, MB", "RSS", "of it files", "PSS", "private", "aim")
    ]
    for name, parts in held.items():
        aim = "" if "bare" in name else f"< {AIM_MB:.0f}"
        figs = [parts[key] for key in ("rss", "file", "pss", "private")]
        sizes.append((name, *(f"{figure:.1f}" for figure in figs), aim))
    notes = [
        f"{starts} starts each, in turn; median (lowest to highest). Default "
        f"configuration, embedded rules and table, {statement}.",
        "RSS is VmRSS of /proc/PID/status, PSS that of smaps_rollup; MB are 10^6 bytes.",
    ]
    record: dict[str, object] = {name: s.record() for name, s in figures.items()}
    return Part("Start-up and memory", notes, [rows, sizes], record | {"memory": held})


def _interpreter(folder: Path) -> float:
    begin = time.monotonic()
    process = processes.start([sys.executable, "-c", "pass"], folder)
    try:
        process.wait()
        return time.monotonic() - begin
    finally:
        processes.end(process)


def _interpreter_memory(folder: Path) -> dict[str, float]:
    program = "import sys; sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"
    process = processes.start(
        [sys.executable, "-c", program], folder, stdin=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        process.stdout.read(1)
        return memory(process.pid)
    finally:
        processes.end(process)
