"""Whole reports, as text, CSV and page, in both languages; reviewed, not computed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import golden
import monthlog
import pytest
from ringfence.cli import main
from ringfence.reporting.style import STYLE

GOLDEN = Path(__file__).parent / "golden"


def small() -> Iterator[dict[str, Any]]:
    """Give one event of each kind, and a second call of each."""
    day = monthlog.BEGIN + 9 * 3600
    yield monthlog.priced(day, 61, "PH", number="632103456xxxx", account="202")
    yield monthlog.priced(day + 86_400, 600, "US", account="=cmd()")
    yield monthlog.call(day + 90_000, None, abroad=False, country="JP")
    yield monthlog.call(day + 90_100, 30, direction="in", abroad=False, country="JP")
    for at in (0, 60):
        fields = {"country": "SL", "number": "2327612xxxx", "account": "<205>"}
        event = monthlog.call(day + 95_000 + at, None, **fields)
        yield {**event, "end": "stopped", "rule": "country-surge", "status": 403}
    incident = {
        "type": "incident",
        "event": "opened",
        "id": "1",
        "time": day + 95_000,
        "rule": "country-surge",
        "what": "country",
        "subject": "SL",
        "reason": "2 calls to SL within 2 min",
        "until": day + 98_600,
        "open_with": "ringfence allow 232 --for 2h",
        "stopped": 0,
        "passed": 0,
        "cost": "0.000",
        "monitor": False,
    }
    yield incident
    totals = {"stopped": 2, "cost": "350.000"}
    yield {**incident, "event": "closed", "time": day + 98_600, **totals}
    yield {
        "type": "budget",
        "time": day + 95_100,
        "period": "day",
        "share": 50,
        "spent": "500.000",
        "limit": "1000.000",
        "currency": "JPY",
    }
    yield monthlog.decision(day + 99_000, "NL")
    yield monthlog.decision(day + 99_001, None, would="drop")
    yield monthlog.decision(day + 99_002, None, side="inside", method="INVITE")
    yield {"type": "counters", "time": day, "log_suppressed": 3, "log_unwritten": 1}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_text("".join(json.dumps(event) + "\n" for event in small()) + "x\n")
    return path


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_month_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str
) -> None:
    path = tmp_path / "log"
    path.write_text("".join(monthlog.lines()))
    assert main(["report", "--lang", lang, str(path)]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    golden.check(GOLDEN / f"month-{lang}.txt", out)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_small_page(log: Path, lang: str) -> None:
    page = log.with_name("page.html")
    assert main(["report", "--lang", lang, "--html", str(page), str(log)]) == 1
    text = page.read_text(encoding="utf-8")
    assert text.count(STYLE) == 1
    golden.check(GOLDEN / f"small-{lang}.html", text.replace(STYLE, "…"))


def test_a_small_table(log: Path) -> None:
    rows = log.with_name("rows.csv")
    assert main(["report", "--csv", str(rows), str(log)]) == 1
    text = rows.read_bytes().decode()
    golden.check(GOLDEN / "small.csv", text.replace("\r\n", "\n"))
