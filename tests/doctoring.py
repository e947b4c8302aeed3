"""Readings for tests: a machine on which all is well, and how to spoil it."""

import json
from collections.abc import Iterable
from typing import Any, Final

from ringfence.config import Config, parse_config
from ringfence.doctor.checks import CHECKS
from ringfence.doctor.finding import Finding
from ringfence.doctor.readings import (
    Bundle,
    Clock,
    Configured,
    Disk,
    Keys,
    Machine,
    Memory,
    Notify,
    Probe,
    QueueLine,
    Readings,
    Stored,
)
from ringfence.doctor.ruleset import Chain, Rule, Ruleset, parse_ruleset
from ringfence.netfilter.nft import TABLE, base_chains

NOW: Final = 1_795_320_000
DAY: Final = 86_400
PID: Final = 77

AGENT: Final[dict[str, Any]] = {
    "mode": "enforce",
    "pid": PID,
    "uptime_s": 3_600,
    "statement": "nft queue",
    "binding": "netlink",
    "wan": ["eth0"],
    "no_listener_policy": "accept",
    "queue_full_policy": "accept",
    "rules_from": {
        "source": "a",
        "epoch": 1,
        "version": 42,
        "digest": "00",
        "problems": [],
    },
    "internal_errors": 0,
    "log_suppressed": 0,
    "log_unwritten": 0,
    "unheard_before": 0,
    "lost_before": 0,
    "kernel_queue": {"waiting": 0, "full": 0, "unsent": 0},
    "exposure": {
        "watching_since": NOW - 40 * DAY,
        "days_watched": 30,
        "stranger_last": None,
        "strangers_30d": 0,
        "honest_outside_last": None,
    },
}

OPENWRT: Final = Machine("openwrt", "opkg", "fw4", True, (3, 11), "0.1.0")
APK: Final = OPENWRT._replace(packages="apk")
DEBIAN: Final = Machine("debian", "apt", "", True, (3, 11), "0.1.0")


def agent(**changes: Any) -> dict[str, Any]:
    """Return what an agent says of itself."""
    return {**AGENT, **changes}


def config(text: str) -> Configured:
    """Return a configuration as read from a file."""
    return Configured("/etc/ringfence/ringfence.toml", parse_config(text, "test"))


def settings(text: str) -> Config:
    return parse_config(text, "test")


def counting(**packets: int) -> Ruleset:
    """Return our table with counters."""
    where = {"family": "inet", "table": TABLE}
    return ruleset(
        {"counter": {**where, "name": name, "packets": count, "bytes": 0}}
        for name, count in packets.items()
    )


def ours(*, native_queue: bool = True) -> list[dict[str, Any]]:
    """Return our table as nft shows it, by its hooks."""
    items: list[dict[str, Any]] = [{"table": {"family": "inet", "name": TABLE}}]
    for name, (hook, priority) in base_chains(native_queue=native_queue).items():
        items += chain(name, hook, priority, [{"jump": {"target": "x"}}], table=TABLE)
    return items


def chain(
    name: str,
    hook: str,
    priority: int,
    *rules: list[Any],
    table: str = "fw4",
    family: str = "inet",
    policy: str = "accept",
    kind: str = "filter",
) -> list[dict[str, Any]]:
    """Return a chain with rules, each a list of statements; no hook for ""."""
    where = {"family": family, "table": table}
    said: dict[str, Any] = {**where, "name": name}
    if hook:
        said |= {"hook": hook, "prio": priority, "type": kind, "policy": policy}
    return [
        {"chain": said},
        *(
            {"rule": {**where, "chain": name, "handle": number, "expr": rule}}
            for number, rule in enumerate(rules, 1)
        ),
    ]


def ruleset(*items: Iterable[dict[str, Any]], own: bool = True) -> Ruleset:
    """Return a ruleset of such chains; with our table unless told otherwise."""
    whole = ours() if own else []
    whole += [item for some in items for item in some]
    return parse_ruleset(json.dumps({"nftables": whole}))


def rule(*statements: Any) -> Rule:
    """Return one rule in a chain of somebody else."""
    return Rule(Chain("inet", "fw4", "forward"), 1, statements)


def mark(mask: int, value: Any, which: str = "meta") -> dict[str, Any]:
    """Compare the mark."""
    left: dict[str, Any] = {which: {"key": "mark"}}
    if mask != 0xFFFFFFFF:
        left = {"&": [left, mask]}
    return {"match": {"op": "==", "left": left, "right": value}}


def set_mark(value: Any) -> dict[str, Any]:
    """Write the mark."""
    return {"mangle": {"key": {"meta": {"key": "mark"}}, "value": value}}


def port(
    field: str, right: Any, protocol: str = "udp", op: str = "=="
) -> dict[str, Any]:
    """Compare a port."""
    left = {"payload": {"protocol": protocol, "field": field}}
    return {"match": {"op": op, "left": left, "right": right}}


BOTH: Final = {
    "match": {
        "op": "==",
        "left": {"meta": {"key": "l4proto"}},
        "right": {"set": ["tcp", "udp"]},
    }
}
CONFIRMED: Final = {
    "match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "confirmed"}
}
FLOW: Final = {"flow": {"op": "add", "flowtable": "@ft"}}
FLOWTABLE: Final = {
    "flowtable": {
        "family": "inet",
        "table": "fw4",
        "name": "ft",
        "handle": 3,
        "hook": "ingress",
        "prio": 0,
        "dev": ["lan", "wan"],
    }
}

HEALTHY: Final = Readings(
    machine=OPENWRT,
    configured=config(""),
    agent=AGENT,
    nft="1.0.6",
    queue_statement=True,
    xtables=True,
    features={},
    ruleset=ruleset(),
    saved=(),
    ip_rules=(),
    queues=(QueueLine(5060, PID, "python3"),),
    modules=frozenset({"nf_conntrack"}),
    clock=Clock(NOW, NOW - 100 * DAY, True),
    memory=Memory(100 << 20, 128 << 20, 12 << 20),
    disk=Disk("/etc/ringfence/rules", 8 << 20, False, 700 << 10),
    keys=Keys("/usr/share/ringfence/keys", 2),
    stored=Stored(
        (Bundle("a", "1.42", NOW - 10 * DAY, NOW + 170 * DAY),), "a", None, ()
    ),
    default_routes=("eth0",),
    interfaces=frozenset({"lo", "eth0", "br-lan"}),
    udp_ports=frozenset({5060}),
    tcp_ports=frozenset({5060}),
    notify=Notify(),
    probe=Probe(("output", "input", "forward")),
)
"""An OpenWrt router on which all is well."""


def found(check: str, readings: Readings = HEALTHY, **changes: Any) -> list[Finding]:
    """Run one check on readings with some replaced."""
    findings = list(CHECKS[check](readings._replace(**changes)))
    assert {one.id for one in findings} <= {check}
    return findings


def one(check: str, readings: Readings = HEALTHY, **changes: Any) -> Finding:
    """Run a check that has one thing to say."""
    (only,) = found(check, readings, **changes)
    return only


def states(check: str, readings: Readings = HEALTHY, **changes: Any) -> list[str]:
    """Return the states of what a check finds."""
    return [one.state for one in found(check, readings, **changes)]
