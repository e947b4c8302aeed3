"""Results as text and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from router.trial import Result

Results = Mapping[str, Sequence[Result]]


def claims_table(results: Results) -> str:
    """Show each claim and what came of it on each machine."""
    machines = list(results)
    names: dict[str, None] = {}
    for found in results.values():
        names |= {result.claim: None for result in found}
    width = max(map(len, names), default=0)
    lines = ["  ".join([f"{'claim':<{width}}", *(f"{name:>8}" for name in machines)])]
    for name in names:
        cells = []
        for machine in machines:
            found_one = [one for one in results[machine] if one.claim == name]
            word = "-" if not found_one else "ok" if found_one[-1].ok else "FAIL"
            cells.append(f"{word:>8}")
        lines.append("  ".join([f"{name:<{width}}", *cells]))
    return "\n".join(lines)


def memory(results: Sequence[Result]) -> dict[str, int]:
    """Return the memory figures of one machine, kB."""
    figures: dict[str, dict[str, Any]] = {
        result.claim: result.figures for result in results if result.ok
    }
    ready = figures.get("memory_at_ready", {})
    later = figures.get("memory_after_messages", {})
    found = {
        "total": ready.get("total"),
        "available_before": ready.get("available_before"),
        "available_ready": ready.get("available"),
        "rss_ready": ready.get("rss"),
        "pss_ready": ready.get("pss"),
        "anonymous_ready": ready.get("anonymous"),
        "messages": later.get("messages"),
        "rss_after": later.get("rss"),
        "pss_after": later.get("pss"),
        "anonymous_after": later.get("anonymous"),
        "available_after": later.get("available"),
    }
    return {name: value for name, value in found.items() if value is not None}


def memory_table(results: Results) -> str:
    """Show the memory of every machine, kB."""
    machines = list(results)
    figures = {machine: memory(found) for machine, found in results.items()}
    names: dict[str, None] = {}
    for found in figures.values():
        names |= dict.fromkeys(found)
    lines = ["  ".join([f"{'memory, kB':<18}", *(f"{name:>8}" for name in machines)])]
    for name in names:
        cells = [f"{figures[machine].get(name, '-'):>8}" for machine in machines]
        lines.append("  ".join([f"{name:<18}", *cells]))
    return "\n".join(lines)


def as_json(results: Results, seconds: Mapping[str, object]) -> dict[str, object]:
    """Return everything, to be kept."""
    return {
        "machines": {
            machine: {
                "claims": [result._asdict() for result in found],
                "memory_kb": memory(found),
            }
            for machine, found in results.items()
        },
        "seconds": seconds,
    }
