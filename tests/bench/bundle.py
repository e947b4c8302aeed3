"""A bundle checked and loaded: how long that takes, how much memory, what is in it.

Each figure of time and memory is a process of its own, as the agent would be: what one
step leaves behind must not help the next.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bundles import AGENT, CREATED, EXPIRES, KEY, key_folder
from ringfence.bundle import build, tables
from ringfence.bundle.archive import MOST_BYTES, read_archive
from ringfence.bundle.layout import MANIFEST, SIGNATURE, kind_of

from bench import processes
from bench.figures import Part, Series

STEPS: Final = {
    "nothing, a bare interpreter": "",
    "import what checks": "checker()",
    "verify": "checker().verify(data())",
    "verify and load, table cached": "assembled()",
    "verify and load, table unpacked anew": "assembled()",
    "load the folder of rules, table cached": "assembled_folder()",
}
"""What a process does, by what it is called."""

_PROGRAM: Final = """
import json, sys, time
archive, keys, rules, step = sys.argv[1:]
def checker():
    from pathlib import Path
    from ringfence.bundle.checker import Checker
    from ringfence.bundle.opening import read_keys
    made = Checker(read_keys(Path(keys)), AGENT)
    imported.append(time.perf_counter())
    return made
def data():
    from pathlib import Path
    return Path(archive).read_bytes()
def config():
    from ringfence.config import parse_config
    return parse_config(f"[bundle]\\nkeys = {json.dumps(keys)}\\n", "bench")
def assembled():
    from pathlib import Path
    from ringfence.config import assemble
    return assemble(config(), Path(archive))
def assembled_folder():
    from pathlib import Path
    from ringfence.config import assemble
    return assemble(config(), Path(rules))
imported = []
begin = time.perf_counter()
result = eval(step) if step else None
end = time.perf_counter()
with open("/proc/self/status") as status:
    peak = [int(line.split()[1]) for line in status if line.startswith("VmHWM")][0]
inner = end - imported[0] if imported else None
print(json.dumps({"seconds": end - begin, "inner": inner, "peak": peak * 1024 / 1e6}))
"""


def _run(folder: Path, step: str, archive: Path, keys: Path) -> dict[str, Any]:
    rules = str(tables.find_rules_dir())
    program = _PROGRAM.replace("AGENT", repr(AGENT))
    command = [sys.executable, "-c", program, str(archive), str(keys), rules, step]
    process = processes.start(command, folder)
    try:
        assert process.stdout is not None
        found: dict[str, Any] = json.loads(process.stdout.read())
        if process.wait() != 0:
            raise subprocess.CalledProcessError(process.returncode, command)
        return found
    finally:
        processes.end(process)


def measure(folder: Path, rounds: int) -> Part:
    """Build the default bundle and take it in, over and over."""
    head = build.Head("stable", 1, 1, CREATED, EXPIRES, "0.0.1")
    files = build.collect(tables.find_rules_dir())
    data = build.sign(build.build(files, head), KEY)
    archive = folder / "rules.tar"
    archive.write_bytes(data)
    keys = key_folder(folder / "keys", (1, KEY))

    seconds: dict[str, list[float]] = {name: [] for name in STEPS}
    peaks: dict[str, list[float]] = {name: [] for name in STEPS}
    verified: list[float] = []
    for name in STEPS:  # the first ones read everything from the disk
        _run(folder, STEPS[name], archive, keys)
    for _ in range(rounds):
        for name, step in STEPS.items():
            if "anew" in name:
                _forget(folder)
            found = _run(folder, step, archive, keys)
            seconds[name].append(found["seconds"] * 1e3)
            peaks[name].append(found["peak"])
            if name == "verify":
                verified.append(found["inner"] * 1e3)
    rows: list[Sequence[str]] = [("one bundle, each in a process", "ms", "peak MB")]
    for name in STEPS:
        times = "" if not STEPS[name] else Series.of(seconds[name]).text(1)
        rows.append((name, times, Series.of(peaks[name]).text(1)))
    rows.append(("of `verify`, without imports", Series.of(verified).text(1), ""))
    return Part(
        "Bundles",
        [
            f"{rounds} rounds, in turn; median (lowest to highest). Peak is VmHWM of "
            "/proc/PID/status at the end; MB are 10^6 bytes.",
            f"At most {MOST_BYTES:,} bytes are taken.",
        ],
        [rows, _sizes(data)],
        {
            "seconds": {name: Series.of(ms).record() for name, ms in seconds.items()},
            "peak": {name: Series.of(mb).record() for name, mb in peaks.items()},
            "verify": Series.of(verified).record(),
            "bytes": len(data),
        },
    )


def _forget(folder: Path) -> None:
    """Take away the unpacked table that an earlier process left."""
    for path in (folder / "run").rglob("country-*"):
        path.unlink()


def _sizes(data: bytes) -> list[Sequence[str]]:
    counts: dict[str, list[int]] = {}
    for name, content in read_archive(data).items():
        kind = kind_of(name)
        label = "MANIFEST and signature" if kind is None else kind.name
        assert kind is not None or name in (MANIFEST, SIGNATURE)
        counts.setdefault(label, []).append(len(content))
    rows: list[Sequence[str]] = [("the default bundle", "files", "bytes")]
    rows += [
        (label, str(len(sizes)), f"{sum(sizes):,}") for label, sizes in counts.items()
    ]
    total = sum(map(len, counts.values()))
    return [*rows, ("the archive", str(total), f"{len(data):,}")]
