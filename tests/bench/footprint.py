"""What a start of the agent costs, import by import and step by step.

For a process of its own, in a namespace: `main` starts the agent up to `ready`, leaves
again, and writes one JSON object. This module imports next to nothing, so that the
agent's imports are seen as the agent pays for them.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False  # typing itself is one of the agent's heavier imports
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_PAGE = os.sysconf("SC_PAGE_SIZE")

Cost = tuple[str, float, float, float]
"""Name; growth of resident memory by itself and with all within it, KiB; ms."""


class _Meter:
    """Notes what calls cost; calls within calls are told apart."""

    def __init__(self) -> None:
        self._statm = os.open("/proc/self/statm", os.O_RDONLY)
        self.start = self.rss()
        self.costs: list[Cost] = []
        self._within = [0.0]

    def rss(self) -> float:
        """Return this process's resident memory in KiB."""
        return int(os.pread(self._statm, 128, 0).split()[1]) * _PAGE / 1024

    def call(
        self, name: str, function: Callable[..., Any], *args: Any, **kw: Any
    ) -> Any:
        before, begin = self.rss(), time.perf_counter()
        self._within.append(0.0)
        try:
            return function(*args, **kw)
        finally:
            whole, wall = self.rss() - before, time.perf_counter() - begin
            own = whole - self._within.pop()
            self._within[-1] += whole
            self.costs.append((name, own, whole, wall * 1e3))

    def watch(self, owner: Any, name: str) -> None:
        """Note every call of `owner.name` from now on."""
        function = getattr(owner, name)
        setattr(owner, name, lambda *args, **kw: self.call(name, function, *args, **kw))

    def watch_imports(self) -> None:
        """Note every module that is loaded from now on."""
        # The one function that both `import` and importlib end in.
        machinery: Any = sys.modules["_frozen_importlib"]
        load: Callable[[Any], ModuleType] = machinery._load_unlocked
        machinery._load_unlocked = lambda spec: self.call(spec.name, load, spec)


def main() -> int:
    """Start the agent, note the costs, write them; arguments are two paths.

    The first is the configuration, the second the report.
    """
    config, target = sys.argv[1:]
    meter = _Meter()
    meter.watch_imports()
    import ringfence.cli
    import ringfence.daemon as daemon

    imports, meter.costs = meter.costs, []
    imported = meter.rss()
    assemble: Any = sys.modules["ringfence.config.assemble"]
    control: Any = sys.modules["ringfence.netfilter.control"]
    for step in ("load_rules", "open_country_table", "load_dialplan"):
        meter.watch(assemble, step)
    meter.watch(assemble, "load_destinations")
    for step in ("read_config", "assemble", "Queue"):
        meter.watch(daemon, step)
    meter.watch(control.Control, "install")
    done: list[tuple[float, list[Cost]]] = []

    def ready(*args: object) -> None:
        done.append((meter.rss(), list(meter.costs)))

    setattr(daemon.Daemon, "_loop", ready)  # noqa: B010 - mypy: not an assignment
    status = ringfence.cli.main(["run", "--config", config])
    if status == 0:
        import json

        at_ready, steps = done[0]
        record = {
            "start_kib": meter.start,
            "imported_kib": imported,
            "ready_kib": at_ready,
            "imports": imports,
            "steps": steps,
        }
        with open(target, "w", encoding="utf-8") as file:
            json.dump(record, file)
    return status
