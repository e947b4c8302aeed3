"""The command: which files it reads, what it writes, what it says of itself."""

import io
import json
import stat
import sys
from pathlib import Path

import monthlog
import pytest
from builders import REPOSITORY
from ringfence.cli import main
from ringfence.reporting.making import offset, stamp

DAY = 86_400
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two calls, ten days apart."""
    path = tmp_path / "log"
    events = [
        monthlog.priced(monthlog.BEGIN + at * DAY, 60, country, account=country)
        for at, country in ((0, "US"), (10, "PH"))
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def rows(path: Path) -> list[str]:
    return [line.split(",")[2] for line in path.read_text().splitlines()[1:]]


def test_since_counts_from_the_newest_event(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    for since, accounts in (("11d", ["US", "PH"]), ("9d", ["PH"])):
        assert main(["report", "--since", since, "--csv", str(out), str(log)]) == 0
        assert rows(out) == accounts


def test_standard_input(
    log: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for options, tried in (([], "2 tried"), (["--since", "9d"], "1 tried")):
        given = io.TextIOWrapper(io.BytesIO(log.read_bytes()))
        monkeypatch.setattr(sys, "stdin", given)
        assert main(["report", "--lang", "en", *options, "-"]) == 0
        assert tried in capsys.readouterr().out


def test_files_are_named_and_nobody_else_may_read_them(
    log: Path, tmp_path: Path, capsys: Capture
) -> None:
    table, page = tmp_path / "t.csv", tmp_path / "p.html"
    table.write_text("old")
    assert main(["report", "--csv", str(table), "--html", str(page), str(log)]) == 0
    assert capsys.readouterr().out == f"{table}: 2 calls\n{page}: 2 calls\n"
    for path in (table, page):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "log",
        "p.html",
        "t.csv",
    ]


def test_a_log_that_cannot_be_read_leaves_files_as_they_were(
    log: Path, tmp_path: Path, capsys: Capture
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("old")
    missing = str(tmp_path / "missing")
    assert main(["report", "--csv", str(table), str(log), missing]) == 2
    assert "missing: cannot be read: No such file" in capsys.readouterr().err
    assert table.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "t.csv"]


def test_a_file_that_cannot_be_written(
    log: Path, tmp_path: Path, capsys: Capture
) -> None:
    table = tmp_path / "none" / "t.csv"
    assert main(["report", "--csv", str(table), str(log)]) == 2
    assert "t.csv: cannot be written: No such file" in capsys.readouterr().err


def test_lines_that_are_no_event_are_told_of(log: Path, capsys: Capture) -> None:
    with log.open("a") as lines:
        lines.write("Nov  1 00:00:00 router kernel: something else\n")
    assert main(["report", "--lang", "en", str(log)]) == 0
    out, err = capsys.readouterr()
    assert "Lines of the log that could not be read: 1." in out
    assert err == "ringfence: 1 lines were no event and are left out\n"


def test_what_replay_says_can_be_reported(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events of an engine itself, and not only those that tests make."""
    folder = REPOSITORY / "pcaps" / "foreign-registration"
    monkeypatch.chdir(folder.parent)
    captures = map(str, folder.glob("*.pcap"))
    options = ["--config", "ringfence.toml", "--format", "jsonl"]
    assert main(["replay", *options, *captures]) == 0
    told = capsys.readouterr().out
    stopped = [
        event
        for event in map(json.loads, told.splitlines())
        if event.get("verdict") in ("drop", "reject") and event["side"] == "outside"
    ]
    assert len(stopped) > 1
    (tmp_path / "log").write_text(told)
    assert main(["report", "--lang", "en", str(tmp_path / "log")]) == 0
    out = capsys.readouterr().out
    assert f"{len(stopped)} messages from outside were stopped." in out
    assert "Netherlands (NL)" in out


def test_an_empty_log(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "log").write_text("")
    for lang, said in (("en", "The log has no events."), ("ja", "記録がありません")):
        assert main(["report", "--lang", lang, str(tmp_path / "log")]) == 0
        assert said in capsys.readouterr().out


def test_what_is_shared_is_asked_for_alone(
    log: Path, tmp_path: Path, capsys: Capture
) -> None:
    options = ["--share", str(tmp_path / "s"), "--csv", str(tmp_path / "c")]
    assert main(["report", *options, str(log)]) == 2
    assert "without --csv and --html" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_moments_carry_their_zone() -> None:
    assert stamp(monthlog.BEGIN) == "2026-11-01T00:00:00+09:00"
    assert offset(None) == "+09:00"
