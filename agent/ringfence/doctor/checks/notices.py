"""The check of notices: whether they would get to the owner."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ringfence.doctor.finding import FINE, NOTE, PROBLEM, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import Posting, Readings, Telling, Unread
from ringfence.doctor.remedies import configure, install

_UNSEEN: Final = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")  # noqa: S108
"""Folders that the agent's unit on Debian hides from it, or has its own of."""

_TRY: Final = "ringfence notify --test"


def notify(readings: Readings) -> Iterator[Finding]:
    """Ask whether command and webhook can work, and how the agent fares with them."""
    found = readings.notify
    if isinstance(found, Unread):
        yield Finding(
            "notify", UNKNOWN, f"what notices are sent by is not known: {found.why}"
        )
        return
    findings: list[Finding] = []
    ways = []
    if found.command is not None:
        ways.append(f"to {found.command.path}")
        findings += _command(found.command, readings)
    if found.webhook is not None:
        ways.append(f"to the webhook, by {found.webhook.program or 'nothing'}")
        findings += _webhook(found.webhook, readings)
    findings += _agent(readings)
    if not findings:
        what = " and ".join(ways) if ways else "to the log alone"
        findings.append(Finding("notify", FINE, f"notices go {what}"))
    yield from findings


def _command(found: Telling, readings: Readings) -> Iterator[Finding]:
    path = found.path
    if found.problem:
        yield Finding(
            "notify",
            PROBLEM,
            f"notify.command: {path}: {found.problem}",
            "Nobody is told when calls are stopped.",
            (f"ls -l {path}", *configure(readings, "[notify] command"), _TRY),
        )
        return
    if found.open_to_others:
        yield Finding(
            "notify",
            WARNING,
            "others than root can change what notify.command runs: "
            + ", ".join(found.open_to_others),
            "Whoever can change it has the agent run what he likes, as root.",
            tuple(
                f"chown root {one}; chmod go-w {one}" for one in found.open_to_others
            ),
        )
    if readings.machine.system == "debian" and path.startswith(_UNSEEN):
        yield Finding(
            "notify",
            WARNING,
            f"notify.command: {path} is where the agent's unit does not look",
            "ProtectHome and PrivateTmp hide it: it is not there for the agent.",
            (
                f"install -m 755 {path} /usr/local/bin/",
                *configure(readings, "[notify] command"),
                _TRY,
            ),
        )


def _webhook(found: Posting, readings: Readings) -> Iterator[Finding]:
    if found.program is None:
        yield Finding(
            "notify",
            PROBLEM,
            "notify.webhook is set, and there is no curl, uclient-fetch or wget",
            "Nobody is told when calls are stopped.",
            (*install(readings.machine, "post"), _TRY),
        )
    if found.missing:
        yield Finding(
            "notify",
            PROBLEM,
            f"notify.ca: {found.missing} cannot be read",
            "The web service is not believed, and told nothing.",
            (f"ls -l {found.missing}", *configure(readings, "[notify] ca"), _TRY),
        )
    path = readings.configured.path
    if path is not None and readings.configured.mode & 0o044:
        yield Finding(
            "notify",
            NOTE,
            f"every user can read notify.webhook in {path}",
            "The URL of a web service is often all that it takes to write there.",
            (f"chmod 600 {path}",),
        )


def _agent(readings: Readings) -> Iterator[Finding]:
    """Tell of deliveries that fail."""
    agent = readings.agent
    said: Mapping[str, Any] = {}
    if not isinstance(agent, Unread) and agent is not None:
        said = agent.get("notices") or {}
    for way, one in said.items():
        if one is None:
            continue
        if one["error"]:
            yield Finding(
                "notify",
                WARNING,
                f"notices by {way} fail, {one['waiting']} wait: {one['error']}",
                "The owner is not told; what waits for a day is given up.",
                (_TRY,),
            )
        if one["lost"] or one["given_up"]:
            yield Finding(
                "notify",
                WARNING,
                f"{one['lost'] + one['given_up']} notices by {way} were given up",
                "They are in the log alone.",
                ("ringfence report", _TRY),
            )
