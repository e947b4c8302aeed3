"""The dial plan of a country, compiled from its TOML table.

Knows what dialled digits can mean in one country: number forms, prefixes, carrier
codes, international prefixes. It must not know destinations or what is allowed, and it
must not take an emergency number away: a plan that would is refused here.
"""

from typing import NamedTuple

from ringfence.errors import BundleError, ConfigError
from ringfence.facts.numbers.emergency import BuiltIn
from ringfence.facts.numbers.forms import Form, FormTable, lengths_by_start, parse_form
from ringfence.facts.numbers.plan_table import Table, TableReader

MAX_PREFIX = 8
"""Digits of the longest prefix or carrier code."""
MAX_EXTENSION = 9
"""Digits of the longest extension; with ten a national number may begin."""
MAX_ADDED = 4
"""Digits a carrier may add to its code; each costs a probe on every 00 number."""

_PLAN_KEYS = frozenset(
    {"country", "territories", "code", "trunk", "idd", "foreign_idd", "junk_idd"}
    | {"outside_line", "bare", "extension", "numbers", "local", "special"}
    | {"prefixes", "carriers", "options"}
)
_NUMBER_KEYS = frozenset({"detail", "forms", "more", "yields", "shared", "source"})
_PREFIX_KEYS = frozenset({"name", "codes", "before", "abroad", "adds", "source"})
_CARRIER_KEYS = frozenset(
    {"source", "forms", "unlisted", "added", "trunk_dropped", "codes"}
)
_OPTION_KEYS = frozenset({"refuses_carriers", "source"})


class Number(NamedTuple):
    """What a form of national numbers is."""

    detail: str
    """The class of number, such as `domestic_mobile`."""
    yields: bool = False
    """A number abroad that the trunk understands is preferred to this reading."""
    shared: bool = False
    """Every country under the code has such numbers, whoever's the list calls them."""


class Prefix(NamedTuple):
    """Digits that may stand in front of a number."""

    step: str
    """How the reading's path names it, such as `carrier 0033`."""
    carrier: bool
    """Only a number abroad or a national number may follow."""
    before: tuple[str, ...] = ("",)
    """What the rest may start with."""
    abroad: bool = False
    """A country code follows."""
    adds: str = ""
    """Digits that stand for the prefix: a country code for a neighbour's numbers."""


class CodeForm(NamedTuple):
    """A form of carrier codes that are not written down one by one."""

    form: Form
    known: bool
    """All codes of the form are carriers; else they may be."""


class Dialplan:
    """One country's plan. Build it with `from_table`."""

    __slots__ = (
        "added",
        "bare",
        "builtin",
        "code",
        "code_forms",
        "code_lengths",
        "countries",
        "country",
        "domestic",
        "extension",
        "foreign_forms",
        "foreign_idd",
        "idd",
        "junk_idd",
        "local",
        "options",
        "outside_line",
        "prefix_lengths",
        "prefixes",
        "refuses_carriers",
        "special",
        "trunk",
        "trunk_dropped",
    )

    def __init__(self, country: str) -> None:
        """Start with what is built in for the country."""
        self.country = country
        self.countries = frozenset({country})
        """The country and those whose numbers are national here."""
        self.builtin = BuiltIn(country)
        self.code = ""
        self.trunk = ""
        self.idd: tuple[str, ...] = ()
        self.foreign_idd: tuple[str, ...] = ()
        self.foreign_forms: tuple[Form, ...] = ()
        """Carrier codes of other countries with the international prefix behind."""
        self.junk_idd: tuple[str, ...] = ()
        self.outside_line: tuple[str, ...] = ()
        """What fetches a line where the site says nothing else."""
        self.bare = 10
        self.extension = (2, 7)
        self.domestic: FormTable[Number] = FormTable()
        self.local: FormTable[Number] = FormTable()
        self.special: FormTable[Number] = FormTable()
        self.prefixes: dict[str, Prefix] = {}
        self.prefix_lengths: dict[str, tuple[int, ...]] = {}
        self.code_forms: dict[str, tuple[CodeForm, ...]] = {}
        self.code_lengths: dict[str, tuple[int, ...]] = {}
        self.added = 0
        self.trunk_dropped = False
        """Behind a carrier code national numbers lose their trunk prefix."""
        self.refuses_carriers = False
        """The trunk takes no carrier codes: what starts with one reaches nobody."""
        self.options: dict[str, bool] = {}
        """By name of an option whether it refuses carriers."""

    @classmethod
    def from_table(cls, table: Table, where: str) -> "Dialplan":
        """Compile a parsed TOML table.

        Raises BundleError with every problem, each as `where: key = value: what was
        expected`. `where` names the file.
        """
        return _PlanReader(table, where).plan()

    def choose(self, options: tuple[str, ...]) -> None:
        """Switch options of the plan on; ConfigError for those that it has not."""
        names = ", ".join(self.options) or "none, as this dial plan has no options"
        problems = [
            f"numbers.options = {name!r}: expected one of {names}"
            for name in options
            if name not in self.options
        ]
        if problems:
            raise ConfigError(problems)
        self.refuses_carriers = any(self.options[name] for name in options)


class _PlanReader(TableReader):
    """Reads a plan's table."""

    def plan(self) -> Dialplan:
        table = self.table
        self.known(table, _PLAN_KEYS, "")
        country = self.text(table, "country", "", "a country such as JP", _is_country)
        plan = Dialplan(country)
        for other in self.texts(table, "territories", ""):
            if not _is_country(other):
                self.wrong("territories", other, "a country such as GG")
            plan.countries |= {other}
        digits = "1 to 3 digits"
        plan.code = self.text(table, "code", "", digits, lambda v: _is_digits(v, 3))
        plan.trunk = self.text(
            table, "trunk", "", "a digit or nothing", lambda v: not v or _is_digits(v)
        )
        plan.idd = self._prefixes(plan, self.texts(table, "idd", ""), "idd")
        if not plan.idd:
            self.wrong("idd", table.get("idd"), "at least one international prefix")
        self._foreign(plan)
        junk = self.texts(table, "junk_idd", "")
        plan.junk_idd = self._prefixes(plan, junk, "junk_idd")
        lines = self.texts(table, "outside_line", "")
        for line in lines:
            if not _is_digits(line, 5):
                self.wrong("outside_line", line, "1 to 5 digits")
        plan.outside_line = lines if "outside_line" in table else ("0", "9")
        plan.bare = self.count(table, "bare", "", 10, 7, 15)
        plan.extension = self._extension()
        for key, forms in (
            ("numbers", plan.domestic),
            ("local", plan.local),
            ("special", plan.special),
        ):
            self._forms(plan, key, forms)
        self._prefix_tables(plan)
        self._carriers(plan)
        for name, path, option in self.named(table, "options"):
            self.known(option, _OPTION_KEYS, path)
            plan.options[name] = self.flag(option, "refuses_carriers", path)
        plan.prefix_lengths = lengths_by_start(plan.prefixes)
        plan.code_lengths = lengths_by_start(plan.code_forms)
        if self.problems:
            raise BundleError("\n".join(self.problems))
        return plan

    def _foreign(self, plan: Dialplan) -> None:
        """Sort international prefixes of other countries from forms of them."""
        texts = self.texts(self.table, "foreign_idd", "")
        plain = tuple(text for text in texts if "X" not in text)
        plan.foreign_idd = tuple(
            code
            for code in self._prefixes(plan, plain, "foreign_idd")
            if code not in plan.idd
        )
        written = (text for text in texts if "X" in text)
        forms = (self._code_form(plan, text, "foreign_idd") for text in written)
        plan.foreign_forms = tuple(form for form in forms if form)

    def _extension(self) -> tuple[int, int]:
        value = self.table.get("extension", [2, 7])
        if (
            isinstance(value, list)
            and [type(item) for item in value] == [int, int]
            and 1 <= value[0] <= value[1] <= MAX_EXTENSION
        ):
            return value[0], value[1]
        self.wrong("extension", value, "shortest and longest, such as [2, 7]")
        return 2, 7

    def _prefixes(
        self, plan: Dialplan, codes: tuple[str, ...], key: str
    ) -> tuple[str, ...]:
        """Check prefixes, none of which may start an emergency number."""
        good = []
        for code in codes:
            hidden = [n for n in plan.builtin.emergency if n.startswith(code)]
            if not _is_digits(code, MAX_PREFIX):
                self.wrong(key, code, f"1 to {MAX_PREFIX} digits")
            elif hidden:
                self.wrong(key, code, _no_prefix_of(hidden[0]))
            else:
                good.append(code)
        return tuple(good)

    def _form(self, text: str, more: int, key: str) -> Form | None:
        """Read a form, or note why not."""
        try:
            return parse_form(text, more)
        except ValueError as error:
            self.wrong(key, text, str(error))
            return None

    def _code_form(self, plan: Dialplan, text: str, key: str) -> Form | None:
        """Read a form of prefixes, none of which may start an emergency number."""
        form = self._form(text, 0, key)
        for number in plan.builtin.emergency if form else ():
            if form and form.common(parse_form(number[: len(form.places)])):
                self.wrong(key, text, _no_prefix_of(number))
                return None
        return form

    def _forms(self, plan: Dialplan, key: str, forms: FormTable[Number]) -> None:
        for path, table in self.tables(self.table, key):
            self.known(table, _NUMBER_KEYS, path)
            detail = self.text(
                table, "detail", path, "a class such as domestic_fixed", bool
            )
            more = self.count(table, "more", path, 0, 0, 20)
            yields = self.flag(table, "yields", path)
            shared = self.flag(table, "shared", path)
            texts = self.texts(table, "forms", path)
            if not texts:
                self.wrong(f"{path}forms", table.get("forms"), "at least one form")
            number = Number(detail, yields, shared)
            for text in texts:
                form = self._form(text, more, f"{path}forms")
                hidden = plan.builtin.taken_by(form) if form else ""
                if form and hidden and key != "special":
                    self.wrong(
                        f"{path}forms",
                        text,
                        f"no form of {hidden}, which is built in and always passes",
                    )
                elif form:
                    forms.add(form, number)

    def _prefix_tables(self, plan: Dialplan) -> None:
        for path, table in self.tables(self.table, "prefixes"):
            self.known(table, _PREFIX_KEYS, path)
            name = self.text(table, "name", path, "a name", bool)
            before = self.texts(table, "before", path) or ("",)
            abroad = self.flag(table, "abroad", path)
            digits = "1 to 3 digits, and abroad = true"
            adds = self.text(
                table,
                "adds",
                path,
                digits,
                lambda v: not v or (abroad and _is_digits(v, 3)),  # noqa: B023
            )
            codes = self.texts(table, "codes", path)
            for code in self._prefixes(plan, codes, f"{path}codes"):
                plan.prefixes[code] = Prefix(
                    f"{name} {code}", False, before, abroad, adds
                )

    def _carriers(self, plan: Dialplan) -> None:
        table = self.table.get("carriers", {})
        if not isinstance(table, dict):
            self.wrong("carriers", table, "a table headed [carriers]")
            return
        path = "carriers."
        self.known(table, _CARRIER_KEYS, path)
        codes = table.get("codes", {})
        if not isinstance(codes, dict):
            self.wrong(f"{path}codes", codes, "a table of code = operator")
            codes = {}
        for code in self._prefixes(plan, tuple(codes), f"{path}codes"):
            if plan.prefixes.setdefault(code, Prefix(f"carrier {code}", True)).carrier:
                continue
            self.wrong(f"{path}codes", code, "no code that [[prefixes]] has too")
        plan.added = self.count(table, "added", path, 0, 0, MAX_ADDED)
        plan.trunk_dropped = self.flag(table, "trunk_dropped", path)
        for key in ("forms", "unlisted"):
            for text in self.texts(table, key, path):
                form = self._code_form(plan, text, f"{path}{key}")
                if form is None:
                    continue
                for start in form.starts():
                    others = plan.code_forms.get(start, ())
                    found = CodeForm(form, key == "forms")
                    plan.code_forms[start] = (*others, found)


def _no_prefix_of(number: str) -> str:
    return f"no prefix of the emergency number {number}, which always passes"


def _is_digits(value: str, most: int = 1) -> bool:
    return value.isascii() and value.isdecimal() and len(value) <= most


def _is_country(value: str) -> bool:
    return len(value) == 2 and value.isascii() and value.isalpha() and value.isupper()
