"""What a rule about calls closes or tells of and for how long, read from its table.

Knows the keys of `then.close` and `then.tell`. It must not know calls, nor what is closed now.
"""

from typing import Final, NamedTuple

from ringfence.rules.durations import DURATION, Problem, seconds

WHATS: Final = {
    "country": "calls to the country of the call",
    "international": "all calls abroad",
    "new": "calls to countries that this line had not called until a day before",
    "binding": "calls abroad of the account from the network that it called from",
    "sequence": "calls to numbers that differ from the one called in the last four "
    "digits only",
}
"""What can be closed. Never calls at home, nor to emergency numbers."""

TOLD: Final = "stopped"
"""What is told of and closes nothing: calls that were stopped without a closure."""

BUDGET: Final = "budget"
"""For as long as the budget is used up."""


class Close(NamedTuple):
    """What is closed, and how long the first and the longest time."""

    what: str
    """One of `WHATS`, or `TOLD`."""
    first: float
    """Seconds; 0 for as long as the budget is used up."""
    longest: float


def read_close(table: object, problem: Problem) -> Close | None:
    """Compile `then.close`."""
    if not isinstance(table, dict):
        problem("then.close", table, "a table")
        return None
    for key, value in table.items():
        if key not in ("what", "first", "longest", "until"):
            problem(f"then.close.{key}", value, "one of first, longest, until, what")
    what = table.get("what")
    if not isinstance(what, str) or what not in WHATS:
        problem("then.close.what", what, "one of " + ", ".join(WHATS))
        return None
    if "until" in table:
        if table["until"] != BUDGET:
            problem("then.close.until", table["until"], f'"{BUDGET}"')
        for key in ("first", "longest"):
            if key in table:
                problem(f"then.close.{key}", table[key], "nothing beside until")
        return Close(what, 0.0, 0.0)
    found: list[float] = []
    for key in ("first", "longest"):
        length = seconds(table.get(key))
        if length is None:
            problem(f"then.close.{key}", table.get(key), DURATION)
        else:
            found.append(float(length))
    if len(found) != 2:
        return None
    if found[0] > found[1]:
        problem("then.close.longest", table["longest"], "no less than then.close.first")
        return None
    return Close(what, *found)


def read_tell(table: object, problem: Problem) -> Close | None:
    """Compile `then.tell`: after how long without another one the incident is over."""
    if not isinstance(table, dict):
        problem("then.tell", table, "a table")
        return None
    for key, value in table.items():
        if key != "quiet":
            problem(f"then.tell.{key}", value, "nothing but quiet")
    quiet = seconds(table.get("quiet"))
    if quiet is None:
        problem("then.tell.quiet", table.get("quiet"), DURATION)
        return None
    return Close(TOLD, float(quiet), float(quiet))
