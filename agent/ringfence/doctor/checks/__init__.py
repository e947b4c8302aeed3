"""The checks: pure functions of the readings; `CHECKS` is their order in a report."""

from collections.abc import Callable, Iterable
from typing import Final

from ringfence.doctor.checks import (
    agent,
    bundles,
    bypass,
    exposure,
    kernel,
    machine,
    network,
    notices,
    order,
    others,
    probing,
)
from ringfence.doctor.finding import UNKNOWN, Finding
from ringfence.doctor.readings import Readings

Check = Callable[[Readings], Iterable[Finding]]

CHECKS: Final[dict[str, Check]] = {
    "versions": agent.versions,
    "configuration": agent.configuration,
    "nft": kernel.nft,
    "kernel": kernel.kernel,
    "queue-statement": kernel.queueing,
    "conntrack": kernel.conntrack,
    "agent": agent.agent,
    "mode": agent.mode,
    "table": order.table,
    "order": order.order,
    "marks": others.marks,
    "queues": others.queues,
    "probe": probing.probe,
    "unheard": agent.unheard,
    "losses": agent.losses,
    "log": agent.log,
    "offload": bypass.offload,
    "sip-alg": bypass.alg,
    "wan": network.wan,
    "sip-ports": network.ports,
    "tls": network.tls,
    "exposure": exposure.exposure,
    "notify": notices.notify,
    "bundle": bundles.bundle,
    "keys": bundles.keys,
    "clock": machine.clock,
    "memory": machine.memory,
    "disk": machine.disk,
}
"""By name; a check's findings carry its name as their id."""


def judge(readings: Readings) -> list[Finding]:
    """Run every check; one that meets what it did not expect says so itself."""
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            findings += check(readings)
        except Exception as error:  # our flaw, which must not hide the other checks
            said = f"{type(error).__name__}: {error}"
            what = f"this check failed, which is a flaw of ringfence: {said}"
            findings.append(Finding(name, UNKNOWN, what))
    return findings
