"""Checks of our table: whether it is there, whole, and where its hooks lie.

What matters of others: what takes packets away between our steps, or writes our bits
of the mark there. An `accept` of another chain ends nothing of ours.
"""

from collections.abc import Iterator
from typing import Final

from ringfence.doctor.checks.agent import running
from ringfence.doctor.finding import FINE, NOTE, PROBLEM, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import Readings, Unread
from ringfence.doctor.remedies import restart, start
from ringfence.doctor.ruleset import Chain, Rule, Ruleset
from ringfence.netfilter.nft import HOOKS, TABLE, base_chains
from ringfence.netfilter.xtables import CHAIN

_FIREWALLS: Final = {"fw4": "OpenWrt's firewall", "firewalld": "firewalld"}
"""By nft table; ufw works through iptables' tables."""


def steps(readings: Readings) -> tuple[int, int, int]:
    """Return the priorities of inspect, of the queue and of enforce."""
    named = base_chains(native_queue=True)
    return tuple(named[f"{step}_input"][1] for step in ("inspect", "queue", "enforce"))  # type: ignore[return-value]


def table(readings: Readings) -> Iterator[Finding]:
    """Ask whether our table is there, with all its hooks."""
    rules, agent = readings.ruleset, running(readings)
    if isinstance(rules, Unread):
        yield Finding(
            "table", UNKNOWN, f"the kernel's rules are not known: {rules.why}"
        )
        return
    there = ("inet", TABLE) in rules.tables
    if not there:
        state = PROBLEM if agent is not None else NOTE
        yield Finding(
            "table",
            state,
            f"the table inet {TABLE} is not in the kernel"
            + (" although an agent runs" if agent is not None else ""),
            "No packet is looked at." if agent is not None else "Nor is an agent.",
            restart(readings.machine) if agent is not None else start(readings.machine),
        )
        return
    wanted = base_chains(native_queue=readings.native_queue)
    ours = {
        chain.name: (chain.hook, chain.priority)
        for chain in rules.chains
        if (chain.family, chain.table) == ("inet", TABLE)
    }
    wrong = [
        f"{name}: expected hook {hook} at {priority}, found "
        + (
            f"hook {ours[name][0] or 'none'} at {ours[name][1]}"
            if name in ours
            else "none"
        )
        for name, (hook, priority) in wanted.items()
        if ours.get(name) != (hook, priority)
    ]
    empty = [
        name
        for name in wanted
        if name in ours and not any(rule.chain.name == name for rule in _own(rules))
    ]
    wrong += [f"{name}: it is hooked and has no rule" for name in empty]
    if not readings.native_queue and not isinstance(readings.saved, Unread):
        wrong += _xtables(readings)
    if (
        wrong
        and agent is None
        and set(ours) <= {"banned", "shield", "shield_prerouting"}
    ):
        yield Finding(
            "table", NOTE, "only the bans of an agent that ended are in force"
        )
    elif wrong:
        yield Finding(
            "table",
            PROBLEM,
            "our rules are not as the agent made them:\n" + "\n".join(wrong),
            "Somebody changed or emptied them; packets may pass without a look.",
            restart(readings.machine),
        )
    else:
        yield Finding(
            "table", FINE, f"the table inet {TABLE} is whole, {len(wanted)} hooks"
        )


def _own(rules: Ruleset) -> list[Rule]:
    return [rule for rule in rules.rules if rule.chain.table == TABLE]


def _xtables(readings: Readings) -> Iterator[str]:
    """Tell what is missing of the queue rule where xtables has it."""
    assert not isinstance(readings.saved, Unread)  # noqa: S101 - tells the type checker
    for program in ("iptables", "ip6tables"):
        texts = {
            rule.text
            for rule in readings.saved
            if (rule.program, rule.table) == (program, "security")
        }
        for hook in HOOKS:
            if f"-A {hook.upper()} -j {CHAIN}" not in texts:
                yield f"{program} -t security: no jump from {hook.upper()} to {CHAIN}"
        number = readings.config.kernel_queue
        if not any(
            text.startswith(f"-A {CHAIN} ") and f"--queue-num {number}" in text
            for text in texts
        ):
            yield f"{program} -t security: {CHAIN} does not queue to {number}"


def order(readings: Readings) -> Iterator[Finding]:
    """Look for chains of others that take packets away between our steps."""
    rules = readings.ruleset
    if isinstance(rules, Unread):
        yield Finding("order", UNKNOWN, f"the order of hooks is not known: {rules.why}")
        return
    found = list(_between(readings, rules))
    yield from found or [
        Finding("order", FINE, "nothing of others takes packets between our steps")
    ]


def _between(readings: Readings, rules: Ruleset) -> Iterator[Finding]:
    inspect, queue, enforce = steps(readings)
    for chain in rules.hooked(*HOOKS, but=TABLE):
        if chain.priority < inspect or not rules.stops(chain):
            continue
        who = _FIREWALLS.get(chain.table, "another program")
        where = (
            f"{chain.label} (hook {chain.hook}, priority {chain.priority}, of {who})"
        )
        if queue <= chain.priority <= enforce:
            yield Finding(
                "order",
                WARNING,
                f"{where} drops packets between our queue and our enforce",
                "What it drops there was judged, but a ban that the verdict asked for "
                "does not come about.",
                _moves(chain, inspect),
            )
        elif chain.priority == inspect:
            yield Finding(
                "order",
                NOTE,
                f"{where} has the priority of our inspect: which is first depends on "
                "who came last",
                "Packets that it drops may be counted as lost by us.",
            )
        else:
            yield Finding(
                "order",
                NOTE,
                f"{where} works behind our inspect",
                "The agent sees, or counts as lost, what the firewall drops afterwards: "
                "attempts that never had a chance.",
                _moves(chain, inspect),
            )


def _moves(chain: Chain, priority: int) -> tuple[str, ...]:
    return (
        f"nft list chain {chain.label}",
        f"# give it a priority below {priority} where it is made",
    )
