"""Entry of `make bench`: all parts, one report, and the same as JSON if asked.

A part that cannot run here (no root, no gcc, no NFQUEUE) is skipped with one line.
"""

import argparse
import json
import os
import platform
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

# Run as a script: its neighbours are `bench.…`.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lab.namespaces import PREFIX
from ringfence.bundle import tables

from bench import (
    bundle,
    calls,
    flood,
    imports,
    live,
    million,
    offline,
    readings,
    startup,
    traffic,
)
from bench.figures import Part, Skipped


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("model name", "Model", "cpu model")):
            return line.partition(":")[2].strip()
    return platform.machine()


def _about() -> dict[str, object]:
    return {
        "command": shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]]),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "cpu": _cpu_model(),
        "kernel": platform.release(),
    }


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run what was asked for; 0 also when parts were skipped."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument(
        "--only",
        choices=(
            *("live", "replay", "start", "flood", "million", "bundle", "numbers"),
            "calls",
        ),
        action="append",
        default=[],
        help="million takes minutes, and only runs when asked for",
    )
    parser.add_argument(
        "--imports", action="store_true", help="add what a start's parts cost"
    )
    parser.add_argument("--rounds", type=int, default=7, help="live rounds")
    parser.add_argument("--packets", type=int, default=8_000, help="in the queue")
    parser.add_argument("--messages", type=int, default=100_000, help="in the capture")
    parser.add_argument("--replays", type=int, default=3, help="replay rounds")
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--flood-seconds", type=float, default=16.0, help="each of 3")
    parser.add_argument("--sources", type=int, default=1_000_000, help="of million")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)

    # By this name the next run, or the lab, clears up after one that was killed.
    stem = f"{PREFIX}{os.getpid()}-bench-"
    begin = time.monotonic()
    about = _about()
    _say("\n".join(f"{name}: {value}" for name, value in about.items()) + "\n")
    results: dict[str, object] = {"about": about}
    with tempfile.TemporaryDirectory(prefix=stem) as name:
        folder = Path(name)
        tables.RUN_DIR = folder / "run" / "ringfence"  # not this machine's
        table = tables.open_country_table(tables.find_rules_dir())
        places = traffic.sources(table)
        parts: dict[str, Callable[[], Part]] = {
            "live": lambda: live.measure(folder, places, args.packets, args.rounds),
            "replay": lambda: offline.measure(
                folder, places, args.messages, args.replays
            ),
            "start": lambda: startup.measure(folder, places, args.starts),
            "bundle": lambda: bundle.measure(folder, args.starts),
            "flood": lambda: flood.measure(folder, args.flood_seconds),
            "numbers": lambda: readings.measure(folder, args.replays),
            "calls": lambda: calls.measure(500, args.rounds),
            "imports": lambda: imports.measure(folder),
            "million": lambda: million.measure(folder, args.sources),
        }
        for key, measure in parts.items():
            wanted = not args.only and key != "million"
            if key == "imports":
                wanted = args.imports
            if not wanted and key not in args.only:
                continue
            try:
                part = measure()
            except Skipped as reason:
                results[key] = {"skipped": str(reason)}
                _say(f"skipped: {key}: {reason}\n")
                continue
            results[key] = part.record
            _say(part.text())
    _say(f"took {time.monotonic() - begin:.0f} s")
    if args.json is not None:
        args.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
