"""How a thief could do otherwise, and what his best day then costs the line.

    python tests/theft_figures.py --sweep

Everything is varied by itself from one plain theft, and some of it together. The line
is one that has been watched for seven months; the thief has three days.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import theft
from call import ANSWERED, PBX, UNANSWERED, Call
from chance import Chance
from incident import Traffic
from office_days import local, midnight
from office_line import judge
from ringfence.calls.events import Incident
from theft_figures import acquaint, in_japan, site

DAYS = range(theft.FIRST_DAY - 2, theft.FIRST_DAY + 1)
"""Wednesday to Friday."""

COUNTRIES = {
    **theft.TEN_COUNTRIES,
    "BR": ("+5510", 9),
    "CL": ("+5610", 8),
    "PE": ("+5110", 7),
    "RO": ("+4011", 8),
    "BG": ("+35910", 7),
    "GR": ("+3010", 8),
    "IL": ("+97210", 7),
    "JO": ("+96210", 7),
    "GH": ("+23310", 7),
    "TZ": ("+25510", 7),
}
"""On no list; the first of them is called when there is one."""
USUAL = {"US": ("+1900555", 4)}, {"PH": ("+6390", 8)}
"""Countries that the office calls, and numbers there that cost extra."""
MANY = 20_000
"""Calls that one variation may make in all."""


class Ways(NamedTuple):
    """What a thief decides."""

    where: dict[str, tuple[str, int]]
    countries: int = 1
    an_hour: int = 60
    at_once: int = 1
    """Calls that begin within one second."""
    lasts: float = 300.0
    """Seconds."""
    hours: tuple[int, int] = (22, 30)
    """From when to when; the second may lie on the next day."""
    entry: str = theft.UNSEEN
    answered: bool = True


PLAIN = Ways(COUNTRIES)
H8 = 28_800.0
WAYS: dict[str, Ways] = {
    "plain: one country, a call a minute of 5 min, from the PBX by night": PLAIN,
    **{f"{n} countries": PLAIN._replace(countries=n) for n in (3, 10, 20)},
    **{f"{n} calls an hour": PLAIN._replace(an_hour=n) for n in (1, 2, 6, 600)},
    **{f"calls of {s} s": PLAIN._replace(lasts=float(s)) for s in (5, 30, 900, 3600)},
    "calls of 8 h": PLAIN._replace(lasts=H8),
    "in office hours": PLAIN._replace(hours=(9, 18)),
    "day and night": PLAIN._replace(hours=(0, 24)),
    "from a telephone in the country": PLAIN._replace(entry=theft.FROM_JAPAN),
    "from a telephone abroad": PLAIN._replace(entry=theft.FROM_ABROAD),
    "nobody answers": PLAIN._replace(answered=False),
    **{f"{n} at once": PLAIN._replace(at_once=n, an_hour=n * 6) for n in (5, 20, 30)},
    "20 at once, 20 countries": PLAIN._replace(at_once=20, an_hour=120, countries=20),
    "30 at once, 20 countries, 60 min each": PLAIN._replace(
        at_once=30, an_hour=30, countries=20, lasts=3600.0
    ),
    "30 at once, 20 countries, 8 h each": PLAIN._replace(
        at_once=30, an_hour=30, countries=20, lasts=H8, hours=(0, 24)
    ),
    "numbers of the US at extra cost": Ways(USUAL[0]),
    "numbers of the Philippines at extra cost": Ways(USUAL[1]),
    "the same, 2 an hour of 60 min": Ways(
        USUAL[1], an_hour=2, lasts=3600.0, hours=(0, 24)
    ),
    "the same, 30 at once of 60 min": Ways(
        USUAL[1], an_hour=30, at_once=30, lasts=3600.0, hours=(0, 24)
    ),
    "slow: 1 an hour of 60 min, 3 countries, day and night": PLAIN._replace(
        an_hour=1, lasts=3600.0, countries=3, hours=(0, 24)
    ),
    "slow: 2 an hour of 15 min, 3 countries, day and night": PLAIN._replace(
        an_hour=2, lasts=900.0, countries=3, hours=(0, 24)
    ),
}


def calls_of(name: str, ways: Ways) -> Iterator[Call]:
    """Decide the calls of one variation, in order."""
    chance = Chance("sweep", name)
    countries = list(ways.where)[: ways.countries]
    made = 0
    for day in DAYS:
        begin = midnight(day) + ways.hours[0] * 3600.0
        step = 3600.0 * ways.at_once / ways.an_hour
        while begin < midnight(day) + ways.hours[1] * 3600.0 and made < MANY:
            for one in range(ways.at_once):
                country = countries[made % len(countries)]
                start, digits = ways.where[country]
                when = round(begin + one / (ways.at_once + 1), 3)
                answered = round(when + 5.0, 3) if ways.answered else None
                ended = when + 25.0 if answered is None else answered + ways.lasts
                number = start + chance.digits(digits)
                yield Call(
                    call_id=f"{Chance('sweep', name, made).hex(20)}@{PBX.host}",
                    direction="out",
                    theft=True,
                    who=theft.ACCOUNT,
                    dialled=f"010{number[1:]}",
                    number=number,
                    country=country,
                    begin=when,
                    answered=answered,
                    ended=round(ended, 3),
                    outcome=ANSWERED if ways.answered else UNANSWERED,
                    ended_by="caller",
                    outer=theft.ENTRIES[ways.entry],
                )
                made += 1
            begin += step


def worst(name: str, folder: Path) -> tuple[float, int, int, Counter[str]]:
    """Return what the dearest day costs, calls in all, let through, and why not more.

    A call's cost belongs to the day on which it begins.
    """
    engine = site(folder)
    acquaint(engine)
    rules: Counter[str] = Counter()

    def seen(*_: object) -> None:
        for one in engine.told():
            if isinstance(one, Incident) and one.event == "opened":
                rules[one.closure.rule] += 1

    made = list(calls_of(name, WAYS[name]))
    outcome = judge(engine, Traffic.of(made), seen)
    rates = engine.settings.terms.rates
    days: Counter[int] = Counter()
    for call in outcome.let_through():
        if call.answered is not None:
            rate = rates.find(call.number.lstrip("+"))
            days[local(call.begin)[0]] += rate.cost(call.duration)
    most = max(days.values(), default=0) / 1000
    return most, len(made), len(outcome.let_through()), rules


def sweep() -> None:
    """Print a table of all variations."""
    print("| | calls | let through | dearest day, yen | incidents |")  # noqa: T201
    print("|---|---:|---:|---:|---|")  # noqa: T201
    for name in WAYS:
        with tempfile.TemporaryDirectory() as folder, in_japan():
            most, made, passed, rules = worst(name, Path(folder))
        why = ", ".join(f"{rule} {count}" for rule, count in rules.items()) or "none"
        print(f"| {name} | {made} | {passed} | {most:,.0f} | {why} |", flush=True)  # noqa: T201
