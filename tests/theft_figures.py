"""What the office's line loses to thieves, with the rules about calls: the table.

    python tests/theft_figures.py            Markdown, as in the README
    python tests/theft_figures.py --sweep    how thieves could do otherwise: minutes

Traffic is that of `pcaps/incident.py`; what is stopped has no consequences.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "pcaps")]

import theft  # noqa: E402
from builders import COUNTRIES, RULES  # noqa: E402
from call import Call  # noqa: E402
from incident import INCIDENT, OFFICE, SLOW, Passing, Scenario, Traffic, calls  # noqa: E402
from office_days import YEAR, day_of, midnight  # noqa: E402
from office_line import judge  # noqa: E402
from ringfence.calls.baseline import Baseline  # noqa: E402
from ringfence.calls.events import BudgetShare, CallOver, Incident, Told  # noqa: E402
from ringfence.config import assemble, parse_config  # noqa: E402
from ringfence.decision import Decision  # noqa: E402
from ringfence.engine import Engine  # noqa: E402

THEFT = range(day_of(2026, 11, 1), day_of(2026, 12, 1))
"""The month of the thefts."""
BEFORE = range(day_of(2026, 11, 1))
"""Seven months of the office, of which the line knows what is usual."""


class Figures(NamedTuple):
    """What came of one scenario."""

    let_through: int
    """Calls of the thief, answered or not."""
    cost: int
    """Thousandths of a yen, by the rate table and the true durations."""
    stopped: int
    saved: int
    """Thousandths of a yen that the stopped ones would have cost."""
    hindered: list[Call]
    """Honest calls of which a message was stopped."""
    opened: list[str]
    """Rules by which something was closed or told of, in order."""
    closed: int
    """Incidents that were over at the end."""
    shares: int
    """Notices about the budget."""
    told: list[CallOver]


@contextmanager
def in_japan() -> Iterator[None]:
    """Let days begin when they do in Japan."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def site(folder: Path, toml: str = "", *, unlisted: str = "") -> Engine:
    """Make an agent with the default configuration, and rules copied to a folder.

    `unlisted` is a country code that is taken off every list.
    """
    rules = folder / "rules"
    copytree(RULES, rules, ignore=ignore_patterns("*.py", "__pycache__"))
    if unlisted:
        path = rules / "destinations.csv"
        rows = [line.split(",") for line in path.read_text("utf-8").splitlines()]
        for row in rows:
            if row[0].startswith(unlisted):
                row[3] = "normal"
        path.write_text("".join(",".join(row) + "\n" for row in rows), "utf-8")
    config = parse_config(toml, "figures")._replace(origin_table=str(COUNTRIES))
    return Engine(assemble(config, rules))


def acquaint(engine: Engine) -> None:
    """Let the line know what the office has called before, as after a restart."""
    engine.line.baseline = Baseline.from_record(_known())


@lru_cache(maxsize=1)
def _known() -> dict[str, Any]:
    days, baseline = BEFORE, Baseline()
    begun = midnight(days[0])
    baseline.watch(0.0)
    for call in calls(OFFICE, days):
        if call.direction == "out" and call.country not in ("JP", ""):
            baseline.watch(call.begin - begun)
            baseline.began(call.country)
            baseline.lasted(call.country, call.duration)
    baseline.watch(midnight(days[-1] + 1) - begun)
    return baseline.to_record()


def figures(engine: Engine, scenario: Scenario, days: Sequence[int]) -> Figures:
    """Let traffic pass an agent, and count what became of it."""
    told: list[Told] = []
    traffic = Traffic(scenario, days)

    def seen(passing: Passing, decision: Decision) -> None:
        told.extend(engine.told())

    outcome = judge(engine, traffic, seen)
    rates = engine.settings.terms.rates
    through = outcome.let_through()

    def cost(of: Iterable[Call]) -> int:
        return sum(
            rates.find(call.number.lstrip("+")).cost(call.duration)
            for call in of
            if call.answered is not None
        )

    stolen = [call for call in outcome.stopped if call.theft]
    incidents = [one for one in told if isinstance(one, Incident)]
    return Figures(
        len(through),
        cost(through),
        len(stolen),
        cost(stolen),
        outcome.hindered(),
        [one.closure.rule for one in incidents if one.event == "opened"],
        sum(one.event == "closed" for one in incidents),
        sum(isinstance(one, BudgetShare) for one in told),
        [one for one in told if isinstance(one, CallOver)],
    )


SCENARIOS: dict[str, tuple[Scenario, str, Sequence[int]]] = {
    "14,000 calls to Sierra Leone, default rules": (INCIDENT, "", THEFT),
    "the same, +232 taken off every list": (INCIDENT, "232", THEFT),
    "the same, the thief in the PBX itself": (
        INCIDENT._replace(entry=theft.UNSEEN),
        "232",
        THEFT,
    ),
    "slow, ten countries in turn, no list": (SLOW, "", THEFT),
    "twelve months without theft": (OFFICE, "", YEAR),
}


def run(name: str, folder: Path, days: Sequence[int] = ()) -> Figures:
    """Run one of `SCENARIOS`, or some days of it."""
    scenario, unlisted, whole = SCENARIOS[name]
    engine = site(folder, unlisted=unlisted)
    if whole is THEFT:
        acquaint(engine)
    return figures(engine, scenario, days or whole)


HEADS = (
    *("let through", "cost, yen", "stopped", "would have cost, yen"),
    *("honest calls hindered", "incidents", "seconds"),
)


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    if "--sweep" in arguments:
        from theft_sweep import sweep

        sweep()
        return
    print("| | " + " | ".join(HEADS) + " |")  # noqa: T201 - what it is for
    print("|---|" + "---:|" * len(HEADS))  # noqa: T201
    for name in SCENARIOS:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, in_japan():
            found = run(name, Path(folder))
        told = ", ".join(found.opened) or "none"
        print(  # noqa: T201
            f"| {name} | {found.let_through} | {found.cost / 1000:,.0f} | "
            f"{found.stopped:,} | {found.saved / 1000:,.0f} | {len(found.hindered)} | "
            f"{told} | {time.perf_counter() - began:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
