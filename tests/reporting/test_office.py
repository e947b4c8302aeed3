"""The whole way: an office's traffic, the engine, its log, the report, and the truth.

What the report says is held against who really called (`pcaps/incident.py`) and
against what the engine itself counts.
"""

import csv
import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from builders import COUNTRIES
from office_line import Outcome, judge
from ringfence.calls.events import Incident
from ringfence.cli import main
from ringfence.decision import Decision
from ringfence.engine import Engine, Settings
from ringfence.eventlog import EventLog
from ringfence.netfilter.nft import Plan
from ringfence.netfilter.severing import Severing
from ringfence.packet import Instant, Packet
from ringfence.verdicts import Verdicts
from theft_figures import site

import theft  # isort: skip
from call import Call  # isort: skip
from incident import INCIDENT, Traffic, calls, capture, messages  # isort: skip

THIEF = INCIDENT._replace(entry=theft.UNSEEN)
Capture = pytest.CaptureFixture[str]
Row = dict[str, str]


class Reported(NamedTuple):
    """What the commands say of one log."""

    texts: dict[str, str]
    rows: list[Row]
    pages: dict[str, str]


def reported(log: Path, config: Path, capsys: Capture) -> Reported:
    """Make every kind of report, in both languages."""
    texts, pages = {}, {}
    table = log.with_suffix(".csv")
    for lang in ("en", "ja"):
        common = ["report", "--config", str(config), "--lang", lang]
        assert main([*common, str(log)]) == 1
        texts[lang], complaints = capsys.readouterr()
        assert complaints == ""
        page = log.with_suffix(f".{lang}.html")
        files = ["--csv", str(table), "--html", str(page)]
        assert main([*common, *files, str(log)]) == 1
        pages[lang] = page.read_text("utf-8")
        capsys.readouterr()
    with table.open(encoding="utf-8", newline="") as stream:
        return Reported(texts, list(csv.DictReader(stream)), pages)


def abroad(rows: list[Row], *, stopped: bool) -> list[Row]:
    return [
        row
        for row in rows
        if row["direction"] == "out"
        and row["abroad"] == "yes"
        and (row["end"] == "stopped") is stopped
    ]


def spent(rows: list[Row]) -> int:
    """Add up, in thousandths."""
    return sum(int(1000 * Fraction(row["cost"] or "0")) for row in rows)


def said(found: Reported, english: str, japanese: str) -> None:
    """See both languages say it, on the terminal and on the page."""
    for lang, text in (("en", english), ("ja", japanese)):
        assert text in found.texts[lang]
        assert text in found.pages[lang]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ringfence.toml"
    path.write_text(f'[origin]\ntable = "{COUNTRIES}"\n', encoding="utf-8")
    return path


def test_a_capture_by_way_of_replay(
    tmp_path: Path, config: Path, capsys: Capture
) -> None:
    """Nothing is really stopped there: what is refused goes on all the same."""
    days = range(theft.FIRST_DAY - 1, theft.FIRST_DAY + 1)
    pcap = tmp_path / "office.pcap"
    with pcap.open("wb") as out:
        out.writelines(capture(messages(THIEF, days)))
    options = ["--config", str(config), "--format", "jsonl"]
    assert main(["replay", *options, str(pcap)]) == 0
    log = tmp_path / "log"
    log.write_text(capsys.readouterr().out, encoding="utf-8")
    found = reported(log, config, capsys)

    truth = list(calls(THIEF, days))
    stolen = [call for call in truth if call.theft]
    assert len(stolen) > 300
    stopped = abroad(found.rows, stopped=True)
    assert [row["country"] for row in stopped] == ["SL"] * len(stolen)
    said(
        found,
        f"{len(stolen)} calls were stopped.",
        f"{len(stolen)}件の発信を阻止しました",
    )
    honest = [call for call in truth if _costs(call) and not call.theft]
    through = abroad(found.rows, stopped=False)
    assert [(row["country"], row["duration_s"]) for row in through] == [
        (call.country, "" if call.answered is None else str(round(call.duration)))
        for call in honest
    ]
    assert honest


def _costs(call: Call) -> bool:
    return call.direction == "out" and call.country not in ("JP", "")


# As `run` logs it --------------------------------------------------------------------


class Queued:
    """What the queue's library hands over, as far as verdicts use it."""

    def __init__(self, packet: Packet) -> None:
        self._data = packet.data
        self.indev = packet.indev
        self._mark = 0

    def get_payload(self) -> bytes:
        return self._data

    def get_mark(self) -> int:
        return self._mark

    def set_mark(self, mark: int) -> None:
        self._mark = mark

    def accept(self) -> None: ...


class Recorder(Engine):
    """An engine that remembers its last decision, and all that it told."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.last: Decision | None = None
        self.incidents: list[Incident] = []
        self.now = Instant(0.0, 0.0)

    def inspect(self, packet: Packet, now: Instant) -> Decision:
        self.last = super().inspect(packet, now)
        self.now = now
        return self.last

    def told(self) -> Any:
        found = super().told()
        self.incidents += [one for one in found if isinstance(one, Incident)]
        return found


class Agent:
    """Judges as the agent does: each packet from the queue, every decision logged."""

    def __init__(self, engine: Recorder, log: EventLog) -> None:
        self.engine = engine
        self._verdicts = Verdicts(engine, log, Severing())
        self._verdicts.speak(Plan(5060, frozenset({5060})))

    def inspect(self, packet: Packet, now: Instant) -> Decision:
        self._verdicts.give(Queued(packet), now)
        self._verdicts.tell_calls(now)
        assert self.engine.last is not None
        return self.engine.last

    def stop(self) -> None:
        """Let the last calls be over, and tell of them."""
        now = self.engine.now
        self.engine.tick(Instant(now.mono + 300, now.wall + 300))
        self._verdicts.tell_calls(now)
        assert self._verdicts.internal_errors == 0


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[tuple[Recorder, Outcome, Path]]:
    """The theft's first night, +232 on no list, as an agent logs it."""
    engine = Recorder(site(tmp_path, unlisted="232").settings)
    path = tmp_path / "log"
    with path.open("wb") as out:
        log = EventLog(out.fileno(), 1_000)
        agent = Agent(engine, log)
        days = range(theft.FIRST_DAY - 2, theft.FIRST_DAY + 1)
        outcome = judge(cast("Engine", agent), Traffic(THIEF, days))
        agent.stop()
        assert log.unwritten == log.suppressed == 0
    yield engine, outcome, path
    os.unlink(path)


def test_the_log_of_an_agent(
    logged: tuple[Recorder, Outcome, Path], config: Path, capsys: Capture
) -> None:
    engine, outcome, log = logged
    kinds = {json.loads(line)["type"] for line in log.read_text("utf-8").splitlines()}
    assert kinds >= {"call", "incident", "decision"}
    found = reported(log, config, capsys)

    stopped = abroad(found.rows, stopped=True)
    assert len(stopped) == len(outcome.stopped) > 300
    assert outcome.hindered() == []
    said(
        found,
        f"{len(stopped)} calls were stopped.",
        f"{len(stopped)}件の発信を阻止しました",
    )
    # What was let through: each call that cost, at the engine's own price.
    through = abroad(found.rows, stopped=False)
    assert len(through) == sum(map(_costs, outcome.passed)) > 0
    total = engine.line.ledger.spent("month", engine.now)
    assert spent(through) == total > 0
    said(found, f"JPY {total // 1000:,}", f"{total // 1000:,}円")
    begun = {row["direction"] for row in found.rows if row["abroad"] == "no"}
    assert begun == {"in", "out"}
    # Numbers are shown as on the carriers' bills.
    assert {row["number"][-4:] for row in stopped + through} == {"xxxx"}
    # One incident, and what it stopped.
    assert [(one.event, one.closure.subject) for one in engine.incidents] == [
        ("opened", "SL")
    ]
    (incident,) = (one.closure for one in engine.incidents)
    assert incident.stopped == len(stopped)
    saved = incident.cost // 1000
    (line,) = (
        line for line in found.texts["en"].splitlines() if "ringfence allow" in line
    )
    assert line.split()[-5:] == [
        *(f"{len(stopped):,}", "3", "JPY", f"{saved:,}", "country-surge"),
    ]
    assert "ringfence allow SL --for 2h" in found.texts["en"]
    assert "country-surge" in found.pages["ja"]
