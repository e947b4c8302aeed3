"""What the live probe proves."""

from collections.abc import Iterator
from typing import Final

from ringfence.doctor.checks.agent import running
from ringfence.doctor.finding import FINE, NOTE, PROBLEM, UNKNOWN, Finding
from ringfence.doctor.readings import Readings, Unread
from ringfence.doctor.remedies import restart

_WAYS: Final = {
    "output": "what this machine sends",
    "input": "what comes in to this machine",
    "forward": "what this machine forwards",
}


def probe(readings: Readings) -> Iterator[Finding]:
    """Say which way a test INVITE got to the agent, and which ways were not proven."""
    found = readings.probe
    if running(readings) is None:
        if not isinstance(readings.agent, Unread):
            yield Finding("probe", UNKNOWN, "no test INVITE was sent: no agent runs")
        else:
            yield Finding("probe", UNKNOWN, "no test INVITE was sent")
        return
    if isinstance(found, Unread):
        yield Finding("probe", UNKNOWN, f"no test INVITE was sent: {found.why}")
        return
    if found.passed:
        how = "the agent saw it, and its verdict was not carried out"
        if found.unjudged:
            how = "the agent never saw it"
            if found.unjudged != found.passed:
                how += f" where it is about {_named(found.unjudged)}"
        yield Finding(
            "probe",
            PROBLEM,
            f"a test INVITE went through: {_named(found.passed)}; {how}",
            "An attacker's INVITE goes the same way.",
            ("nft list table inet ringfence", *restart(readings.machine)),
        )
    lost = "\n".join(
        f"not proven: {_WAYS[way]}: {why}" for way, why in found.lost.items()
    )
    if found.proven:
        yield Finding(
            "probe",
            NOTE if set(found.proven) == {"output"} and not found.passed else FINE,
            "a test INVITE reached the agent and was dropped by its verdict: "
            + _named(found.proven)
            + (f"\n{lost}" if lost else ""),
            "It came over IPv4, by an interface of its own; that the WAN leads to the same hooks is "
            "not proven by it.",
        )
    elif not found.passed:
        yield Finding("probe", UNKNOWN, f"no test INVITE reached the agent\n{lost}")


def _named(ways: tuple[str, ...]) -> str:
    return ", ".join(_WAYS[way] for way in ways)
