"""Tables of what is dialled and what it is, as `cases_*.txt` have them.

One case a line: dialled | kind | number | detail | ruling | why. `\\uXXXX` is that
character; "=" repeats the detail of the row above; `@ key=value …` changes the settings
of the PBX for the rows below it, "@" puts them back.
"""

import re
from pathlib import Path
from typing import NamedTuple

from ringfence.facts.numbers import NumberReader, Reading

SCHEME = re.compile(r"(sips?|tel|urn):", re.IGNORECASE)


class Case(NamedTuple):
    """One line."""

    dialled: str
    kind: str
    number: str
    detail: str
    status: str
    settings: tuple[tuple[str, str], ...] = ()
    """Key and value of each setting that differs."""


def cases(path: Path) -> list[Case]:
    """Read a table."""
    rows: list[Case] = []
    settings: tuple[tuple[str, str], ...] = ()
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith(("# ", "## ")):
            continue
        if line.startswith("@"):
            pairs = (pair.partition("=") for pair in line[1:].split())
            settings = tuple((key, value) for key, _, value in pairs)
            continue
        *dialled, kind, number, detail, status, _why = line.split("|")
        detail = detail.strip()
        if detail == "=":
            detail = rows[-1].detail
        text = re.sub(
            r"\\u([0-9a-f]{4})",
            lambda match: chr(int(match[1], 16)),
            "|".join(dialled).strip(),
        )
        row = Case(text, kind.strip(), number.strip(), detail, status.strip(), settings)
        rows.append(row)
    return rows


def read(reader: NumberReader, text: str) -> Reading:
    """Read as a URI what has a scheme, else as dialled."""
    return reader.read_uri(text) if SCHEME.match(text) else reader.read_dialled(text)
