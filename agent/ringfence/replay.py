"""Captures through the engine: what the agent would have done, and why.

Needs no privileges. Time comes from the packets: a capture judged today gives what
the router gave then. Only where a day of the budget or an hour of the week begins says
this machine: with `TZ=Asia/Tokyo` in front as in Japan.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TextIO

from ringfence import report
from ringfence.calls.events import CallOver, Told
from ringfence.calls.terms import Terms
from ringfence.engine import Engine, Settings
from ringfence.errors import CaptureError
from ringfence.packet import Instant
from ringfence.pcap import open_capture
from ringfence.told import money, told_record, told_text

_PROGRESS_BYTES: Final = 4 << 20
"""Bytes read between two updates of the progress line."""


class _Clock:
    """Both clocks from packet times; `mono` never goes back."""

    def __init__(self) -> None:
        self.start: float | None = None
        self._mono = 0.0

    def at(self, wall: float) -> Instant:
        if self.start is None:
            self.start = wall
        self._mono = max(self._mono, wall - self.start)
        return Instant(self._mono, wall)


class _Progress:
    """A percentage on standard error, only where a person watches."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._next = _PROGRESS_BYTES
        self._shown = False
        self._wanted = sys.stderr.isatty() and size > _PROGRESS_BYTES

    def at(self, read: int) -> None:
        if self._wanted and read >= self._next:
            self._next = read + _PROGRESS_BYTES
            self._shown = True
            sys.stderr.write(f"\r{100 * read // self._size:3d} %")
            sys.stderr.flush()

    def done(self) -> None:
        if self._shown:
            sys.stderr.write("\r     \r")
            sys.stderr.flush()


class _Abroad:
    """What all calls abroad of a capture come to."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._passed = self._cost = self._stopped = self._saved = 0

    def add(self, told: Told) -> None:
        if not (isinstance(told, CallOver) and told.abroad and told.direction == "out"):
            return
        if told.end == "stopped":
            self._stopped += 1
            self._saved += self._terms.rates.find(told.number).cost(0)
        else:
            self._passed += 1
            self._cost += told.cost or 0

    def text(self) -> str:
        """Write a line for a person; "" if nobody called abroad."""
        if not (self._passed or self._stopped):
            return ""
        currency = self._terms.currency
        return (
            f"calls abroad: {self._passed} for {money(self._cost)} {currency}; "
            f"{self._stopped} stopped, at least {money(self._saved)} {currency} saved\n"
        )


def replay_file(
    path: Path, settings: Settings, out: TextIO, *, jsonl: bool, hits_only: bool
) -> CaptureError | None:
    """Judge one capture and write its messages and a summary.

    State starts empty for each file. A capture that breaks off is judged as far as
    it goes; its error is returned, after the summary. Raises `CaptureError` when
    there is nothing to read at all.
    """
    engine = Engine(settings)
    capture = open_capture(path)
    clock = _Clock()
    now = Instant(0.0, 0.0)
    progress = _Progress(capture.size)
    abroad = _Abroad(settings.terms)
    broken: CaptureError | None = None
    if not jsonl:
        out.write(f"{path}\n{report.HEADINGS}\n")
    try:
        for frame, wall, packet in capture:
            now = clock.at(wall)
            decision = engine.inspect(packet, now)
            progress.at(capture.bytes_read)
            if hits_only and not report.worst(decision):
                _tell(engine, abroad, path, out, jsonl=jsonl, hits_only=hits_only)
                continue
            since = wall - (clock.start or 0.0)
            for finding in decision.findings:
                if hits_only and not finding.ruling.stops:
                    continue
                record = report.message_record(finding, full_numbers=True)
                if jsonl:
                    _line(
                        out,
                        {
                            "type": "message",
                            "file": str(path),
                            "frame": frame,
                            "time": round(wall, 6),
                            **record,
                        },
                    )
                else:
                    out.write(report.text_row(frame, since, record) + "\n")
            if decision.malformed is not None:
                if jsonl:
                    _line(
                        out,
                        {
                            "type": "malformed",
                            "file": str(path),
                            "frame": frame,
                            "time": round(wall, 6),
                            "reason": decision.malformed,
                            "verdict": decision.verdict.word,
                        },
                    )
                else:
                    out.write(report.malformed_row(frame, since, decision) + "\n")
            _tell(engine, abroad, path, out, jsonl=jsonl, hits_only=hits_only)
    except CaptureError as error:
        broken = error
    finally:
        progress.done()
        capture.close()
    engine.tick(now)
    _tell(engine, abroad, path, out, jsonl=jsonl, hits_only=hits_only)
    if jsonl:
        summary = report.summary_record(engine.counters)
        _line(out, {"type": "summary", "file": str(path), **summary})
    else:
        out.write(f"{abroad.text()}{report.text_summary(engine.counters)}\n\n")
    return broken


def replay(
    paths: Iterable[Path],
    settings: Settings,
    out: TextIO,
    *,
    jsonl: bool,
    hits_only: bool = False,
) -> list[CaptureError]:
    """Judge several captures; returns what could not be read, file by file."""
    errors: list[CaptureError] = []
    for path in paths:
        try:
            broken = replay_file(path, settings, out, jsonl=jsonl, hits_only=hits_only)
        except CaptureError as error:
            broken = error
        if broken is not None:
            errors.append(broken)
    return errors


def _tell(
    engine: Engine,
    abroad: _Abroad,
    path: Path,
    out: TextIO,
    *,
    jsonl: bool,
    hits_only: bool,
) -> None:
    """Write what became of calls; a person reads of incidents and money only."""
    currency = engine.settings.terms.currency
    for told in engine.told():
        abroad.add(told)
        record = told_record(told, currency, full_numbers=True)
        if hits_only and isinstance(told, CallOver) and told.end != "stopped":
            continue
        if jsonl:
            _line(out, {"type": record.pop("type"), "file": str(path), **record})
        elif not isinstance(told, CallOver):
            out.write(told_text(told, currency) + "\n")


def _line(out: TextIO, record: dict[str, object]) -> None:
    out.write(json.dumps(record, ensure_ascii=False) + "\n")
