"""What a reading means for the call: exempt, allowed, listed or unlisted.

Knows the operator's lists, the profile and the order of precedence. The first of these
that has something to say decides:

1. built in: an emergency or special number passes;
2. the site's lists, `numbers.allow` and `numbers.block`: of all entries that a number
   starts with the longest counts, and `allow` where both lists have it. So `block = 63`
   with `allow = 6327` opens one city, `allow = 1` with `block = 1900` closes one range,
   and no entry of either list is ever without effect;
3. the profile `home`: what is abroad is listed;
4. the bundle: the tier of the destination;
5. default: unlisted.

It must not know how a number was written. There is no setting by which an emergency,
special, extension or non-numeric reading becomes listed, and only `numbers.block` makes
a domestic one so.
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


class _SiteLists:
    """Both lists as one; looking a number up costs a probe for each length."""

    def __init__(self, allow: tuple[str, ...], block: tuple[str, ...]) -> None:
        rulings = {
            prefix: Ruling("listed", "block", f"numbers.block has {prefix}")
            for prefix in block
        }
        rulings |= {
            prefix: Ruling("allowed", "allow", f"numbers.allow has {prefix}")
            for prefix in allow
        }
        self._rulings = rulings
        self._lengths = tuple(sorted({*map(len, rulings)}, reverse=True))

    def find(self, number: str) -> Ruling | None:
        """Give what the longest entry that `number` starts with says, or None."""
        for length in self._lengths:
            ruling = self._rulings.get(number[:length])
            if ruling is not None:
                return ruling
        return None


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
        self._lists = _SiteLists(allow, block)

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
        ruling = self._lists.find(reading.e164) if reading.e164 else None
        return ruling or Ruling("unlisted", "default", f"{reading.kind} number")

    def _rule_on_abroad(self, reading: Reading) -> Ruling:
        ruling = self._lists.find(reading.e164)
        if ruling is not None:
            return ruling
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
