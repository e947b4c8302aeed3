"""Messages a second: replay as a user runs it, the bare engine, and dpkt beside it.

All three read the same capture. dpkt only takes the packets apart and its SIP
messages; it judges nothing, so it is a yardstick for reading, not a rival.
"""

import gc
import json
import os
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import dpkt  # type: ignore[import-untyped] # has no types
from ringfence.config import assemble
from ringfence.config.read import parse_config
from ringfence.engine import Engine
from ringfence.packet import Instant, Packet

from bench import processes, traffic
from bench.figures import Part, Series

_ETHERNET: Final = 1
_PATIENCE: Final = 300.0
"""Seconds for one replay before the bench gives up."""


def measure(folder: Path, places: traffic.Sources, messages: int, rounds: int) -> Part:
    """Time the three in turn, round by round."""
    legs = traffic.office(places, messages)
    frames = [traffic.ethernet(traffic.ipv4(leg)) for leg in legs]
    capture = folder / "office.pcap"
    traffic.write_capture(capture, frames)
    runs: dict[str, Callable[[], float]] = {
        "ringfence replay, whole process": lambda: _replay(capture, folder, messages),
        "Engine.inspect, packets in memory": lambda: _engine(frames),
        "dpkt Ethernet, IP, UDP, SIP, in memory": lambda: _dpkt(frames),
    }
    warm = folder / "few.pcap"
    traffic.write_capture(warm, frames[:20])
    _replay(warm, folder, 20)  # compiles to bytecode, unpacks the country table
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    rate: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            before = _cpu()
            rate[name].append(messages / run())
            cpu[name].append((_cpu() - before) / messages * 1e6)
    *_, yardstick = runs
    base = Series.of(rate[yardstick])
    base_cpu = Series.of(cpu[yardstick])
    rows: list[Sequence[str]] = [
        ("", "messages/s", "CPU µs a message", "of dpkt", "CPU/dpkt")
    ]
    record: dict[str, object] = {"messages": messages, "bytes": sum(map(len, frames))}
    for name in runs:
        mine, mine_cpu = Series.of(rate[name]), Series.of(cpu[name])
        over, cpu_over = mine.over(base), mine_cpu.over(base_cpu)
        rows.append(
            (
                name,
                mine.text(),
                mine_cpu.text(1),
                f"{over.median:.2f}",
                f"{cpu_over.median:.2f}",
            )
        )
        record[name] = {
            "messages_per_second": mine.record(),
            "cpu_us_per_message": mine_cpu.record(),
            "rate_over_dpkt": over.record(),
            "cpu_over_dpkt": cpu_over.record(),
        }
    notes = [
        f"{messages} messages, {sum(map(len, frames)) // messages} bytes a frame, "
        f"{rounds} rounds; median (lowest to highest). replay --format jsonl, start of "
        "the interpreter and writing the lines included.",
    ]
    return Part("Replay", notes, [rows], record)


def _cpu() -> float:
    """CPU seconds of this process and of those it waited for."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(
            resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
    )


def _replay(capture: Path, folder: Path, messages: int) -> float:
    empty = folder / "empty.toml"
    empty.touch()
    lines = folder / "replay.jsonl"
    command = [*processes.agent_command(), "replay", "--format", "jsonl"]
    command += ["--config", str(empty), str(capture)]
    with lines.open("wb") as sink:
        begin = time.monotonic()
        process = processes.start(command, folder, stdout=sink)
        try:
            status = process.wait(_PATIENCE)
            wall = time.monotonic() - begin
        finally:
            processes.end(process)
    if status != 0:
        raise RuntimeError(f"ringfence replay ended with {status}, see above")
    with lines.open("rb") as written:
        written.seek(-2048, os.SEEK_END)
        summary: dict[str, Any] = json.loads(written.read().splitlines()[-1])
    if summary["messages"] != messages:
        raise RuntimeError(f"replay saw {summary['messages']} of {messages} messages")
    return wall


def _engine(frames: Sequence[bytes]) -> float:
    engine = Engine(assemble(parse_config("", "defaults")))
    inspect = engine.inspect
    now = Instant(0.0, 0.0)
    gc.collect()
    begin = time.monotonic()
    for frame in frames:
        inspect(Packet(frame, _ETHERNET, len(frame)), now)
    wall = time.monotonic() - begin
    if engine.counters.messages != len(frames):
        raise RuntimeError(f"the engine saw {engine.counters.messages} messages")
    return wall


def _dpkt(frames: Sequence[bytes]) -> float:
    ethernet = dpkt.ethernet.Ethernet
    request, response = dpkt.sip.Request, dpkt.sip.Response
    gc.collect()
    begin = time.monotonic()
    for frame in frames:
        payload = ethernet(frame).data.data.data
        if payload.startswith(b"SIP/"):
            response(payload)
        else:
            request(payload)
    return time.monotonic() - begin
