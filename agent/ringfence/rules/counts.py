"""How a rule counts and bans, read from its table.

Knows durations as text (`90s`, `5m`, `2h`), the keys of `match.count` and
`then.ban`, and what thresholds make sense. It must not count.
"""

from typing import Final

from ringfence.facts import VOCABULARY
from ringfence.rules.bans import STEPS, Length
from ringfence.rules.durations import DURATION, Problem, duration, seconds
from ringfence.rules.model import CALLS, LEARNT, Count

MAX_OVER: Final = 100_000
"""Highest threshold: a second's worth of a flood."""

MAX_DISTINCT: Final = 256
"""Highest threshold where each event is held to tell it from others."""

MAX_CALLS: Final = 64
"""Highest threshold of a rule about calls, and the most that `usual` can make of it:
so many calls are held to be counted."""

MAX_TIMES: Final = 100
"""Highest multiple of what is usual."""


_KEYS: Final = ("per", "over", "within", "distinct")
_RELATIVE: Final = ("usual", "times")
"""Keys that rules about calls may have besides."""


def most_over(distinct: str | None, on: str = "request") -> int:
    """Return the highest threshold a count may have."""
    if on in CALLS:
        return MAX_CALLS
    return MAX_OVER if distinct is None else MAX_DISTINCT


def read_count(table: object, on: str, problem: Problem) -> Count | None:
    """Compile `match.count`."""
    if not isinstance(table, dict):
        problem("match.count", table, "a table")
        return None
    for key, value in table.items():
        if key not in _KEYS and not (on in CALLS and key in _RELATIVE):
            keys = ", ".join(sorted(_KEYS + (_RELATIVE if on in CALLS else ())))
            problem(f"match.count.{key}", value, f"one of {keys}")
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
    usual, times = table.get("usual"), table.get("times", 1)
    if usual is not None and not (
        usual in VOCABULARY and VOCABULARY[usual].kind is int
    ):
        problem("match.count.usual", usual, "a fact that is a whole number")
        return None
    if type(times) is not int or not 1 <= times <= MAX_TIMES:
        problem("match.count.times", times, f"a whole number from 1 to {MAX_TIMES}")
        return None
    most = most_over(distinct, on)
    if type(over) is not int or not 1 <= over <= most:
        problem("match.count.over", over, f"a whole number from 1 to {most}")
        return None
    if within is None:
        problem("match.count.within", table.get("within"), DURATION)
        return None
    learnt = on in (*LEARNT, "call-end")
    return Count(tuple(groups), over, float(within), distinct, learnt, usual, times)


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
