"""A report for a terminal: sentences and tables in columns.

Knows cells and lines. Whatever a stranger wrote reaches the terminal without control
characters, the report's own line feeds are the only ones.
"""

from collections.abc import Iterator
from typing import Final

from ringfence.reporting.document import Document, Section, Table
from ringfence.reporting.width import padded, width

MAX_ROWS: Final = 31
"""Rows of a table that are shown: the days of a month. The page has all."""

_GAP: Final = "  "


def terminal_lines(document: Document) -> Iterator[str]:
    """Write a report, line by line."""
    for line in _lines(document):
        yield "".join(char if char.isprintable() else "·" for char in line)


def _lines(document: Document) -> Iterator[str]:
    yield document.title
    yield document.period
    yield ""
    cells = max(width(card.label) for card in document.cards)
    for card in document.cards:
        yield f"  {padded(card.label, cells, right=False)}  {card.value}"
    for section in document.sections:
        yield ""
        yield from _section(section, document.more)


def _section(section: Section, more: str) -> Iterator[str]:
    yield section.title
    yield "=" * width(section.title)
    yield from section.text
    for figure in section.figures:
        yield ""
        yield from _table(figure.table, more)


def _table(table: Table, more: str) -> Iterator[str]:
    left_out = len(table.rows) - MAX_ROWS
    rows = table.rows[-MAX_ROWS:] if table.newest_last else table.rows[:MAX_ROWS]
    widths = [
        max(width(row[at]) for row in (table.head, *rows))
        for at in range(len(table.head))
    ]
    yield table.title
    for row in (table.head, tuple("-" * cells for cells in widths), *rows):
        cells = (
            padded(cell, widths[at], right=at in table.numbers)
            for at, cell in enumerate(row)
        )
        yield (_GAP + _GAP.join(cells)).rstrip()
    if left_out > 0:
        yield _GAP + more.format(rows=f"{left_out:,}")
