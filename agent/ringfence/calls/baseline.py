"""What a line usually does: calls and minutes abroad, and whence accounts sign in.

Knows countries, accounts and networks, and how long it has watched. Its only clock is
the time it has watched, so that neither a jump of the wall clock nor a month in a
drawer ages what it knows. It must not know thresholds, and whoever tells it what is
usual must leave out what was stopped.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeGuard
from zlib import crc32

from ringfence.calls.usual import (
    MAX_DAY,
    MAX_NEW,
    MAX_USUAL,
    Source,
    read_sources,
    source_key,
    write_sources,
)

HALF_LIFE: Final = 14.0
"""Days after which a call counts half."""

MAX_COUNTRIES: Final = 256
"""Countries told apart: ISO 3166-1 has 249, and there are those without one."""

MAX_ACCOUNTS: Final = 10_000
"""Accounts remembered, the one longest unheard of goes first. Only a password adds to
them. 2 MB of memory for accounts at their desks, 5 MB for restless ones with long
names; of the record, 32 bytes each and 290 at most, so 0.3 to 2.9 MB; 7 kB for countries."""

MAX_NAME: Final = 32
"""Characters of an account; PBXs number their phones."""

RIPE: Final = 3.0
"""Whole days after which a new source of an account is one of its usual: a thief who
is let in today must not be usual tomorrow."""

DAY: Final = 86_400.0
FULL: Final = 1.0
"""Days that are divided by at least: an hour with one call is no line of 24 a day."""

FRESH_FOR: Final = 24
"""Hours watched after which a call counts as usual: what a thief does tonight must not
be usual tonight."""

MAX_FRESH: Final = 2_048
"""Pairs of hour and country that are not yet usual; the oldest is usual at once if
there are more. 25 hours, of 80 countries each."""

MAX_VALUE: Final = 1e9
"""Calls, seconds and days that are believed of a record."""

NOWHERE: Final = "--"
"""Stands for what belongs to no country: satellites, shared codes."""

VERSION: Final = 1
_ROUND: Final = 4
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._+-@")


class Usual(NamedTuple):
    """What is usual of one country."""

    calls: float
    """A day, the latest weeks counting most."""
    minutes: float
    """A day."""


class Seen(NamedTuple):
    """How an account's source compares with its usual ones."""

    network: bool
    """It comes from a usual network."""
    country: bool
    """It comes from a usual country."""


class _Country:
    __slots__ = ("at", "calls", "seconds")

    def __init__(self, calls: float, seconds: float, at: float) -> None:
        self.calls = calls
        self.seconds = seconds
        self.at = at
        """Days watched when both were right; they fade from there."""

    def fade(self, days: float) -> None:
        """Let both fade until a day."""
        left = _left(days - self.at)
        self.calls *= left
        self.seconds *= left
        self.at = days


class Baseline:
    """What is usual, decaying over weeks."""

    def __init__(self) -> None:
        """Start knowing nothing."""
        self._countries: dict[str, _Country] = {}
        self._accounts: dict[str, str] = {}
        """Sources as text, least recently changed account first: a fifth of the room
        that objects take."""
        self._fresh: dict[tuple[int, str], list[float]] = {}
        """Calls and seconds by hour watched and country, oldest first."""
        self._watched = 0.0
        self._mono: float | None = None
        self._last_abroad: float | None = None
        self.ignored = 0
        """Parts of a record that made no sense."""

    def watch(self, mono: float) -> None:
        """Let time pass, in seconds of the monotonic clock; to be called often."""
        if self._mono is not None and mono > self._mono:
            self._watched += (mono - self._mono) / DAY
        self._mono = mono
        while self._fresh:
            hour, _ = oldest = next(iter(self._fresh))
            if self._hour - hour <= FRESH_FOR:
                break
            self._ripen(oldest)

    @property
    def days_watched(self) -> float:
        """Days that this line was watched, in all runs."""
        return self._watched

    @property
    def days_since_abroad(self) -> float | None:
        """Days watched since the last call abroad; None if there was none."""
        if self._last_abroad is None:
            return None
        return max(0.0, self._watched - self._last_abroad)

    def called(self, country: str | None) -> None:
        """Learn that a call abroad began."""
        self._last_abroad = self._watched
        self._country(country).calls += 1

    def talked(self, country: str | None, seconds: float) -> None:
        """Learn how long a call abroad lasted."""
        if 0 < seconds <= MAX_VALUE:
            self._country(country).seconds += seconds

    def tried(self) -> None:
        """Learn that somebody calls abroad, answered or not."""
        self._last_abroad = self._watched

    def began(self, country: str | None) -> None:
        """Learn that somebody answered a call abroad; see `FRESH_FOR` for when it is usual."""
        self._last_abroad = self._watched
        self._of_now(country)[0] += 1

    def lasted(self, country: str | None, seconds: float) -> None:
        """Learn how long a call abroad lasted, in the same way."""
        if 0 < seconds <= MAX_VALUE:
            self._of_now(country)[1] += seconds

    def disown(self, country: str | None = None, *, unknown: bool = False) -> None:
        """Forget what was fresh of a country, or of all `unknown` ones: it was theft."""
        name = country or NOWHERE
        for key in list(self._fresh):
            if key[1] not in self._countries if unknown else key[1] == name:
                del self._fresh[key]

    @property
    def _hour(self) -> int:
        return int(self._watched * 24)

    def _of_now(self, country: str | None) -> list[float]:
        key = self._hour, country or NOWHERE
        found = self._fresh.setdefault(key, [0.0, 0.0])
        if len(self._fresh) > MAX_FRESH:
            self._ripen(next(iter(self._fresh)))
        return found

    def _ripen(self, key: tuple[int, str]) -> None:
        calls, seconds = self._fresh.pop(key)
        kept = self._country(key[1])
        kept.calls += calls
        kept.seconds += seconds

    def usual(self, country: str | None) -> Usual:
        """Return what is usual of a country; zeros for one that was never called.

        As a mean over the days watched, of which the latest count most as the calls do.
        """
        found = self._countries.get(country or NOWHERE)
        if found is None:
            return Usual(0.0, 0.0)
        found.fade(self._watched)
        # The integral of the same decay over the time watched.
        days = max(FULL, HALF_LIFE / math.log(2) * (1 - _left(self._watched)))
        return Usual(found.calls / days, found.seconds / 60 / days)

    def knows(self, country: str | None) -> bool:
        """Tell whether a country was called before, as far as anybody remembers."""
        return (country or NOWHERE) in self._countries

    def signed_in(self, account: str, address: bytes, country: str | None) -> None:
        """Learn from where an account has registered, with its password."""
        if not account:
            return
        name = _name(account)
        text = self._accounts.get(name, "")
        sources = read_sources(text) or []
        day = min(int(self._watched), MAX_DAY)
        wanted = {source_key(address), *([country] if country else [])}
        if wanted <= {one.key for one in sources if one.last == day}:
            return
        known = {one.key: one for one in sources}
        for key in wanted:
            first = known[key].first if key in known else day
            known[key] = Source(key, first, day)
        # Of several of one day the older one stays.
        newest = sorted(known.values(), key=lambda one: (one.last, -one.first))
        usual = self._usual(newest)
        new = [one for one in newest if one.key not in usual]
        kept = [one for one in newest if one.key in usual][-MAX_USUAL:]
        # Taken out and put in again: what has not changed for longest comes first.
        self._accounts.pop(name, None)
        self._accounts[name] = write_sources(kept + new[-MAX_NEW:])
        if len(self._accounts) > MAX_ACCOUNTS:
            del self._accounts[next(iter(self._accounts))]

    def seen(self, account: str, address: bytes, country: str | None) -> Seen | None:
        """Compare a source with the usual ones; None for an account without any.

        Usual is what was first seen `RIPE` days ago, or when the account was.
        """
        sources = read_sources(self._accounts.get(_name(account), ""))
        if not sources:
            return None
        usual = self._usual(sources)
        if country is None:  # nobody knows where it is: nothing speaks against it
            return Seen(source_key(address) in usual, True)
        return Seen(source_key(address) in usual, country in usual)

    def _usual(self, sources: list[Source]) -> frozenset[str]:
        begun = min(one.first for one in sources)
        ripe = (
            one.key
            for one in sources
            if one.first == begun or self._watched - one.first - 1 >= RIPE
        )
        return frozenset(ripe)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return entries and capacity of every table, by name."""
        return {
            "countries": (len(self._countries), MAX_COUNTRIES),
            "accounts": (len(self._accounts), MAX_ACCOUNTS),
            "fresh calls": (len(self._fresh), MAX_FRESH),
        }

    def to_record(self) -> dict[str, Any]:
        """Return what has to outlive the process, as JSON has it."""
        for country in self._countries.values():
            country.fade(self._watched)
        last = self._last_abroad
        return {
            "version": VERSION,
            "watched": round(self._watched, _ROUND),
            "last_abroad": None if last is None else round(last, _ROUND),
            "countries": {
                name: [round(one.calls, _ROUND), round(one.seconds, 1)]
                for name, one in self._countries.items()
                if one.calls >= 10**-_ROUND or one.seconds >= 1
            },
            "fresh": [
                [hour, name, round(calls), round(seconds, 1)]
                for (hour, name), (calls, seconds) in self._fresh.items()
            ],
            "accounts": dict(self._accounts),
        }

    @classmethod
    def from_record(cls, record: object) -> "Baseline":
        """Take up a record; what makes no sense in it is counted and left out."""
        baseline = cls()
        parts: Mapping[Any, Any] = record if isinstance(record, dict) else {}
        if parts.get("version") != VERSION or not _is_value(parts.get("watched")):
            baseline.ignored += record is not None
            return baseline
        baseline._watched = watched = float(parts["watched"])
        last = parts.get("last_abroad")
        if _is_value(last):
            baseline._last_abroad = min(float(last), watched)
        else:
            baseline.ignored += last is not None
        for name, one in _pairs(parts.get("countries")):
            if (
                _is_country(name)
                and isinstance(one, list)
                and len(one) == 2
                and all(map(_is_value, one))
                and len(baseline._countries) < MAX_COUNTRIES
            ):
                baseline._countries[name] = _Country(
                    float(one[0]), float(one[1]), watched
                )
            else:
                baseline.ignored += 1
        fresh = parts.get("fresh", [])
        for one in fresh if isinstance(fresh, list) else [None]:
            if (
                isinstance(one, list)
                and len(one) == 4
                and all(map(_is_value, (one[0], *one[2:])))
                and int(one[0]) <= baseline._hour
                and _is_country(one[1])
                and len(baseline._fresh) < MAX_FRESH
            ):
                kept = [float(one[2]), float(one[3])]
                baseline._fresh[int(one[0]), one[1]] = kept
            else:
                baseline.ignored += 1
        baseline._fresh = dict(sorted(baseline._fresh.items()))
        for name, text in _pairs(parts.get("accounts")):
            sources = read_sources(text)
            if (
                sources
                and _is_kept(name)
                and max(one.last for one in sources) <= watched
                and len(baseline._accounts) < MAX_ACCOUNTS
            ):
                baseline._accounts[name] = text
            else:
                baseline.ignored += 1
        return baseline

    def _country(self, country: str | None) -> _Country:
        name = country or NOWHERE
        found = self._countries.get(name)
        if found is None:
            found = self._countries[name] = _Country(0.0, 0.0, self._watched)
            if len(self._countries) > MAX_COUNTRIES:
                for one in self._countries.values():
                    one.fade(self._watched)
                others = (key for key in self._countries if key != name)
                least = min(others, key=lambda key: self._countries[key].calls)
                del self._countries[least]
        found.fade(self._watched)
        return found


def _left(days: float) -> float:
    """Return what is left of a call after so many days."""
    return float(0.5 ** (days / HALF_LIFE))


def _name(account: str) -> str:
    """Return what an account is kept under: a long or odd name by its check sum."""
    if len(account) <= MAX_NAME and _PLAIN.issuperset(account):
        return account
    return f"#{crc32(account.encode('utf-8', 'replace')):08x}"


def _is_kept(name: object) -> bool:
    """Tell whether `_name` could have made a name."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        return False
    return _PLAIN.issuperset(name[1:] if name[0] == "#" else name)


def _is_country(name: object) -> bool:
    if name == NOWHERE:
        return True
    return (
        isinstance(name, str) and len(name) == 2 and name.isascii() and name.isupper()
    )


def _is_value(value: object) -> TypeGuard[float]:
    # Comparing is enough: no order holds for a NaN.
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value <= MAX_VALUE
    )


def _pairs(part: object) -> list[tuple[Any, Any]]:
    return list(part.items()) if isinstance(part, dict) else []
