"""Lists of destinations of several origins made one, with each row's provenance.

Knows rows and who says what. It must not know where the lists lie.

A list speaks of a code by its own row, and also of codes below that which another list
has of the same country and kind: a list that blocks +232 speaks of +23276 too. Where
lists differ over the tier, the strictest counts; where they differ over what a code is,
the list that was given first; a preferred list has the last word in both. Every
difference is a `Conflict`. In the column `source` of what comes out, `a:tca+b:own>c:own`
means: row `tca` of list a and `own` of b agree, and were followed against c's.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from ringfence.errors import BundleError
from ringfence.facts.numbers import Destinations
from ringfence.facts.numbers.destinations import COLUMNS, TIERS

MOST_LISTS: Final = 16
"""Lists in one merge."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


class Row(NamedTuple):
    """One line of a list, in its columns' order."""

    code: str
    iso2: str
    kind: str
    tier: str
    name_en: str
    name_ja: str
    source: str

    @property
    def what(self) -> str:
        """What the code is, without how it is judged."""
        return f"{self.iso2} {self.kind}".strip()


class Listing(NamedTuple):
    """One list."""

    name: str
    rows: dict[str, Row]
    notes: list[str]
    """Its comments, such as what its sources stand for."""


class Said(NamedTuple):
    """What one list says of a code."""

    listing: str
    row: Row
    own: bool
    """It has a row for the very code."""

    def text(self, *, facts: bool) -> str:
        """Write it for a person."""
        what = f"{self.row.what} " if facts else ""
        by = "" if self.own else f", by +{self.row.code}"
        return f"{what}{self.row.tier} ({self.listing}{by})"


class Conflict(NamedTuple):
    """Lists that differ over a code."""

    code: str
    text: str
    settled: bool
    """A preferred list had a word on it."""


class Merged(NamedTuple):
    """What comes out."""

    text: str
    conflicts: list[Conflict]


def read_listing(text: str, name: str, where: str) -> Listing:
    """Read a list; `BundleError` with every problem it has."""
    if _NAME.fullmatch(name) is None:
        raise BundleError(
            f"{name!r}: expected a name for {where} of small letters, digits, . _ -"
        )
    Destinations.from_csv(text, where)
    lines = text.splitlines()
    rows = [Row(*line.split(",")) for line in lines if line and line[0] != "#"]
    notes = [line.lstrip("# ") for line in lines if line.startswith("#")]
    return Listing(name, {row.code: row for row in rows[1:]}, notes)


def merge(listings: Sequence[Listing], prefer: str | None = None) -> Merged:
    """Make one list of several, the first ones first; `BundleError` if that cannot be.

    `prefer` names the list that has the last word.
    """
    names = [listing.name for listing in listings]
    if len(set(names)) < len(names) or not 0 < len(names) <= MOST_LISTS:
        raise BundleError(
            f"lists {', '.join(names)}: expected 1 to {MOST_LISTS}, each by another name"
        )
    if prefer is not None and prefer not in names:
        raise BundleError(f"{prefer}: expected one of the lists {', '.join(names)}")
    codes = sorted({code for listing in listings for code in listing.rows})
    conflicts: list[Conflict] = []
    lines = [
        "# Merged of the lists "
        + ", ".join(names)
        + ". In `source`, + joins those who",
        "# agree, and > stands before those who said otherwise.",
    ]
    lines += [f"# {one.name}: {note}" for one in listings for note in one.notes]
    lines.append(",".join(COLUMNS))
    for code in codes:
        row = _merged(code, _said(code, listings), prefer, conflicts)
        lines.append(",".join(row))
    text = "\n".join([*lines, ""])
    Destinations.from_csv(text, "merged list")
    return Merged(text, conflicts)


def _said(code: str, listings: Sequence[Listing]) -> list[Said]:
    """Collect what each list says of a code that one of them has."""
    about = {
        (row.iso2, row.kind)
        for listing in listings
        if (row := listing.rows.get(code)) is not None
    }
    found: list[Said] = []
    for listing in listings:
        for length in range(len(code), 0, -1):
            row = listing.rows.get(code[:length])
            if row is None:
                continue
            own = length == len(code)
            if own or (row.iso2, row.kind) in about:
                found.append(Said(listing.name, row, own))
            break
    return found


def _merged(
    code: str, said: list[Said], prefer: str | None, conflicts: list[Conflict]
) -> Row:
    preferred = [one for one in said if one.listing == prefer]
    word = preferred[0] if preferred else min(said, key=_strictness)
    # A list without a row of its own has the facts from one that has.
    facts = word if word.own else next(one for one in said if one.own)
    against = [
        one
        for one in said
        if one.row.tier != word.row.tier or one.row.what != facts.row.what
    ]
    if against:
        differ = any(one.row.what != facts.row.what for one in against)
        others = " and ".join(one.text(facts=differ) for one in against)
        conflicts.append(
            Conflict(
                code,
                f"+{code} {facts.row.name_en}: {word.text(facts=differ)} over {others}",
                bool(preferred),
            )
        )
    agreed = "+".join(_tag(one) for one in said if one not in against)
    overruled = "+".join(map(_tag, against))
    return facts.row._replace(
        code=code,
        tier=word.row.tier,
        source=f"{agreed}>{overruled}" if overruled else agreed,
    )


def _strictness(said: Said) -> int:
    return TIERS.index(said.row.tier)


def _tag(said: Said) -> str:
    sources = re.split(r"[+>]", said.row.source)
    return "+".join(f"{said.listing}:{source}" for source in sources)
