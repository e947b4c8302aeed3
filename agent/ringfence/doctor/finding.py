"""What a check finds: one record, the same in text and in JSON."""

from collections.abc import Iterable
from typing import Final, NamedTuple

FINE, NOTE, WARNING, PROBLEM, UNKNOWN = "fine", "note", "warning", "problem", "unknown"

STATES: Final = (PROBLEM, WARNING, UNKNOWN, NOTE, FINE)
"""Every state, the worst first."""

FOUND: Final = frozenset({PROBLEM, WARNING})
"""States for which the command ends with exit code 1."""


class Finding(NamedTuple):
    """What one check has to say; a check may say several things under its one name."""

    id: str
    """Name of the check; scripts rely on it."""
    state: str
    what: str
    """What was found, a sentence."""
    why: str = ""
    """Why that matters, a sentence; "" where nothing has to be done."""
    do: tuple[str, ...] = ()
    """Commands to type, one each; a remark to the reader begins with `#`."""


def worst(findings: Iterable[Finding]) -> str:
    """Return the worst state that there is; `fine` for none."""
    return min((finding.state for finding in findings), key=STATES.index, default=FINE)
