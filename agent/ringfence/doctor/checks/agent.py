"""Checks of the agent: its configuration, whether it runs, and what it lost."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ringfence.doctor.finding import FINE, NOTE, PROBLEM, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import Readings, Unread
from ringfence.doctor.remedies import configure, install, restart, start

LONGEST: Final = 65_535
"""Packets: the most that kernel.queue_length can be."""

MOST_LINES: Final = 10_000
"""The most that log.max_per_second can be."""

OLDEST: Final = (3, 11)
"""Python: the first with a reader of TOML."""


def running(readings: Readings) -> Mapping[str, Any] | None:
    """Return what the agent says of itself; None where none runs or nobody knows."""
    return None if isinstance(readings.agent, Unread) else readings.agent


def versions(readings: Readings) -> Iterator[Finding]:
    """Name Python's and our version; Python has to be new enough."""
    machine = readings.machine
    python = ".".join(map(str, machine.python))
    what = f"ringfence {machine.agent}, Python {python}, {machine.system}"
    if machine.python < OLDEST:
        yield Finding(
            "versions",
            PROBLEM,
            what,
            f"ringfence needs Python {OLDEST[0]}.{OLDEST[1]} or later.",
            install(machine, "python"),
        )
    else:
        yield Finding("versions", FINE, what)
    if not machine.root:
        yield Finding(
            "versions",
            UNKNOWN,
            "this is not root: what only root may see is left out",
            "The kernel's rules, the agent and the live probe answer to root alone.",
            ("sudo ringfence doctor",),
        )


def configuration(readings: Readings) -> Iterator[Finding]:
    """Tell every error of the configuration, and who may change it."""
    path = readings.configured.path
    problems = readings.configured.problems
    if problems:
        yield Finding(
            "configuration",
            PROBLEM,
            "the configuration has errors:\n" + "\n".join(problems),
            "An agent does not start with it, and a running one does not take it up; "
            "the rest of this report is about the defaults.",
            configure(readings, "mend what is named above")[:2],
        )
    elif path is None:
        yield Finding(
            "configuration", NOTE, "there is no configuration file; all is as built in"
        )
    else:
        yield Finding("configuration", FINE, f"{path} has no error")
    if path is not None and (
        readings.configured.mode & 0o022 or readings.configured.others
    ):
        yield Finding(
            "configuration",
            WARNING,
            f"{path} can be changed by others than root",
            "Whoever can change it can switch the protection off.",
            (f"chown root {path}; chmod 644 {path}",),
        )


def agent(readings: Readings) -> Iterator[Finding]:
    """Tell whether an agent runs, on which rules, and whether it stops anything."""
    found = readings.agent
    if isinstance(found, Unread):
        yield Finding(
            "agent", UNKNOWN, f"whether an agent runs is not known: {found.why}"
        )
        return
    if found is None:
        yield Finding(
            "agent",
            PROBLEM,
            "no agent runs",
            "Nothing is judged; but for bans and what the kernel drops alone, all "
            "passes.",
            start(readings.machine),
        )
        return
    used = found.get("rules_from") or {}
    named = (
        f"version {used['version']} of epoch {used['epoch']} ({used['source']})"
        if "version" in used
        else f"{used.get('source', 'unknown')} ones"
    )
    what = (
        f"an agent runs since {found.get('uptime_s')} s (pid {found.get('pid')}), "
        f"rules: {named}, {found.get('statement')}, read by {found.get('binding')}"
    )
    yield Finding("agent", FINE, what)
    errors = found.get("internal_errors", 0)
    if errors:
        yield Finding(
            "agent",
            WARNING,
            f"the agent met {errors} packets that it could not judge for a flaw of its "
            "own",
            "They went the way that policy.internal_error says.",
            ("# please report the `internal-error` lines of the log",),
        )


def mode(readings: Readings) -> Iterator[Finding]:
    """Say it when nothing is stopped by intention."""
    found = running(readings)
    said = readings.config.mode if found is None else found.get("mode")
    if said == "monitor":
        yield Finding(
            "mode",
            NOTE,
            'mode is "monitor": the agent judges and logs, and stops nothing',
            "Attacks are written down and let through.",
            configure(readings, 'mode = "enforce"'),
        )
    elif found is not None and said != readings.config.mode:
        yield Finding(
            "mode",
            WARNING,
            f'the agent runs in mode "{said}", the configuration says '
            f'"{readings.config.mode}"',
            "The file was changed and not taken up.",
            restart(readings.machine),
        )
    elif readings.config.numbers_profile == "watch":
        yield Finding(
            "mode",
            NOTE,
            'numbers.profile is "watch": calls to blocked numbers are logged, and pass',
            "Stolen accounts can dial anywhere.",
            configure(readings, 'numbers.profile = "office"'),
        )
    else:
        yield Finding("mode", FINE, f'mode is "{said}"')


def unheard(readings: Readings) -> Iterator[Finding]:
    """Tell packets that passed, or were lost, without anybody's verdict."""
    found, counted = running(readings), readings.counters
    if isinstance(counted, Unread):
        yield Finding("unheard", UNKNOWN, f"the counters are not known: {counted.why}")
        return
    passed = (counted or {}).get("unheard", 0)
    if found is None:
        if counted is None:
            return  # `table` has said so
        yield Finding(
            "unheard",
            WARNING if passed else NOTE,
            f"our rules are in the kernel without an agent; {passed} packets passed "
            "without a verdict",
            "An agent was killed, or did not start.",
            start(readings.machine),
        )
        return
    before = found.get("unheard_before", 0) + found.get("lost_before", 0)
    if before:
        yield Finding(
            "unheard",
            NOTE,
            f"{before} packets came while no agent listened, before this one started",
            "policy.no_listener says what becomes of them: "
            f"{found.get('no_listener_policy')}.",
        )
    else:
        yield Finding("unheard", FINE, "no packet came while no agent listened")


def losses(readings: Readings) -> Iterator[Finding]:
    """Tell packets that found the queue full."""
    found = running(readings)
    if found is None:
        return
    queue = found.get("kernel_queue") or {}
    counted = readings.counters
    after = 0
    if isinstance(counted, Mapping):
        # Since this agent started, by the same mark as without an agent.
        after = max(0, counted.get("unheard", 0) - found.get("unheard_before", 0))
    full = queue.get("full", 0) + after
    unsent = queue.get("unsent", 0)
    if full or unsent:
        policy = found.get("queue_full_policy")
        yield Finding(
            "losses",
            WARNING,
            f"{full} packets found the queue full, {unsent} did not fit into the "
            f"agent's socket (policy: {policy})",
            "More came than this machine can judge: a flood, or a busy machine.",
            (
                "ringfence status",
                *_longer(readings),
            ),
        )
    else:
        yield Finding("losses", FINE, "no packet found the queue full")


def _longer(readings: Readings) -> tuple[str, ...]:
    length = min(4 * readings.config.kernel_queue_length, LONGEST)
    if length == readings.config.kernel_queue_length:
        return ("# the queue is as long as it can be",)
    return configure(readings, f"[kernel] queue_length = {length}")


def _more_lines(readings: Readings) -> int:
    return min(5 * readings.config.log_max_per_second, MOST_LINES)


def log(readings: Readings) -> Iterator[Finding]:
    """Tell what is missing in the log."""
    found = running(readings)
    if found is None:
        return
    held, lost = found.get("log_suppressed", 0), found.get("log_unwritten", 0)
    if lost:
        yield Finding(
            "log",
            WARNING,
            f"{lost} log lines were lost because nobody read them",
            "Whoever reads the log does not see all that was stopped.",
            restart(readings.machine),
        )
    elif held:
        yield Finding(
            "log",
            NOTE,
            f"{held} decisions are not in the log: more came than log.max_per_second",
            "The counters of `ringfence status` have them all.",
            configure(readings, f"[log] max_per_second = {_more_lines(readings)}"),
        )
    else:
        yield Finding("log", FINE, "every decision is in the log")
