"""The biggest parts of a start, as a table: what footprint.py noted, added up."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench import processes
from bench.figures import Part
from bench.link import Link

_SHOWN: Final = 14
"""Modules listed; the rest are small and in the sums."""


def measure(folder: Path) -> Part:
    """Start the agent twice, the second time with bytecode and table at hand."""
    config, target = folder / "empty.toml", folder / "footprint.json"
    config.touch()
    # Imported, not run as a script: that would be compiled at each start.
    program = "import sys; from bench.footprint import main; sys.exit(main())"
    command = [sys.executable, "-c", program, str(config), str(target)]
    with Link() as link:
        for _ in range(2):
            process = processes.start(
                command, folder, link.near, stdout=subprocess.DEVNULL
            )
            try:
                status = process.wait(60)
            finally:
                processes.end(process)
            if status != 0:
                raise RuntimeError("footprint.py failed, see above")
    found: dict[str, Any] = json.loads(target.read_text())

    sums: dict[str, list[float]] = {}
    for name, own, _, _ in found["imports"]:
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            top = "standard library"
        entry = sums.setdefault(f"import: {top}", [0.0, 0.0])
        entry[0] += 1
        entry[1] += own
    rows: list[Sequence[str]] = [("resident memory at start", "KiB", "modules")]
    rows.append(("bare interpreter", f"{found['start_kib']:,.0f}", ""))
    for name, (modules, own) in sorted(sums.items(), key=lambda item: -item[1][1]):
        rows.append((name, f"{own:,.0f}", f"{modules:.0f}"))
    rest = found["ready_kib"] - found["imported_kib"]
    rows.append(("reading rules and tables, binding the queue", f"{rest:,.0f}", ""))
    rows.append(("ready", f"{found['ready_kib']:,.0f}", ""))

    biggest: list[Sequence[str]] = [("module", "own KiB", "with imports", "ms")]
    ranked = sorted(found["imports"], key=lambda cost: -cost[1])
    biggest += [_row(cost) for cost in ranked[:_SHOWN]]
    steps: list[Sequence[str]] = [("step", "own KiB", "with steps within", "ms")]
    steps += [_row(cost) for cost in found["steps"]]
    notes = ["One start; each figure is what resident memory grew by meanwhile."]
    return Part("What a start costs", notes, [rows, biggest, steps], found)


def _row(cost: Sequence[Any]) -> Sequence[str]:
    name, own, whole, wall = cost
    return (name, f"{own:,.0f}", f"{whole:,.0f}", f"{wall:.1f}")
