"""What the kernel and the running agent say of themselves, together.

The kernel is asked through nft, the agent by its control socket; either may be
missing, and both are then said to be.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

from ringfence.config import Config
from ringfence.controlsocket import ask
from ringfence.errors import KernelError
from ringfence.netfilter import bans
from ringfence.rules.closes import TOLD

SHOWN: Final = 20
"""Bans that the text shows; `--json` has them all."""

Record = dict[str, object]

_KERNEL: Final = {
    "banned": "from banned sources, dropped",
    "bans": "told the kernel to ban somebody",
    "foreign": "REGISTER from abroad, dropped without the agent",
    "answers": "sent by the agent to end refused calls",
    "sampled": "of those, shown to the agent for the log",
    "unsampled": "of those, dropped since no agent listened",
    "foreign_tls": "from abroad to the TLS ports, dropped",
    "flooded": "beyond the limit of their source, dropped",
    "asked": "handed to the agent",
    "passed": "passed by its verdict",
    "dropped": "dropped by its verdict",
    "rejected": "rejected by its verdict",
    "unheard": "passed without a verdict",
    "untracked": "seen before connection tracking",
}


def status_record(config: Config) -> Record:
    """Return what `status --json` prints; `agent` and `kernel` are None if absent.

    Raises `RingfenceError` when they are there and may not be asked.
    """
    agent = ask(config.control_socket, {"ask": "status"})
    kernel = bans.counters()
    try:
        banned = bans.bans()
    except KernelError:
        if kernel is not None:
            raise
        banned = []
    counted = kernel or {}
    lost = bans.lost(counted, agent)
    shown = agent or {}
    return {
        "type": "status",
        "running": agent is not None,
        "mode": shown.get("mode"),
        "policy": {
            "no_listener": shown.get(
                "no_listener_policy", config.policy_no_listener.word
            ),
            "queue_full": shown.get("queue_full_policy", config.policy_queue_full.word),
        },
        "no_listener": lost["no_listener"],
        "queue_full": lost["queue_full"],
        "agent": agent,
        "kernel": kernel,
        "bans": [entry._asdict() for entry in banned],
    }


def status_text(record: Mapping[str, object]) -> str:
    """Write a status record for a person."""
    agent, kernel, banned = record["agent"], record["kernel"], record["bans"]
    policy = record["policy"]
    assert isinstance(policy, dict)  # noqa: S101 - tells the type checker
    assert isinstance(banned, list)  # noqa: S101
    if isinstance(agent, dict):
        lines = [
            f"agent: runs since {agent['uptime_s']} s (pid {agent['pid']}), mode "
            f"{agent['mode']}, {agent['statement']}, wan "
            f"{', '.join(agent['wan']) or 'not known'}",
            f"  {agent['messages']} messages: {agent['accepted']} accepted, "
            f"{agent['dropped']} dropped, {agent['rejected']} rejected, "
            f"{agent['malformed']} malformed, {agent['internal_errors']} internal "
            "errors",
            f"  {agent['answered']} refused callers answered, {agent['answers_held']} "
            f"not, {agent['answers_failed']} answers failed",
            *_rules(agent.get("rules_from")),
            *_exposure(agent.get("exposure")),
            *calls_lines(agent.get("calls")),
            *_notices(agent.get("notices")),
        ]
    else:
        lines = ["agent: not running"]
    lines += [
        f"packets that met no agent: {record['no_listener']} "
        f"(policy {policy['no_listener']})",
        f"packets that met a full queue: {record['queue_full']} "
        f"(policy {policy['queue_full']})",
    ]
    if isinstance(kernel, dict):
        lines.append("kernel, in packets:")
        lines += [
            f"  {kernel[name]:>10} {what}"
            for name, what in _KERNEL.items()
            if name in kernel
        ]
    else:
        lines.append("kernel: none of our rules there")
    lines.append(f"banned: {len(banned)}")
    lines += [
        f"  {entry['address']:<40} {entry['left_s']} s left of {entry['length_s']}"
        for entry in banned[:SHOWN]
    ]
    if len(banned) > SHOWN:
        lines.append(f"  and {len(banned) - SHOWN} more; --json shows all")
    return "\n".join(lines)


def _exposure(seen: Mapping[str, Any] | None) -> list[str]:
    """Say in a line who reaches the SIP port from outside."""
    if seen is None:
        return []  # an agent of before an update, that runs on
    return [
        f"from outside, of the last 30 days {seen['days_watched']} watched: "
        f"{seen['strangers_30d']} requests of strangers (last "
        f"{_date(seen['stranger_last'])}), a phone signed in last "
        f"{_date(seen['honest_outside_last'])}"
    ]


def calls_lines(seen: Mapping[str, Any] | None) -> list[str]:
    """Say what calls abroad have cost, what of them is closed, and what open."""
    if seen is None:
        return []  # an agent of before an update, that runs on
    spent = ", ".join(
        f"{seen[period]['spent']} this {period}"
        + (f" of {limit}" if (limit := seen[period]["limit"]) else "")
        for period in ("day", "month")
    )
    lines = [f"calls abroad, in {seen['currency']}: {spent}; {seen['running']} running"]
    for one in seen["closed"]:
        left = "until the budget has room"
        if one["left_s"] is not None:
            left = f"{_span(one['left_s'])} left"
        watches = " (monitor only)" if one["monitor"] else ""
        subject = f" {one['subject']}" if one["subject"] else ""
        does = "told of" if one["what"] == TOLD else "closed"
        lines += [
            f"  {does}: {one['what']}{subject}{watches}, {left}, {one['stopped']} "
            f"stopped: {one['rule']}: {one['reason']}",
            f"    {one['open_with']}",
        ]
    more = seen["closed_in_all"] - len(seen["closed"])
    if more > 0:
        lines.append(f"  and {more} more that are closed")
    lines += [
        f"  open: {what}, {_span(left)} left" for what, left in seen["opened"].items()
    ]
    return lines


def _notices(seen: Mapping[str, Any] | None) -> list[str]:
    """Say in a line for each way what became of notices."""
    lines = []
    for way, one in (seen or {}).items():
        if one is None:
            continue  # not wanted
        line = (
            f"notices by {way}: {one['sent']} sent, {one['waiting']} waiting, "
            f"{one['failed']} tries failed, {one['given_up']} given up, {one['lost']} "
            "lost"
        )
        if one["next_s"] is not None:
            line += f", next try in {one['next_s']} s"
        lines.append(line)
        if one["error"]:
            lines.append(f"  ERROR: {one['error']}")
    return lines


def _span(seconds: int) -> str:
    """Write a time for a person, in minutes begun."""
    hours, minutes = divmod(-(-seconds // 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _date(moment: int | None) -> str:
    """Write seconds since 1970 as a day of UTC."""
    return "never" if moment is None else time.strftime("%F", time.gmtime(moment))


def _rules(used: Mapping[str, object] | None) -> list[str]:
    """Say which rules the agent runs on, and what is wrong with others."""
    if used is None:
        return []  # an agent of before an update, that runs on
    if "version" not in used:
        lines = [f"rules: {used['source']}"]
    else:
        notes = ", on trial" if used["trial"] else ""
        notes += ", stale: a newer one is overdue" if used["stale"] else ""
        lines = [
            f"rules: version {used['version']} of epoch {used['epoch']}, "
            f"{used['source']}{notes}"
        ]
    problems = used["problems"]
    assert isinstance(problems, list)  # noqa: S101 - tells the type checker
    return lines + [f"  ERROR: {problem}" for problem in problems]
