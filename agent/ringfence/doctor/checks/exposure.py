"""Whether the SIP port is open to strangers for nobody's sake.

Carriers ask exactly this of their customers: a port that no phone outside has used for
a month is best closed. The agent counts who comes from outside and gets past the
firewall to our hooks, and which phones out there sign in with success.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ringfence.doctor.checks.agent import running
from ringfence.doctor.finding import FINE, NOTE, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import Readings, Unread

DAY: Final = 86_400
MONTH: Final = 30
"""Days that have to be watched before nobody counts as nobody."""


def exposure(readings: Readings) -> Iterator[Finding]:
    """Tell whether strangers reach the port, and whether anybody needs that."""
    agent = running(readings)
    seen = None if agent is None else agent.get("exposure")
    if not isinstance(seen, Mapping):
        if isinstance(readings.agent, Unread):
            why = readings.agent.why
        elif agent is None:
            why = "no agent runs"
        else:
            why = "this agent does not count them"
        yield Finding(
            "exposure",
            UNKNOWN,
            f"whether strangers reach the SIP port is not known: {why}",
        )
        return
    now = None if isinstance(readings.clock, Unread) else readings.clock.now
    days, strangers = _number(seen, "days_watched"), _number(seen, "strangers_30d")
    honest = seen.get("honest_outside_last")
    honest_lately = (
        isinstance(honest, int | float)
        and now is not None
        and now - honest < MONTH * DAY
    )
    reached = (
        f"{strangers} request{'s' * (strangers != 1)} of strangers got to the SIP port "
        f"within {MONTH} days"
    )
    if not strangers and not honest_lately:
        if days >= MONTH:
            what = f"no stranger got to the SIP port within {MONTH} days"
        else:
            what = f"no stranger got to the SIP port in the {days} days watched so far"
        yield Finding("exposure", FINE, what)
    elif honest_lately:
        yield Finding(
            "exposure",
            FINE,
            f"phones outside use the SIP port; {reached}",
            "It has to be open for them. The fewer countries they may sign in from the "
            "better: origin.home.",
        )
    elif days < MONTH:
        yield Finding(
            "exposure",
            NOTE,
            f"{reached}; no phone outside has signed in, watched for {days} days",
            f"After {MONTH} days this says whether the port should be closed.",
        )
    else:
        yield Finding(
            "exposure",
            WARNING,
            f"the SIP port is open to the world for nobody: {reached}, and no phone "
            "outside has signed in",
            "Each of them tries passwords or calls at your cost. Only your provider has "
            "to get through.",
            closing(readings),
        )


def _number(seen: Mapping[str, Any], name: str) -> int:
    value = seen.get(name)
    return int(value) if isinstance(value, int | float) else 0


def closing(readings: Readings) -> tuple[str, ...]:
    """Return the commands that close the port to all but the provider."""
    ports = ", ".join(map(str, sorted(readings.config.network_sip_ports)))
    system, firewall = readings.machine.system, readings.machine.firewall
    if system == "openwrt":
        found = [
            command
            for section in readings.uci_openings
            for command in (f"uci show {section}", f"uci set {section}.enabled=0")
        ]
        return (
            *(found or ['uci show firewall | grep -E "dest_port|src_dport"']),
            "# where the provider calls in, keep the section for its addresses:",
            "# uci set SECTION.src_ip='PROVIDER-ADDRESS'; uci set SECTION.enabled=1",
            "uci commit firewall; /etc/init.d/firewall reload",
        )
    if firewall == "ufw":
        one = min(readings.config.network_sip_ports)
        return (
            "ufw status numbered",
            f"ufw delete allow {one}; ufw delete allow {one}/udp; ufw delete allow {one}/tcp",
            f"ufw allow from PROVIDER-ADDRESS to any port {one} proto udp",
        )
    if firewall == "firewalld":
        return (
            "firewall-cmd --permanent --remove-service=sip",
            *(
                f"firewall-cmd --permanent --remove-port={port}/udp"
                for port in sorted(readings.config.network_sip_ports)
            ),
            "firewall-cmd --reload",
        )
    return (
        f"nft -a list ruleset | grep -E '{ports.replace(', ', '|')}'",
        "# delete what accepts or redirects it: nft delete rule FAMILY TABLE CHAIN handle N",
        "# where the provider calls in, accept its addresses alone:",
        f"# ip saddr PROVIDER-ADDRESS udp dport {{ {ports} }} accept",
    )
