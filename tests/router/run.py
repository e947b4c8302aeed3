"""Entry of `make router-test`: routers are made, booted, judged, and thrown away.

    python -m router.run [--arch NAME]... [--keep] [--log DIR] [--package FILE]
                         [--memory MB] [--cuts N]

Two at a time, since each emulated machine takes a processor. Exit code 1 when a claim
does not hold, 3 when this host cannot show it.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from router import payload, root, tables, trial
from router.machines import MACHINES, Machine

DEFAULT: Final = ("amd64", "arm64")
AT_ONCE: Final = 2
SUITE: Final = "bookworm"
_DEBIAN: Final = payload.PROJECT / ".ci/debian"


class Run:
    """What one call of the program makes, in a folder of its own."""

    def __init__(self, folder: Path, log: Path, memory: int, cuts: int) -> None:
        self.memory = memory
        self.cuts = trial.CUTS[:cuts]
        self.folder = folder
        self.log = log
        self.results: dict[str, list[trial.Result]] = {}
        self.seconds: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()

    def say(self, who: str, text: str) -> None:
        """Print, each line with its machine in front."""
        with self._lock:
            for line in text.splitlines():
                sys.stdout.write(f"{who:<7}| {line}\n")
            sys.stdout.flush()
            with (self.log / f"{who}.txt").open("a", encoding="utf-8") as log:
                log.write(text + "\n")

    @contextmanager
    def timed(self, who: str, step: str) -> Iterator[None]:
        """Print how long a step took."""
        begin = time.monotonic()
        yield
        took = time.monotonic() - begin
        self.seconds.setdefault(who, {})[step] = round(took, 1)
        self.say(who, f"-- {step}: {took:.1f} s")

    def router(
        self,
        machine: Machine,
        made: "Future[tuple[Path, payload.Bundles]]",
    ) -> None:
        """Make one router and go through its boots."""
        name = machine.name
        self.results[name] = []
        folder = self.folder / f"root-{name}"
        with self.timed(name, "packages unpacked"):
            sources = sorted((self.folder / "sources").iterdir())
            complete = root.unpack(machine, SUITE, sources, folder)
        if not complete:
            self.say(name, "-- without security updates: apt refused their index")
        with self.timed(name, "root furnished"):
            boot = root.furnish(machine, folder)
        package, bundles = made.result()
        with self.timed(name, "disk made"):
            payload.bring(folder, package, bundles)
            disk = self.folder / f"{name}.ext4"
            root.make_disk(folder, disk)
        console = self.log / f"{name}.console"
        console.unlink(missing_ok=True)
        shown = trial.Trial(
            *(machine, boot, disk, console),
            lambda text: self.say(name, text),
            self.memory,
        )
        self.results[name] = shown.results
        if len(self.cuts) < len(trial.CUTS):
            self.say(name, f"-- power cuts: {len(self.cuts)} of {len(trial.CUTS)} only")
        with self.timed(name, f"{len(self.cuts) + 1} boots"):
            shown.run(self.cuts)
        self.seconds[name] |= shown.seconds


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def install_tools(machines: list[Machine]) -> None:
    """Install what makes and runs these machines, as far as it is not there."""
    packages = [*root.TOOLS, *(machine.emulator_package for machine in machines)]
    subprocess.run(  # noqa: S603
        [_DEBIAN, "install", *dict.fromkeys(packages)], check=True
    )


def main() -> int:
    """Make, boot and judge the machines that are asked for."""
    parser = argparse.ArgumentParser(prog="make router-test", description=__doc__)
    parser.add_argument(
        "--arch", action="append", choices=MACHINES, default=[], metavar="NAME"
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave disks and folders where they are"
    )
    parser.add_argument(
        "--log", type=Path, metavar="DIR", help="keep consoles, results"
    )
    parser.add_argument(
        "--package", type=Path, metavar="FILE", help="a .deb that is built already"
    )
    parser.add_argument(
        "--memory",
        type=int,
        default=0,
        metavar="MB",
        help="in place of a machine's own",
    )
    parser.add_argument(
        "--cuts",
        type=int,
        choices=range(1, len(trial.CUTS) + 1),
        default=len(trial.CUTS),
        help="of the power, for a machine that is too slow for all",
    )
    args = parser.parse_args()
    machines = [MACHINES[name] for name in args.arch or DEFAULT]
    if os.geteuid() != 0:
        sys.stderr.write("router-test: needs root, to unpack foreign packages\n")
        return 3
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    begin = time.monotonic()
    with ExitStack() as cleaning:
        folder = Path(tempfile.mkdtemp(prefix="rf-router-"))
        if not args.keep:
            cleaning.callback(shutil.rmtree, folder, ignore_errors=True)
        log = args.log or folder / "log"
        log.mkdir(parents=True, exist_ok=True)
        for old in log.glob("*.txt"):
            old.unlink()
        run = Run(folder, log, args.memory, args.cuts)
        code = _go(run, machines, args.package)
        seconds: dict[str, object] = {
            **run.seconds,
            "all": round(time.monotonic() - begin, 1),
        }
        (log / "results.json").write_text(
            json.dumps(tables.as_json(run.results, seconds), indent=1) + "\n"
        )
        if args.keep:
            run.say("all", f"kept in {folder}")
    sys.stdout.write(f"\n{tables.claims_table(run.results)}\n")
    sys.stdout.write(f"\n{tables.memory_table(run.results)}\n")
    sys.stdout.write(f"\ntook {time.monotonic() - begin:.0f} s\n")
    return code


def _go(run: Run, machines: list[Machine], package: Path | None) -> int:
    with run.timed("all", "Debian packages installed"):
        install_tools(machines)
        subprocess.run(  # noqa: S603
            [_DEBIAN, "sources", run.folder / "sources", SUITE], check=True
        )

    def make() -> tuple[Path, payload.Bundles]:
        with run.timed("all", "package and bundles made"):
            made = run.folder / "made"
            made.mkdir()
            built = package or payload.build_package(made)
            return built, payload.Bundles(made, trial.versions(len(run.cuts)))

    # Without `with`: an interrupt must not wait for them.
    one, several = ThreadPoolExecutor(1), ThreadPoolExecutor(AT_ONCE)
    made = one.submit(make)
    going = [several.submit(run.router, machine, made) for machine in machines]
    for machine, future in zip(machines, going, strict=True):
        error = future.exception()
        if error is not None:
            run.say(machine.name, f"FAIL {type(error).__name__}: {error}")
            run.results[machine.name].append(
                trial.Result("router_made", False, str(error), {}, 0.0)
            )
    ok = all(one.ok for found in run.results.values() for one in found)
    return 0 if ok and all(run.results.values()) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        # Threads wait for machines; both end with us.
        os._exit(130)
