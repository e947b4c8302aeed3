"""One row a call, no number whole, no cell a formula."""

import csv
import io

import monthlog
import pytest
from ringfence.reporting.events import CallLine, line_of
from ringfence.reporting.making import stamp
from ringfence.reporting.rows import COLUMNS, CallRows, masked


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("23276123456", "2327612xxxx"),
        ("2327612xxxx", "2327612xxxx"),
        ("0312345678", "031234xxxx"),
        ("117", "117"),
        ("", ""),
    ],
)
def test_the_last_four_digits_are_hidden(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_a_row() -> None:
    out = io.StringIO(newline="")
    rows = CallRows(out, stamp)
    event = monthlog.priced(
        monthlog.BEGIN, 61, "SL", number="23276123456", source_country="NL"
    )
    line = line_of(event)
    assert isinstance(line, CallLine)
    rows.add(line)
    assert rows.count == 1
    assert out.getvalue().endswith("\r\n")
    header, row = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert tuple(header) == COLUMNS
    assert dict(zip(header, row, strict=True)) == {
        "begin": "2026-11-01T00:00:00+09:00",
        "direction": "out",
        "account": "201",
        "source": "192.168.1.10",
        "source_country": "NL",
        "number": "2327612xxxx",
        "country": "SL",
        "class": "international",
        "abroad": "yes",
        "answered": "2026-11-01T00:00:06+09:00",
        "duration_s": "61",
        "cost": "350.000",
        "currency": "JPY",
        "end": "bye",
        "status": "200",
        "rule": "",
    }
