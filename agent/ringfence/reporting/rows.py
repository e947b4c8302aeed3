"""Calls as CSV, one row each, numbers without their last digits as on carriers' bills.

Knows RFC 4180 and what spreadsheets do with it: a cell that begins like a formula is
calculated when the file is opened, whoever wrote it into a telephone's name.
"""

import csv
from collections.abc import Callable
from typing import Final, TextIO

from ringfence.report import MASKED_DIGITS, mask_number
from ringfence.reporting.events import CallLine

COLUMNS: Final = (
    *("begin", "direction", "account", "source", "source_country"),
    *("number", "country", "class", "abroad", "answered", "duration_s"),
    *("cost", "currency", "end", "status", "rule"),
)

Stamp = Callable[[float], str]
"""Writes seconds since 1970 as local time."""

_FORMULA: Final = frozenset("=+-@" + "＝＋－＠" + "|%")  # noqa: RUF001 - Excel's too
"""What a formula begins with; in Japanese spreadsheets full width too."""

_HIDDEN: Final = "x" * MASKED_DIGITS


class CallRows:
    """Writes rows."""

    def __init__(self, out: TextIO, stamp: Stamp) -> None:
        """Write the header."""
        self._writer = csv.writer(out, lineterminator="\r\n")
        self._writer.writerow(COLUMNS)
        self._stamp = stamp
        self.count = 0
        """Calls written."""

    def add(self, call: CallLine) -> None:
        """Write one call."""
        self.count += 1
        self._writer.writerow(
            [
                self._stamp(call.begin),
                call.direction,
                cell(call.account),
                cell(call.source),
                call.source_country,
                cell(masked(call.number)),
                call.country,
                cell(call.kind),
                "yes" if call.abroad else "no",
                "" if call.answered is None else self._stamp(call.answered),
                "" if call.seconds is None else call.seconds,
                "" if call.cost is None else _money(call.cost),
                call.currency,
                cell(call.end),
                "" if call.status is None else call.status,
                cell(call.rule),
            ]
        )


def cell(text: str) -> str:
    """Return text that no spreadsheet calculates, of no more than one cell.

    Some part cells at semicolons, whatever quotes say.
    """
    text = text.replace(";", ",").replace('"', "'")
    return f"'{text}" if text.lstrip()[:1] in _FORMULA and text else text


def masked(number: str) -> str:
    """Hide a number's last digits, unless the log has done so."""
    return number if number.endswith(_HIDDEN) else mask_number(number)


def _money(milli: int) -> str:
    return f"{milli // 1000}.{milli % 1000:03}"
