"""Numbers of several rounds, and how they are shown.

Knows medians, ratios and tables; nothing of what was measured.
"""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final, NamedTuple

_THIN: Final = "  "


class Skipped(Exception):  # noqa: N818 - not a failure: a part that cannot run here
    """Says in one sentence what a part of the bench lacks."""


class Series(NamedTuple):
    """One figure, measured once a round."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Series":
        return cls(tuple(values))

    def over(self, other: "Series") -> "Series":
        """Divide round by round: what disturbs a round disturbs both."""
        pairs = zip(self.values, other.values, strict=True)
        return Series.of(mine / theirs for mine, theirs in pairs)

    @property
    def median(self) -> float:
        return median(self.values)

    def text(self, digits: int = 0) -> str:
        """Write median and range."""
        low, high = min(self.values), max(self.values)
        return f"{self.median:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"

    def record(self) -> dict[str, object]:
        """Return what goes into the JSON file."""
        return {
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "rounds": list(self.values),
        }


class Part(NamedTuple):
    """One part's results, for people and for scripts."""

    title: str
    notes: list[str]
    tables: list[list[Sequence[str]]]
    """Rows of cells, the headings first; the first column is text, the rest numbers."""
    record: dict[str, object]

    def text(self) -> str:
        blocks = [_table(rows) for rows in self.tables]
        if self.notes:
            blocks.append("\n".join(self.notes))
        return f"## {self.title}\n\n" + "\n\n".join(blocks) + "\n"


def _table(rows: list[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [
            cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append(_THIN.join(cells).rstrip())
    return "\n".join(lines)
