"""How a rule counts and bans, read from its table.

Knows durations as text (`90s`, `5m`, `2h`), the keys of `match.count` and
`then.ban`, and what thresholds make sense. It must not count.
"""

from collections.abc import Callable
from typing import Final

from ringfence.facts import VOCABULARY
from ringfence.rules.bans import STEPS, Length
from ringfence.rules.model import LEARNT, Count

MAX_OVER: Final = 100_000
"""Highest threshold: a second's worth of a flood."""

MAX_DISTINCT: Final = 256
"""Highest threshold where each event is held to tell it from others."""

LONGEST: Final = 86_400
"""Seconds of the longest window and of the longest guard: a day."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}

Problem = Callable[[str, object, str], None]
"""Takes key, value and expectation."""


def seconds(text: object) -> int | None:
    """Read a duration such as `90s`, `5m` or `2h`; None when it is none."""
    if not isinstance(text, str) or text[-1:] not in _UNITS:
        return None
    digits = text[:-1]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 6):
        return None
    found = int(digits) * _UNITS[text[-1]]
    return found if 0 < found <= LONGEST else None


def duration(length: float) -> str:
    """Write seconds as `seconds` reads them, in the largest unit that fits."""
    for unit in ("h", "m"):
        if length >= _UNITS[unit] and length % _UNITS[unit] == 0:
            return f"{int(length) // _UNITS[unit]}{unit}"
    return f"{int(length)}s"


DURATION: Final = f"a duration from 1s to {duration(LONGEST)}, such as 90s, 5m or 2h"


def most_over(distinct: str | None) -> int:
    """Return the highest threshold a count may have."""
    return MAX_OVER if distinct is None else MAX_DISTINCT


def read_count(table: object, on: str, problem: Problem) -> Count | None:
    """Compile `match.count`."""
    if not isinstance(table, dict):
        problem("match.count", table, "a table")
        return None
    for key, value in table.items():
        if key not in ("per", "over", "within", "distinct"):
            problem(f"match.count.{key}", value, "one of distinct, over, per, within")
    per = table.get("per")
    groups: list[tuple[str, ...]] = []
    if isinstance(per, list) and per and all(isinstance(names, str) for names in per):
        groups = [tuple(names.split("+")) for names in per]
    if not groups or any(name not in VOCABULARY for names in groups for name in names):
        problem("match.count.per", per, 'a list of facts, or of several joined by "+"')
        return None
    distinct = table.get("distinct")
    if distinct is not None and distinct not in VOCABULARY:
        problem("match.count.distinct", distinct, "a fact of the vocabulary")
        return None
    over, within = table.get("over"), seconds(table.get("within"))
    most = most_over(distinct)
    if type(over) is not int or not 1 <= over <= most:
        problem("match.count.over", over, f"a whole number from 1 to {most}")
        return None
    if within is None:
        problem("match.count.within", table.get("within"), DURATION)
        return None
    return Count(tuple(groups), over, float(within), distinct, on in LEARNT)


def read_ban(table: object, problem: Problem) -> Length | None:
    """Compile `then.ban`."""
    steps = {duration(step): step for step in STEPS}
    expected = "one of " + ", ".join(steps)
    if not isinstance(table, dict):
        problem("then.ban", table, "a table")
        return None
    for key, value in table.items():
        if key not in ("first", "longest"):
            problem(f"then.ban.{key}", value, "one of first, longest")
    found: list[int] = []
    for key in ("first", "longest"):
        value = table.get(key)
        if isinstance(value, str) and value in steps:
            found.append(steps[value])
        else:
            problem(f"then.ban.{key}", value, expected)
    if len(found) != 2:
        return None
    if found[0] > found[1]:
        problem("then.ban.longest", table["longest"], "no less than then.ban.first")
        return None
    return Length(*found)


def read_guard(value: object, problem: Problem) -> float:
    """Compile `then.guard`: for how long only known sources may try an account."""
    if value is None:
        return 0.0
    found = seconds(value)
    if found is None:
        problem("then.guard", value, DURATION)
        return 0.0
    return float(found)
