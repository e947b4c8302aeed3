"""Where an E.164 number leads, and how gladly thieves go there.

Knows the destination list: country codes and their splits, satellite and shared codes,
codes nobody has, each with a tier. It must not know how the number was dialled, nor
what the operator allows.
"""

from typing import NamedTuple

from ringfence.errors import BundleError
from ringfence.facts.numbers.forms import lengths_by_start, probes

COLUMNS = ("code", "iso2", "kind", "tier", "name_en", "name_ja", "source")
"""The header of the list. `source` is for people; nothing here reads it."""
TIERS = ("block", "watch", "normal")
KINDS = ("country", "satellite", "network", "service", "premium", "unassigned")
MAX_CODE = 8
"""Digits of the longest code; islands that share a country's code need that many."""
MAX_PROBLEMS = 20
"""Problems of one file that are written out; a wrong file has one on every line."""


class Destination(NamedTuple):
    """One row: what a leading part of an E.164 number says."""

    code: str
    country: str | None
    """ISO 3166 alpha-2, None for what belongs to no country."""
    kind: str
    """One of `KINDS`."""
    tier: str
    """One of `TIERS`; `unassigned` is always `block`."""
    name_en: str
    name_ja: str


class Destinations:
    """The list, by longest matching code."""

    __slots__ = ("_by_code", "_lengths")

    def __init__(self, rows: dict[str, Destination]) -> None:
        """Index rows by their code."""
        self._by_code = rows
        # Most numbers cost two or three probes this way, and not eight.
        self._lengths = lengths_by_start(rows)

    @classmethod
    def from_csv(cls, text: str, where: str) -> "Destinations":
        """Read the list; lines that are empty or start with `#` do not count.

        Fields are plain: no quotes, no commas inside. Raises BundleError with every
        problem, each as `where:line: field = value: what was expected`.
        """
        rows: dict[str, Destination] = {}
        problems: list[str] = []
        known: dict[str, str] = {}  # one string per name: a country has many rows
        header_seen = False
        for number, line in enumerate(text.splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            fields = line.split(",")
            if not header_seen:
                header_seen = True
                if tuple(fields) == COLUMNS:
                    continue
                problems.append(f"{where}:{number}: expected the header {COLUMNS}")
            wrong = _problem(fields, rows)
            if wrong:
                problems.append(f"{where}:{number}: {wrong}")
                continue
            code, iso2, kind, tier, en, ja = (
                known.setdefault(field, field) for field in fields[:6]
            )
            rows[code] = Destination(code, iso2 or None, kind, tier, en, ja)
        if not rows and not problems:
            problems.append(f"{where}: expected at least one destination")
        if problems:
            left = len(problems) - MAX_PROBLEMS
            more = [f"{where}: and {left} more"] if left > 0 else []
            raise BundleError("\n".join(problems[:MAX_PROBLEMS] + more))
        return cls(rows)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._by_code)

    def codes(self) -> frozenset[str]:
        """List the codes that have a row."""
        return frozenset(self._by_code)

    def find(self, number: str) -> Destination | None:
        """Give the row with the longest code that `number` (no `+`) starts with."""
        for length in probes(self._lengths, number):
            row = self._by_code.get(number[:length])
            if row is not None:
                return row
        return None

    def shares(self, code: str) -> bool:
        """Say whether several countries have numbers under a country code."""
        own = self._by_code.get(code)
        return any(
            row.country != (own and own.country)
            for other, row in self._by_code.items()
            if other.startswith(code)
        )


def _problem(fields: list[str], rows: dict[str, Destination]) -> str:
    """Say what is wrong with a row, "" when nothing is."""
    if len(fields) != len(COLUMNS):
        return f"{len(fields)} fields: expected {len(COLUMNS)}, none with a comma in it"
    code, iso2, kind, tier, name_en, name_ja, _ = fields
    if not (code.isascii() and code.isdecimal() and len(code) <= MAX_CODE):
        return f"code = {code!r}: expected 1 to {MAX_CODE} digits"
    if code[0] == "0":
        return f"code = {code!r}: no E.164 number starts with 0"
    if code in rows:
        return f"code = {code!r}: expected each code once"
    if iso2 and not (len(iso2) == 2 and iso2.isascii() and iso2.isupper()):
        return f"iso2 = {iso2!r}: expected a country such as JP, or nothing"
    if kind not in KINDS:
        return f"kind = {kind!r}: expected one of {', '.join(KINDS)}"
    if tier not in TIERS:
        return f"tier = {tier!r}: expected one of {', '.join(TIERS)}"
    if kind == "unassigned" and tier != "block":
        return f"tier = {tier!r}: expected block, as nobody answers at {code}"
    if not (name_en and name_ja):
        return f"code = {code!r}: expected a name in English and in Japanese"
    return ""
