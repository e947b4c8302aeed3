"""Checks of what other programs do to the same packets: marks and queues."""

from collections.abc import Iterator
from typing import Any

from ringfence.doctor.checks.agent import running
from ringfence.doctor.checks.order import steps
from ringfence.doctor.finding import FINE, NOTE, PROBLEM, UNKNOWN, WARNING, Finding
from ringfence.doctor.matching import ALL
from ringfence.doctor.readings import QueueLine, Readings, Unread
from ringfence.doctor.remedies import configure
from ringfence.doctor.ruleset import Rule, Ruleset
from ringfence.netfilter.nft import HOOKS, TABLE
from ringfence.netfilter.xtables import CHAIN

_FIRST = 5_070
"""The first queue that is proposed in place of ours."""

_ELSEWHERE = 40_000
"""A port of no service, for the other end of a flow."""


def marks(readings: Readings) -> Iterator[Finding]:
    """Look for others that use our four bits of the packet mark."""
    ours = readings.config.kernel_mark
    used, torn = _users(readings, ours)
    if torn:
        yield Finding(
            "marks",
            PROBLEM,
            f"between our steps others write into our bits of the mark (0x{ours:08x}):\n"
            + "\n".join(torn),
            "The verdict travels in those bits: what should be dropped passes.",
            (
                f"# give them a priority below {steps(readings)[0]}, or have them leave "
                "our bits as they are:",
                f"# meta mark set meta mark & 0x{ours:08x} | VALUE",
            ),
        )
    if used:
        yield Finding(
            "marks",
            PROBLEM,
            f"others use our bits of the mark (0x{ours:08x}):\n" + "\n".join(used),
            "Their packets are taken for judged ones, and may be dropped; ours may be "
            "routed elsewhere.",
            _free(readings),
        )
    unread = [
        f"{name}: {reading.why}"
        for name, reading in (
            ("the kernel's rules", readings.ruleset),
            ("iptables", readings.saved),
            ("ip rule", readings.ip_rules),
        )
        if isinstance(reading, Unread)
    ]
    if unread:
        yield Finding("marks", UNKNOWN, "not seen: " + "; ".join(unread))
    elif not torn and not used:
        yield Finding("marks", FINE, f"nobody else uses 0x{ours:08x} of the mark")


def _free(readings: Readings) -> tuple[str, ...]:
    """Name four bits that nobody here uses, if there are any."""
    for shift in range(28, -1, -4):
        bits = 0xF << shift
        if not any(_users(readings, bits)):
            return configure(readings, f"[kernel] mark = 0x{bits:08x}")
    return ("# no four bits are free: narrow what the others use",)


def _users(readings: Readings, ours: int) -> tuple[list[str], list[str]]:
    """Name who uses bits of the mark, and who writes into them between our steps."""
    used: dict[str, None] = {}
    torn: dict[str, None] = {}
    if not isinstance(readings.ruleset, Unread):
        _nft_marks(readings, readings.ruleset, ours, used, torn)
    if not isinstance(readings.saved, Unread):
        for saved in readings.saved:
            if _ours(saved.text):
                continue
            written = saved.writes()
            if written is not None and saved.table == "security" and written[0] & ours:
                torn[saved.label] = None
            elif any(_shares(*pair, ours) for pair in saved.uses()) or (
                written is not None and _sets(*written, ours)
            ):
                used[saved.label] = None
    if not isinstance(readings.ip_rules, Unread):
        for mask, value, text in readings.ip_rules:
            if _shares(mask, value, ours):
                used[f"ip rule: {text}"] = None
    return list(used), list(torn)


def _nft_marks(
    readings: Readings,
    rules: Ruleset,
    ours: int,
    used: dict[str, None],
    torn: dict[str, None],
) -> None:
    inspect, _, enforce = steps(readings)
    for chain in rules.hooked(*HOOKS, but=TABLE):
        if inspect <= chain.priority <= enforce:
            for rule in rules.reached(chain):
                if any(changed & ours for changed, _ in rule.writes("meta")):
                    torn[rule.label] = None
    for rule in rules.rules:
        if rule.chain.table == TABLE or rule.label in torn or _ours_by_nft(rule):
            continue
        if any(_shares(*pair, ours) for pair in rule.uses("meta")) or any(
            _sets(*pair, ours) for pair in rule.writes("meta")
        ):
            used[rule.label] = None


def _ours_by_nft(rule: Rule) -> bool:
    """Tell whether a rule is ours, in the table that iptables-nft keeps."""
    return (rule.chain.table, rule.chain.name) == ("security", CHAIN)


def _ours(text: str) -> bool:
    return text.startswith(f"-A {CHAIN} ")


def _shares(mask: int, value: int, ours: int) -> bool:
    """Tell whether a comparison looks at our bits on purpose.

    One of the whole mark with a value that has none of ours does not mean them.
    """
    return bool(mask & ours) if mask != ALL else bool(value & ours) and value != ALL


def _sets(changed: int, set_bits: int, ours: int) -> bool:
    """Tell whether our bits may be set by what somebody writes.

    Nobody knows what is brought back from the connection's mark: its own bits.
    """
    if set_bits == ALL:
        return False
    return bool(set_bits & ours) or (changed != ALL and bool(changed & ours))


def queues(readings: Readings) -> Iterator[Finding]:
    """Look for other rules that queue, and for who has our queue."""
    number = readings.config.kernel_queue
    found = [*_queue_rules(readings, number), *_queue_owners(readings, number)]
    yield from found or [Finding("queues", FINE, f"queue {number} is ours alone")]


def _queue_rules(readings: Readings, number: int) -> Iterator[Finding]:
    same, beside = [], []
    if isinstance(readings.ruleset, Unread):
        yield Finding(
            "queues", UNKNOWN, f"other rules are not known: {readings.ruleset.why}"
        )
    else:
        for rule in readings.ruleset.rules:
            if rule.chain.table == TABLE:
                continue
            for queue in rule.statements("queue"):
                first, last = _numbers(queue)
                if first <= number <= last:
                    same.append(rule.label)
                elif _may_be_sip(readings, rule):
                    beside.append(f"{rule.label} (queue {first})")
    if not isinstance(readings.saved, Unread):
        for saved in readings.saved:
            queued = saved.queues()
            if queued is None or _ours(saved.text):
                continue
            if queued[0] <= number <= queued[1]:
                same.append(saved.label)
            elif saved.may_take(readings.config.network_sip_ports):
                beside.append(saved.label)
    if same:
        yield Finding(
            "queues",
            PROBLEM,
            f"others queue packets to our queue {number}:\n" + "\n".join(same),
            "The agent gets packets that are not meant for it, and gives them back "
            "without the other program's verdict.",
            _other_queue(readings),
        )
    if beside:
        yield Finding(
            "queues",
            WARNING,
            "others queue packets of the SIP ports, too:\n" + "\n".join(beside),
            "Each packet waits twice, and is lost where the other program is not "
            "running and its rule has no bypass; the other may give it another mark.",
            ("nft -a list ruleset", "iptables-save | grep NFQUEUE"),
        )


def _other_queue(readings: Readings) -> tuple[str, ...]:
    """Return how another queue is taken, one that nobody has bound."""
    lines = () if isinstance(readings.queues, Unread) else readings.queues
    bound = {line.number for line in lines} | {readings.config.kernel_queue}
    free = next(number for number in range(_FIRST, 65_536) if number not in bound)
    said = f"[kernel] queue = {free} (that no rule names)"
    return configure(readings, said, anew=True)


def _numbers(queue: Any) -> tuple[int, int]:
    number = queue.get("num", 0) if isinstance(queue, dict) else 0
    if isinstance(number, dict) and isinstance(number.get("range"), list):
        return number["range"][0], number["range"][1]
    return (number, number) if isinstance(number, int) else (0, 65_535)


def _may_be_sip(readings: Readings, rule: Rule) -> bool:
    return any(
        rule.takes(transport, sport, dport) is not False
        for transport, sport, dport in flows(readings)
    )


def flows(readings: Readings) -> Iterator[tuple[str, int, int]]:
    """Yield packets of SIP, there and back."""
    for port in sorted(readings.config.network_sip_ports):
        for transport in ("udp", "tcp"):
            yield transport, _ELSEWHERE, port
            yield transport, port, _ELSEWHERE


def _queue_owners(readings: Readings, number: int) -> Iterator[Finding]:
    agent, lines = running(readings), readings.queues
    if isinstance(lines, Unread):
        if agent is not None:
            yield Finding("queues", UNKNOWN, f"who listens is not known: {lines.why}")
        return
    ours = next((line for line in lines if line.number == number), None)
    pid = None if agent is None else agent.get("pid")
    if agent is not None and ours is None:
        yield Finding(
            "queues",
            PROBLEM,
            f"nobody listens on queue {number} although an agent runs",
            "Packets pass, or are dropped, without a verdict.",
            ("cat /proc/net/netfilter/nfnetlink_queue",),
        )
    elif ours is not None and isinstance(readings.agent, Unread):
        yield Finding(
            "queues",
            UNKNOWN,
            f"whether {_who(ours)}, which listens on queue {number}, is the agent is "
            f"not known: {readings.agent.why}",
        )
    elif ours is not None and ours.pid is not None and ours.pid != pid:
        yield Finding(
            "queues",
            PROBLEM,
            f"queue {number} belongs to {_who(ours)}"
            + ("" if agent is None else f", and not to the agent (pid {pid})"),
            "A queue has one listener; ours cannot be it.",
            _other_queue(readings),
        )
    others = [line for line in lines if line.number != number]
    if others:
        named = ", ".join(f"{line.number} ({_who(line)})" for line in others)
        yield Finding(
            "queues",
            NOTE,
            f"other programs listen on queues: {named}",
            "What they drop never gets to us, or never comes out.",
        )


def _who(line: QueueLine) -> str:
    if line.pid is None:
        return "a program that cannot be found"
    return f"{line.name or 'a program'}, pid {line.pid}"
