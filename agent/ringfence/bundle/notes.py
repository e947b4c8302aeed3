"""What rule files say for people and the agent has no use for.

Knows names and sources of destinations and the carriers of a dial plan. They are read
again here, so that the running agent need not hold them. Only `explain` asks.
"""

from typing import NamedTuple

from ringfence.bundle.embedded import Rules, read_text, read_toml
from ringfence.bundle.layout import DESTINATIONS, DIALPLANS, TOML
from ringfence.facts.numbers.destinations import COLUMNS, MAX_CODE


class Row(NamedTuple):
    """One destination, as people read it."""

    code: str
    name_en: str
    name_ja: str
    tier: str
    source: str
    """A key of `Notes.sources`."""


class Notes:
    """Names and sources, by what they belong to."""

    def __init__(self, destinations: str, plan: dict[str, object]) -> None:
        """Take the text of the destination list and the table of the dial plan.

        Both have been found sound: lines that make no sense are passed over.
        """
        self._rows: dict[str, Row] = {}
        self._countries: dict[str, Row] = {}
        self.sources: dict[str, str] = {}
        """What each key of the column `source` stands for, from the list's head."""
        for line in destinations.splitlines():
            if line.startswith("# "):
                key, equals, meaning = line[2:].partition(" = ")
                if equals and key.isalnum():
                    self.sources[key] = meaning
            elif line.count(",") == len(COLUMNS) - 1:
                code, iso2, _, tier, en, ja, source = line.split(",")
                row = self._rows[code] = Row(code, en, ja, tier, source)
                if iso2:
                    self._countries.setdefault(iso2, row)
        carriers = plan.get("carriers")
        codes = carriers.get("codes") if isinstance(carriers, dict) else None
        self._carriers: dict[str, str] = codes if isinstance(codes, dict) else {}

    def destination(self, number: str) -> Row | None:
        """Give the row with the longest code that an E.164 number starts with."""
        for length in range(min(MAX_CODE, len(number)), 0, -1):
            row = self._rows.get(number[:length])
            if row is not None:
                return row
        return None

    def country(self, iso2: str) -> Row | None:
        """Give a row of a country by its ISO 3166 code."""
        return self._countries.get(iso2)

    def carrier(self, digits: str) -> str:
        """Name whom a carrier code selects, digits added to it or not; "" if unknown."""
        for length in range(len(digits), 2, -1):
            name = self._carriers.get(digits[:length])
            if name is not None:
                return str(name)
        return ""


def load_notes(rules: Rules, dialplan: str) -> Notes:
    """Read the notes beside rules; `BundleError` as for the rules themselves."""
    return Notes(
        read_text(rules, DESTINATIONS), read_toml(rules, f"{DIALPLANS}{dialplan}{TOML}")
    )
