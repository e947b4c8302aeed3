"""What a million sources cost: time a message and memory, while every table is full.

One process judges exchanges of which each comes from a new address for a new account,
another the same from a thousand; see `judging`.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

from bench import processes
from bench.figures import Part
from bench.judging import BLOCK, FEW, SECONDS, Peer, exchange

ROW: Final = 100_000
"""Messages from one line of the curve to the next."""

STEADY: Final = 10_000
"""Messages of the process beside it, for each line."""


class _Judge:
    """The process that judges, from the bench's side."""

    def __init__(self, kind: str, folder: Path) -> None:
        command = [sys.executable, "-m", "bench.judging", kind]
        self.popen = processes.start(command, folder, stdin=PIPE)

    def run(self, messages: int) -> dict[str, Any]:
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.popen.stdin.write(f"{messages}\n".encode())
        answer: dict[str, Any] = json.loads(self.popen.stdout.readline())
        return answer


def measure(folder: Path, sources: int) -> Part:
    """Judge until so many sources have come, a line for every `ROW` messages."""
    each = sum(len(exchange(number, Peer("192.0.2.1", "x"))) for number in range(9)) / 9
    curve: list[dict[str, Any]] = []
    beside: list[dict[str, Any]] = []
    judges = {kind: _Judge(kind, folder) for kind in SECONDS}
    try:
        for _ in range(int(-(-sources * each // ROW))):
            curve.append(judges["distinct"].run(ROW))
            beside.append(judges["steady"].run(STEADY))
    finally:
        for judge in judges.values():
            processes.end(judge.popen)
    rows: list[Sequence[str]] = [
        (
            "messages",
            *("sources", "µs a message", "RSS, MB", "entries held"),
            *(f"µs, {FEW} sources", "RSS, MB", "µs / µs"),
        )
    ]
    for line, other in zip(curve, beside, strict=True):
        rows.append(
            (
                f"{line['messages']:,}",
                f"{line['messages'] / each:,.0f}",
                f"{line['us']:.1f}",
                f"{line['rss_mb']:.1f}",
                f"{line['entries']:,}",
                f"{other['us']:.1f}",
                f"{other['rss_mb']:.1f}",
                f"{line['us'] / other['us']:.2f}",
            )
        )
    notes = [
        "Every exchange from a new address for a new account, a quarter of them IPv6: "
        "registrations and calls with and without credentials, challenged, accepted, "
        "refused, unanswered.",
        f"CPU time a message, reading the capture included, median of blocks of {BLOCK}"
        f"; the tables have room for {curve[-1]['room']:,} entries. On the right "
        f"{STEADY} messages from {FEW} sources, after each line.",
    ]
    record = {"distinct": curve, "steady": beside}
    return Part("A million sources", notes, [rows], dict(record))
