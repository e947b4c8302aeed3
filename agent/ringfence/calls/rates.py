"""What a call to a number costs: prices by leading digits, exact to the thousandth.

Knows the rate table and how calls are billed: every unit of time that has begun, of an
answered call. Money is counted in thousandths of the currency's unit, as integers. It
must not know calls, days or limits.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ringfence.errors import BundleError
from ringfence.facts.numbers.destinations import MAX_CODE
from ringfence.facts.numbers.forms import lengths_by_start, probes

COLUMNS: Final = ("code", "iso2", "price", "unit_s", "basis", "confidence", "source")
"""The header of the table. `confidence` and `source` are for people."""

ANYWHERE: Final = "*"
"""Code of the row that gives the price of every number without one of its own."""

ESTIMATE: Final = "estimate"
"""The basis that has the row `ANYWHERE`, and stands in where another has no row."""

CONFIDENCES: Final = ("documented", "derived", "tier", "recalled", "guess")

MILLI: Final = 1_000
"""Thousandths in a unit of the currency."""

MAX_PRICE: Final = 1_000_000 * MILLI
"""Thousandths a minute: an honest table has hundreds of units, in dong or rupiah
hundreds of thousands."""

MAX_UNIT: Final = 3_600
"""Seconds of a unit."""

MAX_ROWS: Final = 10_000
"""Rows of a table: 4 MB. Carriers' own lists by area code have some thousands."""

MAX_PROBLEMS: Final = 20
"""Problems of one file that are written out; a wrong file has one on every line."""


class Rate(NamedTuple):
    """What a minute costs, and in which steps."""

    code: str
    """Leading digits that it is for, or `ANYWHERE`."""
    price: int
    """Thousandths a minute."""
    unit_s: int
    """Seconds of a unit."""
    basis: str
    """Whose price list."""

    def units(self, talked_s: float) -> int:
        """Return the units begun in an answered call: one at once, the next one when
        the first is over. To the millisecond, as a billing record has it."""
        return max(1, -(-round(talked_s * 1000) // (self.unit_s * 1000)))

    def cost(self, talked_s: float) -> int:
        """Return the thousandths that an answered call costs after so many seconds."""
        return -(-self.units(talked_s) * self.unit_s * self.price // 60)


class RateTable:
    """Rates by the longest code that a number starts with."""

    __slots__ = ("_anywhere", "_by_code", "_lengths")

    def __init__(self, rates: Iterable[Rate]) -> None:
        """Index rates by code; one of them is for `ANYWHERE`. Raises KeyError if not."""
        by_code = {rate.code: rate for rate in rates}
        self._anywhere = by_code.pop(ANYWHERE)
        self._by_code = by_code
        self._lengths = lengths_by_start(by_code)

    @classmethod
    def from_csv(cls, text: str, where: str, basis: str = ESTIMATE) -> "RateTable":
        """Read a table; lines that are empty or start with `#` do not count.

        Where several rows have one code, that of `basis` counts, else that of
        `ESTIMATE`. Fields are plain: no quotes, no commas inside. Raises BundleError
        with every problem, each as `where:line: field = value: what was expected`.
        """
        rows: dict[tuple[str, str], Rate] = {}
        problems: list[str] = []
        header_seen = False
        for number, line in enumerate(text.splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            fields = tuple(line.split(","))
            if not header_seen:
                header_seen = True
                if fields == COLUMNS:
                    continue
                problems.append(f"{where}:{number}: expected the header {COLUMNS}")
            if len(rows) == MAX_ROWS:
                problems.append(f"{where}:{number}: expected at most {MAX_ROWS} rates")
                break
            wrong = _problem(fields)
            if not wrong and (fields[4], fields[0]) in rows:
                wrong = f"code = {fields[0]!r}: expected once for each basis"
            if wrong:
                problems.append(f"{where}:{number}: {wrong}")
                continue
            rate = Rate(fields[0], _milli(fields[2]), int(fields[3]), fields[4])
            rows[rate.basis, rate.code] = rate
        bases = sorted({basis for basis, _ in rows})
        if not problems and basis not in bases:
            problems.append(f"{where}: no basis {basis!r}: expected one of {bases}")
        chosen = {
            rate.code: rate
            for wanted in (ESTIMATE, basis)
            for rate in rows.values()
            if rate.basis == wanted
        }
        if not problems and ANYWHERE not in chosen:
            problems.append(f"{where}: expected a row with the code {ANYWHERE}")
        if problems:
            left = len(problems) - MAX_PROBLEMS
            more = [f"{where}: and {left} more"] if left > 0 else []
            raise BundleError("\n".join(problems[:MAX_PROBLEMS] + more))
        return cls(chosen.values())

    def __len__(self) -> int:
        """Count the codes, `ANYWHERE` not counted."""
        return len(self._by_code)

    def __iter__(self) -> Iterator[Rate]:
        """Give every rate, that for `ANYWHERE` first."""
        yield self._anywhere
        yield from self._by_code.values()

    def find(self, e164: str) -> Rate:
        """Give the rate for a number in E.164 digits, without `+`."""
        for length in probes(self._lengths, e164):
            rate = self._by_code.get(e164[:length])
            if rate is not None:
                return rate
        return self._anywhere

    def dearest(self, numbers: Iterable[str]) -> Rate:
        """Give the rate of whichever number costs most, for one that can be read in
        several ways; `ANYWHERE` for none."""
        found = [self.find(number) for number in numbers]
        return max(found, key=lambda rate: rate.price, default=self._anywhere)

    def with_prices(self, own: Iterable[Rate]) -> "RateTable":
        """Return the table with a site's own rates in place of those of their codes."""
        return RateTable([self._anywhere, *self._by_code.values(), *own])


def _milli(price: str) -> int:
    """Read a price with at most three decimals as thousandths, exactly."""
    whole, _, decimals = price.partition(".")
    return int(whole) * MILLI + int(decimals.ljust(3, "0") or "0")


def _is_price(text: str) -> bool:
    whole, point, decimals = text.partition(".")
    return (
        _is_number(whole, 9)
        and (not point or (_is_number(decimals, 3)))
        and _milli(text) <= MAX_PRICE
    )


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= most


def _problem(fields: tuple[str, ...]) -> str:
    """Say what is wrong with a row, "" when nothing is."""
    if len(fields) != len(COLUMNS):
        return f"{len(fields)} fields: expected {len(COLUMNS)}, none with a comma in it"
    code, iso2, price, unit, basis, confidence, source = fields
    if code != ANYWHERE and (not _is_number(code, MAX_CODE) or code[0] == "0"):
        return f"code = {code!r}: expected 1 to {MAX_CODE} digits of E.164, or *"
    if iso2 and not (len(iso2) == 2 and iso2.isascii() and iso2.isupper()):
        return f"iso2 = {iso2!r}: expected a country such as JP, or nothing"
    if not _is_price(price):
        return (
            f"price = {price!r}: expected 0 to {MAX_PRICE // MILLI} a minute, "
            "with at most three decimals"
        )
    if not (_is_number(unit, 4) and 1 <= int(unit) <= MAX_UNIT):
        return f"unit_s = {unit!r}: expected 1 to {MAX_UNIT} seconds"
    if not basis:
        return "basis: expected a name such as estimate"
    if confidence not in CONFIDENCES:
        return f"confidence = {confidence!r}: expected one of {', '.join(CONFIDENCES)}"
    if not source:
        return f"code = {code!r}: expected a source"
    return ""
