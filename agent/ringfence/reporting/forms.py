"""How figures, moments and places are written in one language.

Knows the words of `ringfence.wording`, names of countries and a clock's zone. It must
not know what is counted.
"""

from datetime import date as Date  # noqa: N812 - `date` is a number here
from importlib import import_module
from typing import Final

from ringfence.calls.dates import Calendar
from ringfence.facts.numbers import Destinations
from ringfence.reporting.events import MAX_TEXT
from ringfence.reporting.tally import OTHERS, Money

WHOLE: Final = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "VND"})
"""Currencies without a smaller unit in use (ISO 4217)."""

Names = dict[str, str]


def country_names(destinations: Destinations, language: str) -> Names:
    """Return names by ISO 3166 code."""
    names: Names = {}
    for code in sorted(destinations.codes()):
        found = destinations.find(code)
        if found is not None and found.country and found.kind == "country":
            name = found.name_ja if language == "ja" else found.name_en
            names.setdefault(found.country, name)
    return names


class Forms:
    """Writes values in one language."""

    def __init__(self, language: str, names: Names, calendar: Calendar) -> None:
        """Take the words; `language` is one of `wording.LANGUAGES`."""
        words = import_module(f"ringfence.wording.{language}")
        self.language = language
        self._words: dict[str, str] = words.REPORT
        self._names = names
        self._calendar = calendar

    def say(self, key: str, /, **words: object) -> str:
        """Return a sentence with what stands in its braces."""
        return self._words[key].format_map(words)

    def count(self, number: int) -> str:
        """Write a count with its thousands apart."""
        return f"{number:,}"

    def money(self, milli: int, currency: str) -> str:
        """Write thousandths of a currency's unit, rounded to what can be paid."""
        if not currency:
            return self.say("money.none")
        key = f"money.{currency}"
        key = key if key in self._words else "money"
        return self.say(key, amount=amount(milli, currency), currency=currency)

    def sums(self, money: Money, currency: str) -> str:
        """Write what a row has in one currency."""
        return self.money(money.get(currency, 0), currency)

    def clock(self, seconds: int) -> str:
        """Write a duration as hours, minutes and seconds."""
        return f"{seconds // 3600:,}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    def day(self, date: int) -> str:
        """Write a date such as 20261122, or a month such as 202611."""
        if date < 1_000_000:
            return f"{date // 100:04}-{date % 100:02}"
        weekday = Date(date // 10_000, date // 100 % 100, date % 100).weekday()
        text = f"{date // 10_000:04}-{date // 100 % 100:02}-{date % 100:02}"
        return self.say("day", date=text, weekday=self.weekday(weekday))

    def short_day(self, date: int) -> str:
        """Write a date or a month where there is little room."""
        if date < 1_000_000:
            return f"{date // 100 % 100:02}/{date % 100}"
        return f"{date // 100 % 100}/{date % 100}"

    def weekday(self, number: int) -> str:
        """Write a day of the week; 0 is Monday."""
        return self._words[f"weekday.{number}"]

    def moment(self, wall: float) -> str:
        """Write local date and time."""
        at = self._calendar(wall)
        return (
            f"{at.year:04}-{at.month:02}-{at.day:02} "
            f"{at.minute // 60:02}:{at.minute % 60:02}"
        )

    def country(self, iso2: str) -> str:
        """Write a country's name."""
        if not iso2:
            return self.say("country.none")
        name = self._names.get(iso2)
        return iso2 if name is None else f"{name} ({iso2})"

    def name(self, key: str) -> str:
        """Write what a row is called."""
        if key == OTHERS:
            return self.say("others")
        return key[: MAX_TEXT + 1] or self.say("name.none")

    def closed(self, what: str, subject: str) -> str:
        """Say what an incident closed."""
        if what == "country":
            name = self._names.get(subject)
            subject = subject if name is None else f"{name} ({subject})"
        key = f"what.{what}"
        key = key if key in self._words else "what"
        return self.say(key, what=what, subject=subject)

    def template(self, key: str) -> str:
        """Return words with their braces."""
        return self._words[key]


def amount(milli: int, currency: str) -> str:
    """Write thousandths of a currency's unit without the currency."""
    if currency in WHOLE:
        return f"{(milli + 500) // 1000:,}"
    cents = (milli + 5) // 10
    return f"{cents // 100:,}.{cents % 100:02}"
