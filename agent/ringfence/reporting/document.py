"""What a report says, in no form yet: sections of sentences, charts and tables.

Knows pieces alone. Text, already in the reader's language, is as it was logged: whoever
writes a form of it escapes what that form needs.
"""

from typing import NamedTuple

Cells = tuple[str, ...]


class Table(NamedTuple):
    """Rows under headings."""

    title: str
    head: Cells
    rows: list[Cells]
    numbers: frozenset[int]
    """Columns that are aligned on the right."""
    newest_last: bool = False
    """A form that has no room for all rows shows the last ones."""


class Point(NamedTuple):
    """One value of a chart."""

    label: str
    value: float
    shown: str
    """The value in words, as in the table."""
    short: str = ""
    """The label where there is little room."""


class Columns(NamedTuple):
    """Values over time, upright."""

    title: str
    description: str
    points: list[Point]
    tone: str
    """`passed`, `stopped` or `attack`."""


class Bars(NamedTuple):
    """Values of things with names, lying, the largest first."""

    title: str
    description: str
    points: list[Point]
    tone: str


class Heat(NamedTuple):
    """A value for each hour of the week."""

    title: str
    description: str
    points: list[Point]
    """168, the first for Monday from 0 to 1 o'clock."""
    days: Cells
    less: str
    more: str
    """The words for the ends of the scale."""
    tone: str


Chart = Columns | Bars | Heat


class Figure(NamedTuple):
    """Charts, and the table that says the same."""

    charts: tuple[Chart, ...]
    table: Table


class Section(NamedTuple):
    """One part of a report."""

    title: str
    text: list[str]
    figures: list[Figure]


class Card(NamedTuple):
    """One figure at a glance."""

    label: str
    value: str
    tone: str


class Document(NamedTuple):
    """A whole report."""

    language: str
    title: str
    period: str
    cards: list[Card]
    sections: list[Section]
    more: str
    """How rows without room are told of, with `{rows}`."""
