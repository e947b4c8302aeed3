"""What reading a number costs, and how much its tables hold in memory.

A mix as an office's line carries it, and each kind of number by itself; with the tables
as they are and ten times as long. `ringfence explain -` as a user runs it.
"""

import gc
import resource
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from ringfence.bundle.embedded import load_destinations, load_dialplan
from ringfence.bundle.tables import find_rules_dir
from ringfence.config import assemble
from ringfence.config.read import parse_config
from ringfence.explain import Explainer
from ringfence.facts.numbers import Destinations, NumberPolicy, NumberReader
from ringfence.facts.numbers.destinations import MAX_CODE, Destination
from ringfence.rules import RuleSet

from bench import processes
from bench.figures import Part, Series

AIM_US: Final = 10.0
AIM_LINES: Final = 10_000
LINES: Final = 100_000
_EACH: Final = 400
"""Numbers of a kind; each is read once a round, so that no cache helps."""
_PATIENCE: Final = 120.0

MIX: Final = {
    "mobile, fixed, toll-free at home": 50,
    "extension": 15,
    "emergency, special": 2,
    "home, behind outside line, 184, carrier": 12,
    "name": 5,
    "abroad, 010": 6,
    "abroad, +": 4,
    "listed, behind carriers and chains": 3,
    "listed, percent-encoded and the like": 1,
    "guesses: 00, junk, bare": 1,
    "home, sip: with parameters": 1,
}
"""Kinds, and how many of a hundred calls are of each."""

Read = Callable[[str], object]


def _kinds(chance: Random) -> dict[str, list[str]]:
    def digits(count: int) -> str:
        return "".join(chance.choices("0123456789", k=count))

    def home() -> str:
        start = chance.choice(("03", "06", "045", "0532", "090", "080", "050", "0120"))
        size = 11 if start in ("090", "080", "050") else 10
        rest = chance.choice("23456789") + digits(size - len(start) - 1)
        return start + rest

    def abroad() -> str:
        return chance.choice(("1212", "4420", "8210", "8613", "632")) + digits(7)

    def listed() -> str:
        return chance.choice(("23276", "535", "37799", "37129", "6774")) + digits(6)

    def spelt(number: str) -> str:
        full = number.translate(str.maketrans("012", "\uff10\uff11\uff12"))
        escaped = "".join(f"%{byte:02X}" for byte in full.encode())
        return chance.choice((f"sip:{escaped}@h", f"tel:{full};isub=1", "-".join(full)))

    pick = chance.choice
    make: dict[str, Callable[[], str]] = {
        "mobile, fixed, toll-free at home": lambda: f"sip:{home()}@192.0.2.1",
        "extension": lambda: f"sip:{digits(pick((3, 4)))}@192.0.2.1",
        "emergency, special": lambda: (
            f"sip:{pick(('110', '119', '0119', '104', '117', '171'))}@192.0.2.1"
        ),
        "home, behind outside line, 184, carrier": lambda: (
            f"sip:{pick(('0', '9', '184', '0186', '0033', '122', '0000'))}{home()}@h"
        ),
        "name": lambda: f"sip:{pick(('alice', 'bob.2', 'trunk', 'x1f0'))}{digits(3)}@h",
        "abroad, 010": lambda: f"sip:010{abroad()}@192.0.2.1",
        "abroad, +": lambda: f"sip:+{abroad()}@192.0.2.1",
        "listed, behind carriers and chains": lambda: (
            f"sip:{pick(('', '0', '1840033', '0081', '0000', '9122'))}010{listed()}@h"
        ),
        "listed, percent-encoded and the like": lambda: spelt("010" + listed()),
        "guesses: 00, junk, bare": lambda: (
            f"sip:{pick(('00', '900', '9011', '824810', '77010', ''))}{listed()}@h"
        ),
        "home, sip: with parameters": lambda: (
            f"sip:+81{home()[1:]};isub=1;phone-context=+81@192.0.2.1;user=phone"
        ),
    }
    return {kind: [one() for _ in range(_EACH)] for kind, one in make.items()}


def measure(folder: Path, rounds: int) -> Part:
    """Time readings round by round, then explain, then weigh the tables."""
    chance = Random(1)  # noqa: S311 - the same numbers each time
    kinds = _kinds(chance)
    mix = [chance.choice(kinds[kind]) for kind in MIX for _ in range(MIX[kind] * 10)]
    chance.shuffle(mix)
    rules = find_rules_dir()
    plan = load_dialplan(rules, "jp")
    few = load_destinations(rules)
    many = _ten_times(few)
    policy = NumberPolicy(allow=("63",), block=("1900",))
    prefixes = [str(number) for number in range(20_000, 21_000)]
    long_lists = NumberPolicy(allow=tuple(prefixes[::2]), block=tuple(prefixes[1::2]))
    readers = {
        "the mix": _reading(NumberReader(plan, few), policy),
        "the mix, ten times the destinations": _reading(
            NumberReader(plan, many), policy
        ),
        "the mix, 1,000 entries in allow and block": _reading(
            NumberReader(plan, few), long_lists
        ),
    }
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, read in readers.items():
            times.setdefault(name, []).append(_median_us(read, mix))
        for kind, texts in kinds.items():
            times.setdefault(kind, []).append(_median_us(readers["the mix"], texts))
    table: list[Sequence[str]] = [("reading and ruling", "median µs", "of the mix")]
    base = Series.of(times["the mix"])
    record: dict[str, object] = {"share_of_kinds": MIX}
    for name, values in times.items():
        series = Series.of(values)
        over = f"{series.over(base).median:.2f}"
        table.append((name, series.text(1), over))
        record[name] = series.record()
    lines, lines_record = _explain(folder, mix, rounds)
    sizes, sizes_record = _sizes(rules)
    notes = [
        f"{len(mix)} numbers in the mix, {_EACH} of each kind; the median reading of a"
        f" round, and its median and range over {rounds} rounds. Aim: {AIM_US:.0f} µs.",
        f"explain: {LINES} lines of the mix, start of the interpreter included. Aim:"
        f" {AIM_LINES:,} lines a second.",
    ]
    record |= lines_record | sizes_record
    return Part("Numbers", notes, [table, lines, sizes], record)


def _reading(reader: NumberReader, policy: NumberPolicy) -> Read:
    def read(text: str) -> object:
        return policy.rule_on(reader.read_uri(text))

    return read


def _ten_times(few: Destinations) -> Destinations:
    """Split each code that is not of the longest into the ten below it."""
    rows: dict[str, Destination] = dict(few._by_code)
    for code, row in few._by_code.items():
        for digit in "0123456789" if len(code) < MAX_CODE else "":
            rows.setdefault(code + digit, row._replace(code=code + digit))
    return Destinations(rows)


def _median_us(read: Read, texts: Sequence[str]) -> float:
    clock = time.perf_counter_ns
    gc.collect()
    spent = []
    for text in texts:
        begin = clock()
        read(text)
        spent.append(clock() - begin)
    return median(spent) / 1e3


def _explain(
    folder: Path, mix: Sequence[str], rounds: int
) -> tuple[list[Sequence[str]], dict[str, object]]:
    """Run `ringfence explain -` on many lines; and the same with ten times the rules."""
    empty = folder / "empty.toml"
    empty.touch()
    asked = folder / "numbers.txt"
    asked.write_text("".join(f"{mix[at % len(mix)]}\n" for at in range(LINES)))
    table: list[Sequence[str]] = [
        ("ringfence explain -", "lines/s", "lines a second of CPU")
    ]
    record: dict[str, object] = {}
    for name, options in (("text", []), ("--json", ["--json"])):
        runs = [_lines(folder, empty, asked, options) for _ in range(rounds)]
        wall, cpu = (
            Series.of(LINES / spent for spent in of) for of in zip(*runs, strict=True)
        )
        table.append((name, wall.text(), cpu.text()))
        record[f"explain {name}"] = {"wall": wall.record(), "cpu": cpu.record()}
    settings = assemble(parse_config("", "defaults"))
    rules = list(settings.rules.rules)
    for name, count in (("in memory", 1), ("in memory, ten times the rules", 10)):
        made = Explainer(settings._replace(rules=RuleSet(rules * count)))
        series = Series.of(1e6 / _median_us(made.explain, mix) for _ in range(rounds))
        table.append((name, "", series.text()))
        record[f"explain {name}"] = series.record()
    return table, record


def _lines(
    folder: Path, config: Path, asked: Path, options: list[str]
) -> tuple[float, float]:
    """Return the seconds that one run took, and those of CPU."""
    command = [*processes.agent_command(), "explain", "--config", str(config)]
    told = folder / "explained"
    before = _cpu_of_children()
    with asked.open("rb") as source, told.open("wb") as sink:
        begin = time.monotonic()
        process = processes.start(
            [*command, *options, "-"], folder, stdin=source.fileno(), stdout=sink
        )
        try:
            status = process.wait(_PATIENCE)
            wall = time.monotonic() - begin
        finally:
            processes.end(process)
    if status != 0:
        raise RuntimeError(f"ringfence explain ended with {status}, see above")
    return wall, _cpu_of_children() - before


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sizes(rules: Path) -> tuple[list[Sequence[str]], dict[str, object]]:
    table: list[Sequence[str]] = [("in memory", "bytes", "rows")]
    record: dict[str, object] = {}
    loads: dict[str, Callable[[], object]] = {
        "destinations": lambda: load_destinations(rules),
        "dial plan jp": lambda: load_dialplan(rules, "jp"),
    }
    for name, load in loads.items():
        load()
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        held = load()
        gc.collect()
        size = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        rows = f"{len(held):,}" if isinstance(held, Destinations) else ""
        table.append((name, f"{size:,}", rows))
        record[f"bytes of {name}"] = size
    return table, record
