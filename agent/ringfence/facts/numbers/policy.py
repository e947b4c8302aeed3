"""What a reading means for the call: exempt, allowed, listed or unlisted.

Knows the operator's lists, the profile and the order of precedence: built in, local
allow, local block, the bundle's tiers, default. It must not know how a number was
written. There is no setting by which an emergency, special, domestic, extension or
non-numeric reading becomes listed, but for a local block of a domestic prefix.
"""

from typing import NamedTuple

from ringfence.errors import ConfigError
from ringfence.facts.numbers.emergency import ANYWHERE
from ringfence.facts.numbers.reading import EMERGENCY, SPECIAL, UNASSIGNED, Reading

PROFILES = ("office", "home", "watch")
MAX_PREFIX = 15
"""Digits of an E.164 number, and so of the longest prefix in a list."""


class Ruling(NamedTuple):
    """What the lists say about a reading."""

    status: str
    """`exempt` (nothing may stop it), `allowed`, `listed` or `unlisted`."""
    source: str
    """Who says so: `builtin`, `allow`, `block`, `bundle` or `default`."""
    why: str
    """For people: the entry, tier or profile that decided."""


class _Prefixes:
    """A list of E.164 prefixes; looking one up costs a probe for each length."""

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        self._prefixes = frozenset(prefixes)
        self._lengths = tuple(sorted({len(prefix) for prefix in prefixes}))

    def find(self, number: str) -> str:
        """Give the shortest prefix in the list that `number` starts with, or ""."""
        for length in self._lengths:
            if number[:length] in self._prefixes:
                return number[:length]
        return ""


class NumberPolicy:
    """The operator's word on where calls may go."""

    def __init__(
        self,
        profile: str = "office",
        allow: tuple[str, ...] = (),
        block: tuple[str, ...] = (),
    ) -> None:
        """Take a profile and lists of prefixes, E.164 without `+`.

        Raises ConfigError with every problem, each as `key = value: expectation`.
        """
        problems = []
        if profile not in PROFILES:
            problems.append(
                f"numbers.profile = {profile!r}: expected one of {', '.join(PROFILES)}"
            )
        for key, prefixes in (("allow", allow), ("block", block)):
            for at, prefix in enumerate(prefixes):
                expected = _expected(prefix)
                if expected:
                    problems.append(
                        f"numbers.{key}[{at}] = {prefix!r}: expected {expected}"
                    )
        if problems:
            raise ConfigError(problems)
        self.profile = profile
        self.only_logs = profile == "watch"
        """Judge and log: what is listed is not stopped."""
        self._allow = _Prefixes(allow)
        self._block = _Prefixes(block)

    def rule_on(self, reading: Reading) -> Ruling:
        """Rule on a reading and on those that weigh as much."""
        if reading.kind == EMERGENCY or reading.kind == SPECIAL:
            return Ruling("exempt", "builtin", f"{reading.kind} number")
        if not reading.abroad:
            if reading.number in ANYWHERE:
                return Ruling("exempt", "builtin", "emergency number elsewhere")
            return self._rule_on_home(reading)
        ruling = self._rule_on_abroad(reading)
        for other in reading.alternatives:
            if ruling.status == "listed":
                break
            other_ruling = self._rule_on_abroad(other)
            if other_ruling.status == "listed":
                ruling = other_ruling
        return ruling

    def _rule_on_home(self, reading: Reading) -> Ruling:
        if reading.e164:
            prefix = self._allow.find(reading.e164)
            if prefix:
                return Ruling("allowed", "allow", f"numbers.allow has {prefix}")
            prefix = self._block.find(reading.e164)
            if prefix:
                return Ruling("listed", "block", f"numbers.block has {prefix}")
        return Ruling("unlisted", "default", f"{reading.kind} number")

    def _rule_on_abroad(self, reading: Reading) -> Ruling:
        prefix = self._allow.find(reading.e164)
        if prefix:
            return Ruling("allowed", "allow", f"numbers.allow has {prefix}")
        prefix = self._block.find(reading.e164)
        if prefix:
            return Ruling("listed", "block", f"numbers.block has {prefix}")
        where = reading.country or "no country"
        if reading.kind == UNASSIGNED:
            where = "a country code that nobody has"
        if self.profile == "home":
            return Ruling("listed", "block", f"profile home: {where} is not allowed")
        if reading.tier == "block":
            return Ruling("listed", "bundle", f"{where} is on the block list")
        if reading.tier == "watch":
            return Ruling("unlisted", "bundle", f"{where} is on the watch list")
        return Ruling("unlisted", "default", f"{where} is on no list")


def _expected(prefix: str) -> str:
    """Say what a prefix should have been, "" when it is one."""
    if not (prefix.isascii() and prefix.isdecimal() and len(prefix) <= MAX_PREFIX):
        return f"1 to {MAX_PREFIX} digits, E.164 without '+'"
    if prefix.startswith("0"):
        return "a prefix that starts with a country code, not with 0"
    if prefix.startswith(("10", "11")):
        # 110, 118 and 119 are meant; no E.164 number starts with 10 or 11.
        return "an E.164 prefix; emergency and special numbers always pass"
    return ""
