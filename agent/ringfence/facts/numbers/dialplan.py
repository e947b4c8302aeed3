"""The dial plan of a country, compiled from its TOML table.

Knows what dialled digits can mean in one country: number forms, prefixes, carrier
codes, international prefixes. It must not know destinations or what is allowed, and it
must not take an emergency number away: a plan that would is refused here.
"""

from collections.abc import Callable
from typing import NamedTuple

from ringfence.errors import BundleError
from ringfence.facts.numbers.emergency import BuiltIn
from ringfence.facts.numbers.forms import FormTable, lengths_by_start, parse_form

MAX_PREFIX = 8
"""Digits of the longest prefix or carrier code."""
MAX_EXTENSION = 9
"""Digits of the longest extension; with ten a national number may begin."""
MAX_ADDED = 4
"""Digits a carrier may add to its code; each costs a probe on every 00 number."""

_PLAN_KEYS = frozenset(
    {"country", "code", "trunk", "idd", "foreign_idd", "junk_idd", "bare"}
    | {"extension", "numbers", "local", "special", "prefixes", "carriers"}
)
_NUMBER_KEYS = frozenset({"detail", "forms", "more", "yields", "source"})
_PREFIX_KEYS = frozenset({"name", "codes", "before", "source"})
_CARRIER_KEYS = frozenset({"source", "unlisted", "added", "codes"})


class Number(NamedTuple):
    """What a form of national numbers is."""

    detail: str
    """The class of number, such as `domestic_mobile`."""
    yields: bool = False
    """A number abroad that the trunk understands is preferred to this reading."""


class Prefix(NamedTuple):
    """Digits that may stand in front of a number."""

    step: str
    """How the reading's path names it, such as `carrier 0033`."""
    carrier: bool
    """Only a number abroad or a national number may follow."""
    before: tuple[str, ...] = ("",)
    """What the rest may start with."""


class Dialplan:
    """One country's plan. Build it with `from_table`."""

    __slots__ = (
        "added",
        "bare",
        "builtin",
        "code",
        "country",
        "domestic",
        "extension",
        "foreign_idd",
        "idd",
        "junk_idd",
        "local",
        "prefix_lengths",
        "prefixes",
        "special",
        "trunk",
        "unlisted",
        "unlisted_lengths",
    )

    def __init__(self, country: str) -> None:
        """Start with what is built in for the country."""
        self.country = country
        self.builtin = BuiltIn(country)
        self.code = ""
        self.trunk = ""
        self.idd: tuple[str, ...] = ()
        self.foreign_idd: tuple[str, ...] = ()
        self.junk_idd: tuple[str, ...] = ()
        self.bare = 10
        self.extension = (2, 7)
        self.domestic: FormTable[Number] = FormTable()
        self.local: FormTable[Number] = FormTable()
        self.special: FormTable[Number] = FormTable()
        self.prefixes: dict[str, Prefix] = {}
        self.prefix_lengths: dict[str, tuple[int, ...]] = {}
        self.unlisted: dict[str, int] = {}
        self.unlisted_lengths: dict[str, tuple[int, ...]] = {}
        self.added = 0

    @classmethod
    def from_table(cls, table: dict[str, object], where: str) -> "Dialplan":
        """Compile a parsed TOML table.

        Raises BundleError with every problem, each as `where: key = value: what was
        expected`. `where` names the file.
        """
        return _Reader(table, where).plan()


class _Reader:
    """Reads one table and collects what is wrong with it."""

    def __init__(self, table: dict[str, object], where: str) -> None:
        self._table = table
        self._where = where
        self._problems: list[str] = []

    def plan(self) -> Dialplan:
        table = self._table
        self._known(table, _PLAN_KEYS, "")
        country = self._text(table, "country", "", "a country such as JP", _is_country)
        plan = Dialplan(country)
        digits = "1 to 3 digits"
        plan.code = self._text(table, "code", "", digits, lambda v: _is_digits(v, 3))
        plan.trunk = self._text(
            table, "trunk", "", "a digit or nothing", lambda v: not v or _is_digits(v)
        )
        plan.idd = self._prefixes(plan, table, "idd", "")
        if not plan.idd:
            self._wrong("idd", table.get("idd"), "at least one international prefix")
        plan.foreign_idd = tuple(
            code
            for code in self._prefixes(plan, table, "foreign_idd", "")
            if code not in plan.idd
        )
        plan.junk_idd = self._prefixes(plan, table, "junk_idd", "")
        plan.bare = self._count(table, "bare", "", 10, 7, 15)
        plan.extension = self._extension()
        for key, forms in (
            ("numbers", plan.domestic),
            ("local", plan.local),
            ("special", plan.special),
        ):
            self._forms(plan, key, forms)
        self._prefix_tables(plan)
        self._carriers(plan)
        plan.prefix_lengths = lengths_by_start(plan.prefixes)
        plan.unlisted_lengths = lengths_by_start(plan.unlisted)
        if self._problems:
            raise BundleError("\n".join(self._problems))
        return plan

    def _wrong(self, key: str, value: object, expected: str) -> None:
        self._problems.append(f"{self._where}: {key} = {value!r}: expected {expected}")

    def _known(
        self, table: dict[str, object], known: frozenset[str], path: str
    ) -> None:
        for key in table.keys() - known:
            choices = ", ".join(sorted(known))
            self._wrong(f"{path}{key}", table[key], f"one of the keys {choices}")

    def _text(
        self,
        table: dict[str, object],
        key: str,
        path: str,
        expected: str,
        fits: Callable[[str], bool],
    ) -> str:
        value = table.get(key, "")
        if isinstance(value, str) and fits(value):
            return value
        self._wrong(f"{path}{key}", table.get(key), expected)
        return ""

    def _count(
        self,
        table: dict[str, object],
        key: str,
        path: str,
        default: int,
        least: int,
        most: int,
    ) -> int:
        value = table.get(key, default)
        if type(value) is int and least <= value <= most:  # True is no number here
            return value
        self._wrong(f"{path}{key}", value, f"a number from {least} to {most}")
        return default

    def _texts(self, table: dict[str, object], key: str, path: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if isinstance(value, list):
            texts = tuple(item for item in value if isinstance(item, str))
            if len(texts) == len(value):
                return texts
        self._wrong(f"{path}{key}", value, 'a list of texts such as ["010"]')
        return ()

    def _tables(
        self, table: dict[str, object], key: str
    ) -> list[tuple[str, dict[str, object]]]:
        value = table.get(key, [])
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return [(f"{key}[{at}].", item) for at, item in enumerate(value)]
        self._wrong(key, value, f"tables, each headed [[{key}]]")
        return []

    def _extension(self) -> tuple[int, int]:
        value = self._table.get("extension", [2, 7])
        if (
            isinstance(value, list)
            and [type(item) for item in value] == [int, int]
            and 1 <= value[0] <= value[1] <= MAX_EXTENSION
        ):
            return value[0], value[1]
        self._wrong("extension", value, "shortest and longest, such as [2, 7]")
        return 2, 7

    def _prefixes(
        self, plan: Dialplan, table: dict[str, object], key: str, path: str
    ) -> tuple[str, ...]:
        """Read a list of prefixes, none of which starts an emergency number."""
        good = []
        for code in self._texts(table, key, path):
            hidden = [n for n in plan.builtin.emergency if n.startswith(code)]
            if not _is_digits(code, MAX_PREFIX):
                self._wrong(f"{path}{key}", code, f"1 to {MAX_PREFIX} digits")
            elif hidden:
                self._wrong(
                    f"{path}{key}",
                    code,
                    f"no prefix of the emergency number {hidden[0]}, which always"
                    " passes",
                )
            else:
                good.append(code)
        return tuple(good)

    def _forms(self, plan: Dialplan, key: str, forms: FormTable[Number]) -> None:
        for path, table in self._tables(self._table, key):
            self._known(table, _NUMBER_KEYS, path)
            detail = self._text(
                table, "detail", path, "a class such as domestic_fixed", bool
            )
            more = self._count(table, "more", path, 0, 0, 20)
            yields = table.get("yields", False)
            if not isinstance(yields, bool):
                self._wrong(f"{path}yields", yields, "true or false")
            texts = self._texts(table, "forms", path)
            if not texts:
                self._wrong(f"{path}forms", table.get("forms"), "at least one form")
            for text in texts:
                try:
                    form = parse_form(text, more)
                except ValueError as error:
                    self._wrong(f"{path}forms", text, str(error))
                    continue
                hidden = plan.builtin.taken_by(form)
                if hidden and key != "special":
                    self._wrong(
                        f"{path}forms",
                        text,
                        f"no form of {hidden}, which is built in and always passes",
                    )
                    continue
                forms.add(form, Number(detail, yields is True))

    def _prefix_tables(self, plan: Dialplan) -> None:
        for path, table in self._tables(self._table, "prefixes"):
            self._known(table, _PREFIX_KEYS, path)
            name = self._text(table, "name", path, "a name", bool)
            before = self._texts(table, "before", path) or ("",)
            for code in self._prefixes(plan, table, "codes", path):
                plan.prefixes[code] = Prefix(f"{name} {code}", False, before)

    def _carriers(self, plan: Dialplan) -> None:
        table = self._table.get("carriers", {})
        if not isinstance(table, dict):
            self._wrong("carriers", table, "a table headed [carriers]")
            return
        path = "carriers."
        self._known(table, _CARRIER_KEYS, path)
        codes = table.get("codes", {})
        if not isinstance(codes, dict):
            self._wrong(f"{path}codes", codes, "a table of code = operator")
            codes = {}
        for code in self._prefixes(plan, {"codes": list(codes)}, "codes", path):
            if plan.prefixes.setdefault(code, Prefix(f"carrier {code}", True)).carrier:
                continue
            self._wrong(f"{path}codes", code, "no code that [[prefixes]] has too")
        plan.added = self._count(table, "added", path, 0, 0, MAX_ADDED)
        for text in self._texts(table, "unlisted", path):
            try:
                form = parse_form(text)
            except ValueError as error:
                self._wrong(f"{path}unlisted", text, str(error))
                continue
            for start in form.starts():
                plan.unlisted[start] = len(form.places)


def _is_digits(value: str, most: int = 1) -> bool:
    return value.isascii() and value.isdecimal() and len(value) <= most


def _is_country(value: str) -> bool:
    return len(value) == 2 and value.isascii() and value.isalpha() and value.isupper()
